//! Under which account PostgreSQL runs, and the command line that makes it so.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use super::ClusterError;

/// Accounts to drop to, best first. PostgreSQL refuses to run as root.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// Where util-linux's `setpriv` is. Not searched in `PATH`: it runs with root's rights.
const SETPRIV: [&str; 2] = ["/usr/bin/setpriv", "/bin/setpriv"];

/// The account PostgreSQL runs under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Account {
    /// The daemon's own account, or as root the owner of an existing cluster, else the first account there is
    /// to drop to.
    pub(super) fn choose(cluster: &Path) -> Result<Self, ClusterError> {
        let own = geteuid().as_raw();
        let owner = std::fs::metadata(cluster).ok().map(|it| it.uid());
        match owner {
            Some(uid) if own != 0 && uid != own => Err(ClusterError::ForeignOwner {
                path: cluster.to_owned(),
                owner: uid,
            }),
            Some(uid) if uid != 0 => {
                Self::look_up(&uid.to_string()).ok_or(ClusterError::NamelessUser { uid })
            }
            _ if own == 0 => UNPRIVILEGED
                .iter()
                .find_map(|name| Self::look_up(name))
                .ok_or(ClusterError::NoAccount),
            _ => Self::look_up(&own.to_string()).ok_or(ClusterError::NamelessUser { uid: own }),
        }
    }

    /// The account of the daemon itself, if it has a name.
    pub(super) fn own() -> Option<Self> {
        Self::look_up(&geteuid().as_raw().to_string())
    }

    /// Asks the name service, which knows more than `/etc/passwd` does; without `getent` reads that file.
    fn look_up(name_or_uid: &str) -> Option<Self> {
        let answer = Command::new("getent")
            .args(["passwd", name_or_uid])
            .output();
        let table = match answer {
            Ok(answer) => String::from_utf8_lossy(&answer.stdout).into_owned(),
            Err(_) => std::fs::read_to_string("/etc/passwd").unwrap_or_default(),
        };
        find_entry(&table, name_or_uid)
    }

    /// Whether it must be dropped to.
    pub(super) fn is_foreign(&self) -> bool {
        self.uid != geteuid().as_raw()
    }

    /// `program` under this account, with the signal `on_parent_death` when the calling *thread* ends,
    /// an environment of its own and a process group of its own: a Ctrl-C in the terminal is for the
    /// daemon, which needs the database until it has drained.
    pub(super) fn command(
        &self,
        program: &Path,
        on_parent_death: &str,
    ) -> Result<Command, ClusterError> {
        let mut command = match find_setpriv() {
            Some(setpriv) => {
                let mut command = Command::new(setpriv);
                command.arg("--pdeathsig").arg(on_parent_death);
                if self.is_foreign() {
                    command
                        .arg(format!("--reuid={}", self.uid))
                        .arg(format!("--regid={}", self.gid))
                        .arg("--init-groups");
                }
                command.arg("--").arg(program);
                command
            }
            None if self.is_foreign() => return Err(ClusterError::NoSetpriv),
            // Without the death signal a cluster that outlives a killed daemon is adopted by the next one.
            None => Command::new(program),
        };
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// Whether this account may enter `directory`, by its mode.
    pub(super) fn may_enter(&self, directory: &std::fs::Metadata) -> bool {
        let bit = if directory.uid() == self.uid {
            0o100
        } else if directory.gid() == self.gid {
            0o010
        } else {
            0o001
        };
        directory.mode() & bit != 0
    }
}

fn find_setpriv() -> Option<&'static Path> {
    SETPRIV.iter().map(Path::new).find(|path| path.exists())
}

fn find_entry(table: &str, name_or_uid: &str) -> Option<Account> {
    table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let uid = fields.nth(1)?;
        let gid = fields.next()?;
        if name != name_or_uid && uid != name_or_uid {
            return None;
        }
        Some(Account {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_name_and_by_number() {
        let table = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65533::/:/bin/false\n";
        let nobody = Account {
            name: "nobody".into(),
            uid: 65534,
            gid: 65533,
        };
        assert_eq!(find_entry(table, "nobody"), Some(nobody.clone()));
        assert_eq!(find_entry(table, "65534"), Some(nobody));
        assert_eq!(find_entry(table, "postgres"), None);
    }
}
