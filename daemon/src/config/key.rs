//! The one table of configuration keys: parser, help, file format, environment and `config show` read it.

/// One key. Its variable is `PITBOSS_` and the name in capitals.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// As written in the file.
    pub name: &'static str,
    /// As typed, without the dashes in front: the name with dashes.
    pub flag: &'static str,
    /// What kind of value it takes.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
    /// What happens when it is not given, in words where it is computed.
    pub default: &'static str,
}

/// What kind of value a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A value of this name in help texts.
    Value(&'static str),
    /// A value that is never shown.
    Secret(&'static str),
    /// On or off; the flag takes no value.
    Switch,
}

/// Every key.
pub const KEYS: [Key; 25] = [
    Key {
        name: "data_dir",
        flag: "data-dir",
        kind: Kind::Value("DIR"),
        help: "Where the daemon keeps its state: the private database, the unit secret, its addresses",
        default: "/var/lib/pitboss as root, else the user's data directory (~/.local/share/pitboss)",
    },
    Key {
        name: "log_dir",
        flag: "log-dir",
        kind: Kind::Value("DIR"),
        help: "Where the rolling logs go: application.log, guardrail.log, worker.log",
        default: "`logs` in a data directory that was chosen, else /var/log/pitboss as root or the user's state directory",
    },
    Key {
        name: "environment",
        flag: "environment",
        kind: Kind::Value("NAME"),
        help: "What this installation is called on every screen, such as production",
        default: "local",
    },
    Key {
        name: "production",
        flag: "production",
        kind: Kind::Switch,
        help: "Mark every screen as one where mistakes hurt",
        default: "true if the environment's name begins with `prod`",
    },
    Key {
        name: "data_listen",
        flag: "data-listen",
        kind: Kind::Value("ADDR"),
        help: "Where services reach the data port; port 0 takes any free one",
        default: "127.0.0.1:7400",
    },
    Key {
        name: "data_rpc_listen",
        flag: "data-rpc-listen",
        kind: Kind::Value("ADDR"),
        help: "Where Rust services reach the same calls over tarpc, such as 127.0.0.1:7401",
        default: "off",
    },
    Key {
        name: "admin_listen",
        flag: "admin-listen",
        kind: Kind::Value("ADDR"),
        help: "Where machines that watch find /metrics, /healthz and /readyz",
        default: "127.0.0.1:7402",
    },
    Key {
        name: "control_socket",
        flag: "control-socket",
        kind: Kind::Value("PATH"),
        help: "The Unix socket on which the console calls",
        default: "control.sock in the user's runtime directory, else data directory, else /run/pitboss",
    },
    Key {
        name: "database_url",
        flag: "database-url",
        kind: Kind::Secret("URL"),
        help: "An existing PostgreSQL; without it the daemon runs a private one in its data directory",
        default: "none",
    },
    Key {
        name: "database_pooler",
        flag: "database-pooler",
        kind: Kind::Value("MODE"),
        help: "What stands before that PostgreSQL: none, or transaction (such as PgBouncer with pool_mode = transaction)",
        default: "none",
    },
    Key {
        name: "database_connections",
        flag: "database-connections",
        kind: Kind::Value("N"),
        help: "The most connections the daemon opens, 8 to 1000",
        default: "16",
    },
    Key {
        name: "replica_url",
        flag: "replica-url",
        kind: Kind::Secret("URL"),
        help: "A streaming replica of that PostgreSQL: results, insights and charts are read from it, labelled with its lag",
        default: "none",
    },
    Key {
        name: "replica_max_lag",
        flag: "replica-max-lag",
        kind: Kind::Value("DURATION"),
        help: "How far the replica may be behind before the primary is read instead, 1s to 1h",
        default: "10s",
    },
    Key {
        name: "postgres_bin",
        flag: "postgres-bin",
        kind: Kind::Value("DIR"),
        help: "The directory of initdb and postgres for the private database",
        default: "PATH, pg_config --bindir, the distributions' directories",
    },
    Key {
        name: "install_postgres",
        flag: "install-postgres",
        kind: Kind::Switch,
        help: "Install the distribution's postgresql package if there is none (root on a Debian-like system)",
        default: "false",
    },
    Key {
        name: "unit_secret_file",
        flag: "unit-secret-file",
        kind: Kind::Value("FILE"),
        help: "The secret behind unit keys: 32 bytes, raw or as 64 hex digits; the same on every daemon",
        default: "unit-secret in the data directory, made at the first start",
    },
    Key {
        name: "sticky_cache",
        flag: "sticky-cache",
        kind: Kind::Value("MIB"),
        help: "Memory for the cache of assignments, in MiB, 1 to 65536",
        default: "128",
    },
    Key {
        name: "spool",
        flag: "spool",
        kind: Kind::Value("MIB"),
        help: "Disk for what is acknowledged while the database is away, in MiB, 1 to 1048576",
        default: "1024",
    },
    Key {
        name: "event_retention",
        flag: "event-retention",
        kind: Kind::Value("DURATION"),
        help: "For how long the ledger keeps events, such as 90d, at least 45d; older weeks are dropped, rewards never. The same on every daemon",
        default: "keep: nothing is deleted",
    },
    Key {
        name: "drain_timeout",
        flag: "drain-timeout",
        kind: Kind::Value("DURATION"),
        help: "How long stopping may take after SIGTERM, with drain_delay, 1s to 10m",
        default: "30s",
    },
    Key {
        name: "drain_delay",
        flag: "drain-delay",
        kind: Kind::Value("DURATION"),
        help: "How long it goes on serving after SIGTERM while /readyz already says 503: two looks of your balancer, 0s to 5m",
        default: "5s; 0s with die_with_parent",
    },
    Key {
        name: "log",
        flag: "log",
        kind: Kind::Value("FILTER"),
        help: "What is logged: error, warn, info, debug, or target=level pairs",
        default: "info",
    },
    Key {
        name: "log_format",
        flag: "log-format",
        kind: Kind::Value("FORMAT"),
        help: "How stderr is written: auto (JSON unless it is a terminal), json or human",
        default: "auto",
    },
    Key {
        name: "log_files",
        flag: "log-files",
        kind: Kind::Value("N"),
        help: "How many daily files of each log are kept, 1 to 3650",
        default: "14",
    },
    Key {
        name: "die_with_parent",
        flag: "die-with-parent",
        kind: Kind::Switch,
        help: "Stop when the process that started this one ends",
        default: "false",
    },
];

impl Key {
    /// The key called `name`.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("PITBOSS_{}", self.name.to_ascii_uppercase())
    }

    /// Whether a change of its value takes effect on SIGHUP; the others need a restart.
    pub fn is_live(&self) -> bool {
        matches!(self.name, "log" | "drain_timeout" | "drain_delay")
    }

    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_is_its_keys_name_with_dashes() {
        for key in &KEYS {
            assert_eq!(key.flag, key.name.replace('_', "-"));
        }
    }
}
