//! The cluster's directory: made with `initdb`, configured anew at every start.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::account::Account;
use super::{Binaries, ClusterError, NAME};

/// Settings that may be overridden with `alter system` or in `postgresql.conf`, for two cores and a few
/// hundred megabytes.
const SETTINGS: &str = "\
# Written by pitbossd at every start. Put your own settings into postgresql.conf, below the include.
max_connections = 60
shared_buffers = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1
jit = off
max_parallel_workers_per_gather = 0
autovacuum_naptime = 15s
autovacuum_max_workers = 2
log_timezone = UTC
timezone = UTC
";

/// Settings on the command line, which nothing overrides: durability, and no way in but the socket.
pub(super) const FIXED_SETTINGS: [&str; 6] = [
    "fsync=on",
    "synchronous_commit=on",
    "full_page_writes=on",
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "logging_collector=off",
];

/// The name of the map in `pg_ident.conf` from accounts of the machine to our one role.
const IDENT_MAP: &str = "pitboss";

/// The cluster in `data_dir`, there or not.
pub(super) fn cluster_dir(data_dir: &Path) -> PathBuf {
    data_dir.join("postgres")
}

/// The major version that made the cluster; `None` if there is no cluster.
pub(super) fn made_by(cluster: &Path) -> Option<String> {
    let text = std::fs::read_to_string(cluster.join("PG_VERSION")).ok()?;
    Some(text.trim().to_owned())
}

/// Makes sure that there is a cluster that `account` can use, and writes its configuration.
pub(super) fn prepare(
    data_dir: &Path,
    account: &Account,
    binaries: &Binaries,
) -> Result<(), ClusterError> {
    let cluster = cluster_dir(data_dir);
    open_for(account, data_dir)?;
    if made_by(&cluster).is_none() {
        make(data_dir, account, binaries)?;
    }
    configure(&cluster, account)
}

/// Lets a foreign account pass through the data directory, whose files stay closed, and checks the
/// directories above it.
fn open_for(account: &Account, data_dir: &Path) -> Result<(), ClusterError> {
    if !account.is_foreign() {
        return Ok(());
    }
    let found = std::fs::metadata(data_dir).map_err(ClusterError::io("look at", data_dir))?;
    if !account.may_enter(&found) {
        let mode = std::fs::Permissions::from_mode(found.mode() & 0o7777 | 0o011);
        std::fs::set_permissions(data_dir, mode).map_err(ClusterError::io("open", data_dir))?;
    }
    for directory in data_dir.ancestors().skip(1) {
        let found = std::fs::metadata(directory).map_err(ClusterError::io("look at", directory))?;
        if !account.may_enter(&found) {
            return Err(ClusterError::ClosedDirectory {
                account: account.name.clone(),
                path: directory.to_owned(),
            });
        }
    }
    Ok(())
}

/// Runs `initdb` beside the final place and moves the result there, so that there is never half a cluster.
fn make(data_dir: &Path, account: &Account, binaries: &Binaries) -> Result<(), ClusterError> {
    let unfinished = data_dir.join("postgres.new");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(ClusterError::io("remove", &unfinished))?;
    }
    std::fs::create_dir(&unfinished).map_err(ClusterError::io("create", &unfinished))?;
    std::os::unix::fs::chown(&unfinished, Some(account.uid), Some(account.gid))
        .map_err(ClusterError::io("give away", &unfinished))?;
    run_initdb(&unfinished, account, binaries)?;
    let mut main = std::fs::OpenOptions::new()
        .append(true)
        .open(unfinished.join("postgresql.conf"))
        .map_err(ClusterError::io("open", &unfinished))?;
    main.write_all(b"\ninclude_if_exists = 'pitboss.conf'\n")
        .map_err(ClusterError::io("write", &unfinished))?;
    let cluster = cluster_dir(data_dir);
    std::fs::rename(&unfinished, &cluster).map_err(ClusterError::io("move into place", &cluster))
}

fn run_initdb(
    directory: &Path,
    account: &Account,
    binaries: &Binaries,
) -> Result<(), ClusterError> {
    let answer = account
        .command(&binaries.program("initdb"), "TERM")?
        .arg("--pgdata")
        .arg(directory)
        .args(["--username", NAME, "--encoding", "UTF8", "--locale", "C"])
        .args(["--auth-local", "peer", "--auth-host", "reject"])
        .args(["--data-checksums", "--no-instructions"])
        .stdin(Stdio::null())
        .output()
        .map_err(ClusterError::io("run", binaries.program("initdb")))?;
    if answer.status.success() {
        return Ok(());
    }
    Err(ClusterError::Program {
        program: "initdb",
        output: String::from_utf8_lossy(&answer.stderr).trim().to_owned(),
    })
}

fn configure(cluster: &Path, account: &Account) -> Result<(), ClusterError> {
    let admitted = admitted_accounts(account);
    let ident: Vec<String> = admitted
        .iter()
        .map(|name| format!("{IDENT_MAP} \"{name}\" {NAME}\n"))
        .collect();
    let ident = ident.concat();
    let hba = format!("local all {NAME} peer map={IDENT_MAP}\n");
    for (name, text) in [
        ("pitboss.conf", SETTINGS),
        ("pg_hba.conf", hba.as_str()),
        ("pg_ident.conf", ident.as_str()),
    ] {
        write_for(account, &cluster.join(name), text)?;
    }
    Ok(())
}

/// PostgreSQL's account, the daemon's, and root, who could read the files anyway.
fn admitted_accounts(account: &Account) -> Vec<String> {
    let mut names = vec![account.name.clone(), "root".to_owned()];
    names.extend(Account::own().map(|own| own.name));
    names.sort();
    names.dedup();
    names
}

/// Replaces a file of the cluster. The new file is made beside it and never through a link: as root we
/// write into a directory that another account controls.
fn write_for(account: &Account, path: &Path, text: &str) -> Result<(), ClusterError> {
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(ClusterError::io("create", &new))?;
    std::os::unix::fs::fchown(&file, Some(account.uid), Some(account.gid))
        .map_err(ClusterError::io("give away", &new))?;
    file.write_all(text.as_bytes())
        .map_err(ClusterError::io("write", &new))?;
    std::fs::rename(&new, path).map_err(ClusterError::io("replace", path))
}
