//! Where the control socket is unless someone says otherwise: one rule for the daemon and the console.

use std::path::{Path, PathBuf};

use directories::ProjectDirs;

/// The socket's file name.
pub const SOCKET_NAME: &str = "control.sock";

/// Where services run by the system keep their sockets; used by accounts without a home directory.
const SYSTEM_RUNTIME_DIR: &str = "/run/pitboss";

/// The control socket's default path, for the daemon that binds it and the console that looks for it:
///
/// 1. `$XDG_RUNTIME_DIR/pitboss/control.sock`, the user's own runtime directory;
/// 2. without one (containers, cron, `su`): `control.sock` in the user's data directory,
///    `~/.local/share/pitboss` on Linux, which is also the daemon's default data directory;
/// 3. without a home directory: `/run/pitboss/control.sock`.
///
/// A shared temporary directory is never used: another user could be there first.
pub fn default_socket() -> PathBuf {
    let dirs = ProjectDirs::from("", "", "pitboss");
    let runtime = dirs.as_ref().and_then(ProjectDirs::runtime_dir);
    let data = dirs.as_ref().map(ProjectDirs::data_local_dir);
    choose(runtime, data)
}

fn choose(runtime: Option<&Path>, data: Option<&Path>) -> PathBuf {
    runtime
        .or(data)
        .unwrap_or(Path::new(SYSTEM_RUNTIME_DIR))
        .join(SOCKET_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_directory_comes_first_then_the_data_directory_then_the_systems() {
        let run = Path::new("/run/user/1000/pitboss");
        let data = Path::new("/home/ana/.local/share/pitboss");
        for (runtime, data, wanted) in [
            (Some(run), Some(data), "/run/user/1000/pitboss/control.sock"),
            (
                None,
                Some(data),
                "/home/ana/.local/share/pitboss/control.sock",
            ),
            (None, None, "/run/pitboss/control.sock"),
        ] {
            assert_eq!(choose(runtime, data), Path::new(wanted));
        }
    }
}
