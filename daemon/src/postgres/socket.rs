//! Where the cluster's Unix socket is.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::ClusterError;
use super::account::Account;

/// PostgreSQL numbers its sockets like ports; nothing listens on TCP.
pub(super) const PORT: u16 = 5432;

/// The kernel's limit for a socket's path, without the final zero byte.
const LONGEST_PATH: usize = 107;

/// Where a short directory goes if the user has no runtime directory. Whoever else could write here is kept
/// out by [`claim`]: the directory must be ours, closed to others, and no link.
const SHORT_PARENTS: [&str; 2] = ["/run", "/tmp"];

/// The directory for the socket of the cluster in `data_dir`: inside it if the path fits, else a short one.
pub(super) fn choose(data_dir: &Path, runtime_dir: Option<&Path>) -> PathBuf {
    let inside = data_dir.join("socket");
    if fits(&inside) {
        return inside;
    }
    let digest = blake3::hash(data_dir.as_os_str().as_bytes());
    let name = format!("pitboss-{}", &digest.to_hex()[..16]);
    let system = SHORT_PARENTS.iter().map(Path::new);
    runtime_dir
        .into_iter()
        .chain(system)
        .filter(|parent| is_writable(parent))
        .map(|parent| parent.join(&name))
        .find(|directory| fits(directory))
        .unwrap_or(inside)
}

fn fits(directory: &Path) -> bool {
    let socket = directory.join(format!(".s.PGSQL.{PORT}.lock"));
    socket.as_os_str().len() <= LONGEST_PATH
}

fn is_writable(directory: &Path) -> bool {
    rustix::fs::access(directory, rustix::fs::Access::WRITE_OK).is_ok()
}

/// Makes sure that `directory` exists, belongs to `account`, and is closed to everyone else.
pub(super) fn claim(directory: &Path, account: &Account) -> Result<(), ClusterError> {
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Ok(()) => std::os::unix::fs::chown(directory, Some(account.uid), Some(account.gid))
            .map_err(ClusterError::io("give away", directory))?,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(ClusterError::io("create", directory)(error)),
    }
    let found =
        std::fs::symlink_metadata(directory).map_err(ClusterError::io("look at", directory))?;
    if !found.is_dir() || found.uid() != account.uid {
        return Err(ClusterError::ForeignOwner {
            path: directory.to_owned(),
            owner: found.uid(),
        });
    }
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o700))
        .map_err(ClusterError::io("close", directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_data_directory_gets_a_short_socket_directory_and_always_the_same() {
        let long = PathBuf::from(format!("/tmp/{}", "d".repeat(100)));
        let chosen = choose(&long, None);
        assert!(fits(&chosen), "{}", chosen.display());
        assert_eq!(chosen, choose(&long, None));
        let short = Path::new("/var/lib/pitboss");
        assert_eq!(choose(short, None), short.join("socket"));
    }

    #[test]
    fn a_directory_that_someone_else_made_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let mine = Account {
            name: "me".into(),
            uid: rustix::process::geteuid().as_raw() + 1,
            gid: 0,
        };
        let directory = root.path().join("socket");
        std::fs::create_dir(&directory).unwrap();
        let refused = claim(&directory, &mine).unwrap_err();
        assert!(matches!(refused, ClusterError::ForeignOwner { .. }));
    }
}
