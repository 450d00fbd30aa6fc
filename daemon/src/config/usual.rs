//! Directories where nobody chose any.

use std::path::PathBuf;

use directories::ProjectDirs;

/// What a data directory that nobody chose is called, as root.
const SYSTEM_DATA_DIR: &str = "/var/lib/pitboss";
/// Its logs.
const SYSTEM_LOG_DIR: &str = "/var/log/pitboss";
/// For accounts without a home directory.
const LAST_RESORT: &str = "pitboss-data";

pub(super) fn usual_data_dir(dirs: Option<&ProjectDirs>, is_root: bool) -> PathBuf {
    match dirs {
        // Root's home is closed to the account that PostgreSQL runs under.
        _ if is_root => PathBuf::from(SYSTEM_DATA_DIR),
        Some(dirs) => dirs.data_local_dir().to_owned(),
        None => PathBuf::from(LAST_RESORT),
    }
}

pub(super) fn usual_log_dir(dirs: Option<&ProjectDirs>, is_root: bool) -> PathBuf {
    match dirs {
        _ if is_root => PathBuf::from(SYSTEM_LOG_DIR),
        Some(dirs) => dirs
            .state_dir()
            .unwrap_or(dirs.data_local_dir())
            .join("logs"),
        None => PathBuf::from(LAST_RESORT).join("logs"),
    }
}
