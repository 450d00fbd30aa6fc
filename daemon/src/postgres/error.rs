//! Why there is no private cluster, by what a person can do about it.

use std::path::PathBuf;

/// A private cluster that cannot be found, made or started.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No PostgreSQL on this machine, as far as we looked.
    #[error(
        "PostgreSQL was not found; looked at {looked_at}\n  install it:  {install}\n  or use an existing database:  --database-url postgres://.."
    )]
    NotFound {
        /// The places, in the order of looking.
        looked_at: String,
        /// The one command to type.
        install: &'static str,
    },
    /// The cluster belongs to another major version than any that was found.
    #[error(
        "the private database was made by PostgreSQL {wanted}, and only {found} was found; install version {wanted}, or point --postgres-bin at it"
    )]
    OtherVersion {
        /// Its major version.
        wanted: String,
        /// The major versions found.
        found: String,
    },
    /// The cluster belongs to another user.
    #[error(
        "{} belongs to another user (uid {owner}); run pitbossd as that user or as root, or choose another --data-dir", path.display()
    )]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// PostgreSQL's account may not enter a directory above the cluster.
    #[error(
        "the account `{account}`, under which PostgreSQL runs, may not enter {}; choose another --data-dir (such as /var/lib/pitboss), or: chmod o+x {}", path.display(), path.display()
    )]
    ClosedDirectory {
        /// The account.
        account: String,
        /// The first directory on the way that it may not enter.
        path: PathBuf,
    },
    /// The account has no name.
    #[error(
        "user id {uid} has no entry in the passwd database, and PostgreSQL does not run without one; run pitbossd as a named user or as root"
    )]
    NamelessUser {
        /// The user id.
        uid: u32,
    },
    /// Root, and neither account to drop to.
    #[error(
        "PostgreSQL does not run as root and there is neither a `postgres` nor a `nobody` account to run it under; create one:  useradd --system postgres"
    )]
    NoAccount,
    /// Root, without the tool that drops privileges.
    #[error(
        "`setpriv` was not found in /usr/bin or /bin; it is part of the util-linux package, and needed to run PostgreSQL as another account than root"
    )]
    NoSetpriv,
    /// A file or directory could not be read or written.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A program could not be started, or ended badly.
    #[error("{program} failed: {output}")]
    Program {
        /// Which.
        program: &'static str,
        /// The last lines of what it said.
        output: String,
    },
    /// The server does not answer.
    #[error("PostgreSQL in {} does not answer after {} s: {output}", data_dir.display(), after.as_secs())]
    NoAnswer {
        /// The cluster.
        data_dir: PathBuf,
        /// How long we waited.
        after: std::time::Duration,
        /// The last lines of what it said.
        output: String,
    },
}

impl ClusterError {
    /// For `map_err` after an operation on a path.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io {
            doing,
            path,
            source,
        }
    }
}
