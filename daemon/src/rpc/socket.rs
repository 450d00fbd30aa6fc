//! The socket file: taken over when its daemon has died, refused while one lives, removed at the end.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use crate::access::SocketOwner;

/// Owner and group may connect; others cannot even try.
const SOCKET_MODE: u32 = 0o660;

/// Mode of the socket's directory where the daemon has to make it: the group must get through.
const DIRECTORY_MODE: u32 = 0o750;

/// Why the control socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another daemon has it.
    #[error("another pitbossd listens at {}; stop it or give this one another --control-socket", .0.display())]
    InUse(PathBuf),
    /// Something else lies there.
    #[error("{} exists and is not a socket; remove it or use another --control-socket", .0.display())]
    NotASocket(PathBuf),
    /// The system refused.
    #[error("cannot listen at {}", .path.display())]
    Io {
        /// The socket's path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A listening control socket. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct ControlSocket {
    pub(super) listener: UnixListener,
    pub(super) owner: SocketOwner,
    path: PathBuf,
    inode: u64,
    /// Held for life: two daemons that start at once cannot both take over a dead one's socket.
    _lock: File,
}

impl ControlSocket {
    /// Listens at `path`. Must be called inside a tokio runtime.
    pub(super) fn bind(path: &Path) -> Result<Self, SocketError> {
        let io = |source| SocketError::Io {
            path: path.to_owned(),
            source,
        };
        make_directory_of(path).map_err(io)?;
        let lock = lock_beside(path)?;
        remove_dead_socket(path)?;
        let listener = UnixListener::bind(path).map_err(io)?;
        fs::set_permissions(path, Permissions::from_mode(SOCKET_MODE)).map_err(io)?;
        let file = fs::symlink_metadata(path).map_err(io)?;
        Ok(Self {
            listener,
            owner: SocketOwner {
                uid: file.uid(),
                gid: file.gid(),
            },
            path: path.to_owned(),
            inode: file.ino(),
            _lock: lock,
        })
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let still_ours =
            fs::symlink_metadata(&self.path).is_ok_and(|file| file.ino() == self.inode);
        if still_ours {
            // A file that is already gone, or a directory that became read-only, is nobody's loss:
            // the next daemon takes the dead socket over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn make_directory_of(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(parent),
        _ => Ok(()),
    }
}

fn lock_beside(path: &Path) -> Result<File, SocketError> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let io = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let lock = File::options()
        .create(true)
        .append(true)
        .open(lock_path)
        .map_err(io)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SocketError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// Removes a socket that nobody answers at. Anything else at `path` stays and is an error.
fn remove_dead_socket(path: &Path) -> Result<(), SocketError> {
    let io = |source| SocketError::Io {
        path: path.to_owned(),
        source,
    };
    let file = match fs::symlink_metadata(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io(error)),
    };
    if !file.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(io)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_living_socket_is_refused_and_a_dead_one_taken_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control.sock");
        let first = ControlSocket::bind(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        assert!(matches!(
            ControlSocket::bind(&path),
            Err(SocketError::InUse(_))
        ));
        drop(first);
        assert!(!path.exists());

        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a crash leaves the file");
        drop(ControlSocket::bind(&path).unwrap());
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_listener_without_our_lock_is_refused_too() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        let _foreign = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(matches!(
            ControlSocket::bind(&path),
            Err(SocketError::InUse(_))
        ));
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("control.sock");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(
            ControlSocket::bind(&path),
            Err(SocketError::NotASocket(_))
        ));
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
