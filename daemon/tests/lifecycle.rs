//! `pitbossd` as a process: started, killed, refused, stopped; as root and as an ordinary user.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const PITBOSSD: &str = env!("CARGO_BIN_EXE_pitbossd");

/// A daemon starts in 2 s on an idle machine; tests share theirs.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits until `look` finds something.
fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    #[expect(clippy::disallowed_methods, reason = "a test's patience is real time")]
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process that a failing test does not leave behind; its PostgreSQL ends with it.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id().cast_signed()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn stop(mut self) {
        self.signal(Signal::TERM);
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon's directory and how to run commands in it.
struct Home {
    directory: TempDir,
    data_dir: PathBuf,
    user: Option<&'static str>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        open(directory.path());
        Self {
            directory,
            data_dir,
            user: None,
        }
    }

    /// Run by `nobody`, in a directory of its own whose path is too long for a socket in it.
    fn of_nobody() -> Self {
        let mut home = Self::new();
        home.data_dir = home.directory.path().join("d".repeat(100));
        // The second is where the control socket goes.
        for own in [&home.data_dir, &home.directory.path().join("data")] {
            std::fs::create_dir(own).unwrap();
            std::os::unix::fs::chown(own, Some(65534), Some(65534)).unwrap();
        }
        home.user = Some("nobody");
        home
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.arg(format!("--reuid={user}"));
                command.args(["--regid=65534", "--clear-groups", "--"]);
                command.arg(self.reachable_binary());
                command
            }
            None => Command::new(PITBOSSD),
        };
        command
            .args(arguments)
            .arg("--data-dir")
            .arg(&self.data_dir)
            .arg("--control-socket")
            .arg(self.directory.path().join("data/c.sock"))
            .args(["--data-listen", "127.0.0.1:0"])
            .args(["--admin-listen", "127.0.0.1:0", "--install-postgres"])
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null());
        command
    }

    /// The build directory may be closed to others.
    fn reachable_binary(&self) -> PathBuf {
        let copy = self.directory.path().join("pitbossd");
        if !copy.exists() {
            std::fs::hard_link(PITBOSSD, &copy)
                .or_else(|_| std::fs::copy(PITBOSSD, &copy).map(drop))
                .unwrap();
        }
        copy
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts the daemon and waits until it says where it is.
    fn start(&self) -> Daemon {
        let log = std::fs::File::create(self.directory.path().join("stderr")).unwrap();
        let mut child = self.command(&["serve"]).stderr(log).spawn().unwrap();
        eventually("the daemon is ready", || {
            if let Some(status) = child.try_wait().unwrap() {
                let log = std::fs::read_to_string(self.directory.path().join("stderr"));
                panic!("the daemon ended with {status}: {}", log.unwrap());
            }
            let text = std::fs::read_to_string(self.data_dir.join("addresses.json")).ok()?;
            text.contains(&format!("\"pid\":{}", child.id()))
                .then_some(())
        });
        Daemon(child)
    }

    fn postmaster(&self) -> Option<i32> {
        let text = std::fs::read_to_string(self.data_dir.join("postgres/postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }

    fn socket_dir(&self) -> PathBuf {
        let text = std::fs::read_to_string(self.data_dir.join("postgres/postmaster.pid")).unwrap();
        PathBuf::from(text.lines().nth(4).unwrap())
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.socket_dir())
            .username("pitboss")
            .database("pitboss")
    }

    fn wait_until_nothing_runs(&self) {
        let postgres = self.data_dir.join("postgres");
        eventually("PostgreSQL is gone", || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let mut left = processes.filter(|process| {
                let cwd = std::fs::read_link(process.path().join("cwd"));
                cwd.is_ok_and(|cwd| cwd == postgres)
            });
            left.next().is_none().then_some(())
        });
    }
}

fn open(directory: &Path) {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_killed_daemon_takes_postgresql_with_it_and_comes_back() {
    let home = Home::new();
    let daemon = home.start();
    assert_eq!(home.run(&["health"]).status.code(), Some(0));
    let refused = home.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("in use by another pitbossd"),
        "{}",
        stderr(&refused)
    );

    drop(daemon);
    // Killed; and at once again, while the old PostgreSQL may still be on its way out.
    let daemon = home.start();
    let postmaster = home.postmaster().unwrap();
    kill_process(Pid::from_raw(postmaster).unwrap(), Signal::KILL).unwrap();
    eventually("another PostgreSQL", || {
        home.postmaster().filter(|pid| *pid != postmaster)
    });

    eventually("the new PostgreSQL answers", || {
        let migrated = home.run(&["migrate"]);
        migrated.status.success().then_some(())
    });
    assert_eq!(home.run(&["verify"]).status.code(), Some(0));
    daemon.stop();
    home.wait_until_nothing_runs();
    let alone = home.run(&["verify", "--json"]);
    assert_eq!(alone.status.code(), Some(0), "{}", stderr(&alone));
    home.wait_until_nothing_runs();
    assert!(!home.data_dir.join("addresses.json").exists());
    assert!(!home.data_dir.join("socket").exists());
    assert_eq!(home.run(&["health"]).status.code(), Some(4));
}

#[test]
fn an_ordinary_user_runs_it_with_a_data_directory_of_any_length() {
    if !geteuid().is_root() {
        // Whoever runs the tests is the ordinary user, and every other test is this one.
        return;
    }
    let home = Home::of_nobody();
    let daemon = home.start();
    let owner = std::fs::metadata(home.data_dir.join("postgres")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), 65534);
    let sockets = home.socket_dir();
    assert!(
        !sockets.starts_with(&home.data_dir),
        "{}",
        sockets.display()
    );
    let mode = std::fs::metadata(&sockets).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    daemon.stop();
    home.wait_until_nothing_runs();
    assert!(!sockets.exists());
}

#[tokio::test]
async fn what_would_do_harm_is_refused_with_a_sentence() {
    let home = Home::new();
    let daemon = home.start();
    let mut database = PgConnection::connect_with(&home.options()).await.unwrap();

    // Another daemon, on the same database and with a secret of its own.
    let other = Home::new();
    let url = format!(
        "postgres://pitboss@localhost/pitboss?host={}",
        home.socket_dir().display()
    );
    let refused = other.run(&["serve", "--database-url", &url]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("unit secret"),
        "{}",
        stderr(&refused)
    );
    std::fs::copy(
        home.data_dir.join("unit-secret"),
        other.data_dir.join("unit-secret"),
    )
    .unwrap();
    let second = other
        .command(&["serve", "--database-url", &url])
        .spawn()
        .unwrap();
    eventually("the second daemon is ready", || {
        other.data_dir.join("addresses.json").exists().then_some(())
    });
    Daemon(second).stop();

    // A schema from the future.
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&mut database)
    .await
    .unwrap();
    daemon.stop();
    let refused = home.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(3));
    assert!(
        stderr(&refused).contains("start a newer pitbossd"),
        "{}",
        stderr(&refused)
    );
    home.wait_until_nothing_runs();
}

#[test]
fn a_daemon_that_dies_with_its_parent_is_gone_when_the_parent_is_killed() {
    let home = Home::new();
    let daemon = home.command(&["serve", "--die-with-parent"]);
    let mut words = vec![daemon.get_program().to_owned()];
    words.extend(daemon.get_args().map(ToOwned::to_owned));
    // The shell starts it in the background and waits for ever.
    let mut parent = Command::new("sh")
        .args(["-c", "\"$@\" 2>/dev/null & wait", "sh"])
        .args(words)
        .spawn()
        .unwrap();
    let addresses = home.data_dir.join("addresses.json");
    eventually("the daemon is ready", || addresses.exists().then_some(()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    eventually("the daemon is gone", || (!addresses.exists()).then_some(()));
    home.wait_until_nothing_runs();
}

#[test]
fn a_configuration_that_is_wrong_is_told_before_anything_is_touched() {
    let home = Home::new();
    let file = home.directory.path().join("pitbossd.toml");
    std::fs::write(&file, "data_lisen = '127.0.0.1:1'\n").unwrap();
    let refused = home.run(&["serve", "--config", file.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("did you mean `data_listen`?"),
        "{}",
        stderr(&refused)
    );

    let refused = home.run(&["config", "check", "--postgres-bin", "/nowhere"]);
    assert_eq!(refused.status.code(), Some(0), "{}", stderr(&refused));
    let missing = home.run(&["doctor", "--postgres-bin", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(!home.data_dir.exists());
}

#[test]
fn a_missing_postgresql_and_a_closed_directory_are_told_with_the_way_out() {
    let mut home = Home::new();
    let missing = home.run(&["serve", "--postgres-bin", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(4));
    let told = stderr(&missing);
    assert!(told.contains("looked at /nowhere only"), "{told}");
    assert!(told.contains("install it:"), "{told}");

    if !geteuid().is_root() {
        return;
    }
    let closed = home.directory.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    home.data_dir = closed.join("data");
    let told = stderr(&home.run(&["serve"]));
    let way_out = format!("chmod o+x {}", closed.display());
    assert!(told.contains(&way_out), "{told}");
}
