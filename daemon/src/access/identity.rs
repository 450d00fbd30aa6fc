//! From peer credentials to a principal.
//!
//! The kernel gives uid, gid and pid of the process that connected. It does not give the supplementary
//! groups, by which most operators are members of the socket's group, so those are read from `/proc`.
//! A process that took over the pid of one that has gone is told apart by its uid.

use std::path::Path;

use tokio::net::UnixStream;

use super::{Principal, Role};

/// What the kernel says about the other end of a Unix socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User id.
    pub uid: u32,
    /// Primary group id.
    pub gid: u32,
    /// Process id, where the system tells.
    pub pid: Option<i32>,
}

/// Whose socket it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOwner {
    /// The daemon's user.
    pub uid: u32,
    /// The socket file's group.
    pub gid: u32,
}

impl Peer {
    /// Asks the kernel.
    pub fn of(stream: &UnixStream) -> std::io::Result<Self> {
        let credentials = stream.peer_cred()?;
        Ok(Self {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        })
    }

    /// The principal behind a connection to `owner`'s socket.
    pub fn principal(self, owner: SocketOwner) -> Principal {
        let role = if self.is_operator(owner, || self.groups_from_proc()) {
            Role::Operator
        } else {
            Role::Observer
        };
        Principal {
            name: display_name(self.uid),
            uid: self.uid,
            role,
        }
    }

    fn is_operator(self, owner: SocketOwner, groups: impl FnOnce() -> Vec<u32>) -> bool {
        const ROOT: u32 = 0;
        self.uid == ROOT
            || self.uid == owner.uid
            || self.gid == owner.gid
            || groups().contains(&owner.gid)
    }

    fn groups_from_proc(self) -> Vec<u32> {
        let Some(pid) = self.pid else {
            return Vec::new();
        };
        std::fs::read_to_string(format!("/proc/{pid}/status"))
            .map(|status| groups_in_status(&status, self.uid))
            .unwrap_or_default()
    }
}

/// The supplementary groups in a `/proc/PID/status`, if its real uid is `uid`.
fn groups_in_status(status: &str, uid: u32) -> Vec<u32> {
    let numbers = |name: &str| -> Vec<u32> {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(|rest| {
                rest.split_whitespace()
                    .map_while(|n| n.parse().ok())
                    .collect()
            })
            .unwrap_or_default()
    };
    if numbers("Uid:").first() != Some(&uid) {
        return Vec::new();
    }
    numbers("Groups:")
}

fn display_name(uid: u32) -> String {
    let passwd = std::fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    match name_in_passwd(&passwd, uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

fn name_in_passwd(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        (found == uid && !name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: SocketOwner = SocketOwner { uid: 990, gid: 980 };

    fn operator(uid: u32, gid: u32, groups: &[u32]) -> bool {
        let peer = Peer {
            uid,
            gid,
            pid: None,
        };
        peer.is_operator(OWNER, || groups.to_vec())
    }

    #[test]
    fn root_owner_and_group_members_are_operators() {
        assert!(operator(0, 0, &[]));
        assert!(operator(990, 5, &[]));
        assert!(operator(1000, 980, &[]));
        assert!(operator(1000, 1000, &[27, 980]));
        assert!(!operator(1000, 1000, &[27]));
    }

    #[test]
    fn groups_of_a_reused_pid_do_not_count() {
        let status =
            "Name:\tbash\nUid:\t1000\t1000\t1000\t1000\nGid:\t5\t5\t5\t5\nGroups:\t27 980 \n";
        assert_eq!(groups_in_status(status, 1000), [27, 980]);
        assert_eq!(groups_in_status(status, 1001), [0_u32; 0]);
        assert_eq!(groups_in_status("", 1000), [0_u32; 0]);
    }

    #[test]
    fn names_come_from_passwd_or_are_numbers() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n#odd\nana:x:1000:1000::/home/ana:/bin/sh\n";
        assert_eq!(name_in_passwd(passwd, 1000), Some("ana"));
        assert_eq!(name_in_passwd(passwd, 0), Some("root"));
        assert_eq!(name_in_passwd(passwd, 7), None);
    }
}
