//! Finding PostgreSQL's binaries on this machine.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::ClusterError;

/// Where distributions and the project's own packages put versions side by side: `{0}/{1}{version}{2}`.
const VERSIONED: [(&str, &str, &str); 4] = [
    ("/usr/lib/postgresql", "", "/bin"), // Debian, Ubuntu
    ("/usr/lib", "postgresql", "/bin"),  // SUSE
    ("/usr", "pgsql-", "/bin"),          // the project's packages for Red Hat and its kin
    ("/usr/libexec", "postgresql", ""),  // Alpine
];

/// Where a single version is.
const FIXED: [&str; 3] = [
    "/usr/local/pgsql/bin",
    "/usr/lib/postgresql/bin",
    "/usr/bin",
];

/// A directory with `initdb` and `postgres`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    /// The directory.
    pub directory: PathBuf,
    /// The major version, such as `15`.
    pub major: String,
}

impl Binaries {
    /// The program `name`.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn at(directory: &Path) -> Option<Self> {
        // PATH may hold links to single programs; the others are beside the program itself.
        let postgres = directory.join("postgres").canonicalize().ok()?;
        let directory = postgres.parent()?.to_owned();
        if !directory.join("initdb").exists() {
            return None;
        }
        let answer = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&answer.stdout))?;
        Some(Self { directory, major })
    }

    /// The binaries for a cluster of major version `wanted`, or for a new one: those configured and no others,
    /// else in `PATH`, else where `pg_config` says, else in the distributions' directories, newest first.
    pub fn find(
        configured: Option<&Path>,
        search_path: Option<&OsStr>,
        wanted: Option<String>,
    ) -> Result<Self, Missing> {
        let mut others = Vec::new();
        for directory in candidates(configured, search_path) {
            match Self::at(&directory) {
                Some(found) if wanted.as_ref().is_none_or(|wanted| *wanted == found.major) => {
                    return Ok(found);
                }
                Some(other) if !others.contains(&other.major) => others.push(other.major),
                _ => {}
            }
        }
        Err(Missing {
            looked_at: looked_at(configured),
            other_versions: others,
            wanted,
        })
    }
}

/// No binaries that would do.
#[derive(Debug)]
pub struct Missing {
    looked_at: String,
    /// Major versions that were found and are not the wanted one.
    pub(super) other_versions: Vec<String>,
    wanted: Option<String>,
}

impl From<Missing> for ClusterError {
    fn from(missing: Missing) -> Self {
        match missing.wanted {
            Some(wanted) if !missing.other_versions.is_empty() => Self::OtherVersion {
                wanted,
                found: missing.other_versions.join(", "),
            },
            _ => Self::NotFound {
                looked_at: missing.looked_at,
                install: install_command(),
            },
        }
    }
}

fn candidates(configured: Option<&Path>, search_path: Option<&OsStr>) -> Vec<PathBuf> {
    if let Some(directory) = configured {
        return vec![directory.to_owned()];
    }
    let mut found: Vec<PathBuf> = search_path
        .map(|path| std::env::split_paths(path).collect())
        .unwrap_or_default();
    found.extend(pg_config_bindir());
    found.extend(
        VERSIONED
            .iter()
            .flat_map(|(parent, prefix, rest)| newest_first(parent, prefix, rest)),
    );
    found.extend(FIXED.iter().map(PathBuf::from));
    found
}

fn looked_at(configured: Option<&Path>) -> String {
    match configured {
        Some(directory) => format!(
            "{} only, as configured (PITBOSS_POSTGRES_BIN)",
            directory.display()
        ),
        None => "PITBOSS_POSTGRES_BIN (not set), PATH, pg_config --bindir, and the distributions' \
                 directories (/usr/lib/postgresql/*/bin and the like)"
            .to_owned(),
    }
}

fn pg_config_bindir() -> Option<PathBuf> {
    let answer = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(answer.stdout).ok()?;
    Some(PathBuf::from(directory.trim()))
}

/// `{parent}/{prefix}{version}{rest}` for every version there is.
fn newest_first(parent: &str, prefix: &str, rest: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_prefix(prefix)?.parse().ok()?;
            let mut path = entry.path().into_os_string();
            path.push(rest);
            Some((version, PathBuf::from(path)))
        })
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, path)| path).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` -> `15`.
fn major_version(text: &str) -> Option<String> {
    let version = text.split_once("(PostgreSQL) ")?.1;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

/// The command that installs PostgreSQL here, by the package manager that is there.
fn install_command() -> &'static str {
    let managers = [
        ("/usr/bin/apt-get", "sudo apt-get install -y postgresql"),
        ("/usr/bin/dnf", "sudo dnf install -y postgresql-server"),
        ("/sbin/apk", "sudo apk add postgresql"),
        ("/usr/bin/pacman", "sudo pacman -S --noconfirm postgresql"),
        (
            "/usr/bin/zypper",
            "sudo zypper install -y postgresql-server",
        ),
    ];
    managers
        .iter()
        .find(|(manager, _)| Path::new(manager).exists())
        .map_or("the package `postgresql` of your distribution", |it| it.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        for (said, major) in [
            (
                "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n",
                Some("15"),
            ),
            ("postgres (PostgreSQL) 18beta1\n", Some("18")),
            ("bash 5.2\n", None),
        ] {
            assert_eq!(major_version(said).as_deref(), major);
        }
    }

    #[test]
    fn the_newest_version_directory_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "notes"] {
            std::fs::create_dir_all(root.path().join(version).join("bin")).unwrap();
        }
        let parent = root.path().to_str().unwrap();
        let found = newest_first(parent, "", "/bin");
        let wanted: Vec<_> = ["17", "15", "9"]
            .iter()
            .map(|version| root.path().join(version).join("bin"))
            .collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_configured_directory_without_postgres_names_itself_and_the_way_out() {
        let empty = tempfile::tempdir().unwrap();
        let missing = Binaries::find(Some(empty.path()), None, None).unwrap_err();
        let text = ClusterError::from(missing).to_string();
        assert!(text.contains("PITBOSS_POSTGRES_BIN"), "{text}");
        assert!(text.contains("install it:"), "{text}");
    }

    #[test]
    fn the_error_names_every_place_that_was_looked_at() {
        let text = looked_at(None);
        for place in ["PATH", "pg_config --bindir", "/usr/lib/postgresql/*/bin"] {
            assert!(text.contains(place), "{text}");
        }
    }
}
