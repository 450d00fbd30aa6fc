//! The data directory: made, locked against a second daemon, and where the daemon says how to reach it.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A data directory that nobody else uses for as long as this lives. The kernel releases the lock when the
/// process ends, however it ends.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// A data directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another daemon has it.
    #[error("{} is in use by another pitbossd{}; stop that one, or choose another --data-dir", path.display(), pid.as_ref().map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other's process id, as far as it has written it.
        pid: Option<String>,
    },
    /// It cannot be made, or something in it cannot be written.
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
}

/// Where a running daemon is reached: `addresses.json`, which is there only while it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The data port.
    pub data: SocketAddr,
    /// The data calls over tarpc, where they are served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_rpc: Option<SocketAddr>,
    /// The admin port.
    pub admin: SocketAddr,
    /// The control socket.
    pub control: PathBuf,
    /// The daemon's process id.
    pub pid: u32,
}

const LOCK_FILE: &str = "pitbossd.lock";
const ADDRESSES_FILE: &str = "addresses.json";

impl DataDir {
    /// Makes `path` if needed, for its owner only, and locks it. What an earlier daemon said about its
    /// addresses is removed.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io("create", path))?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = take_lock(path)?;
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io("write", &lock_path))?;
        let opened = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        opened.withdraw_addresses();
        Ok(opened)
    }

    /// Whether [`DataDir::open`] would succeed now, without changing anything.
    pub fn look(path: &Path) -> Result<(), DataDirError> {
        take_lock(path).map(drop)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says where the daemon is reached, in one step: a reader sees all of it or nothing.
    pub fn publish_addresses(&self, addresses: &Addresses) -> Result<(), DataDirError> {
        let path = self.path.join(ADDRESSES_FILE);
        let unfinished = self.path.join("addresses.json.new");
        let text = serde_json::to_string(addresses).expect("addresses are plain text and numbers");
        std::fs::write(&unfinished, text + "\n").map_err(io("write", &unfinished))?;
        std::fs::rename(&unfinished, &path).map_err(io("write", &path))
    }

    /// Takes that back.
    pub fn withdraw_addresses(&self) {
        let _ = std::fs::remove_file(self.path.join(ADDRESSES_FILE));
    }
}

/// Where the spool is in `data_dir`.
pub fn spool(data_dir: &Path) -> PathBuf {
    data_dir.join("spool")
}

/// What the daemon in `data_dir` says about its addresses; `None` if none is ready there.
pub fn addresses(data_dir: &Path) -> Option<Addresses> {
    let text = std::fs::read_to_string(data_dir.join(ADDRESSES_FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

fn take_lock(path: &Path) -> Result<File, DataDirError> {
    let lock_path = path.join(LOCK_FILE);
    let mut lock = File::options()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(io("open", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = lock.read_to_string(&mut text);
            let pid = Some(text.trim().to_owned()).filter(|pid| !pid.is_empty());
            let path = path.to_owned();
            Err(DataDirError::InUse { path, pid })
        }
        Err(TryLockError::Error(error)) => Err(io("lock", &lock_path)(error)),
    }
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io {
        doing,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_daemon_on_the_same_directory_is_told_who_has_it() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("data");
        let first = DataDir::open(&path).unwrap();
        let text = DataDir::open(&path).unwrap_err().to_string();
        let own = format!("pid {}", std::process::id());
        assert!(text.contains("in use by another pitbossd"), "{text}");
        assert!(text.contains(&own), "{text}");
        drop(first);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn addresses_are_there_only_while_they_are_published() {
        let root = tempfile::tempdir().unwrap();
        let directory = DataDir::open(root.path()).unwrap();
        let published = Addresses {
            data: "127.0.0.1:7400".parse().unwrap(),
            data_rpc: Some("127.0.0.1:7401".parse().unwrap()),
            admin: "127.0.0.1:7402".parse().unwrap(),
            control: "/run/pitboss/control.sock".into(),
            pid: 7,
        };
        assert_eq!(addresses(root.path()), None);
        directory.publish_addresses(&published).unwrap();
        assert_eq!(addresses(root.path()), Some(published));
        directory.withdraw_addresses();
        assert_eq!(addresses(root.path()), None);
    }
}
