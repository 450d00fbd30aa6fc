//! `pitbossd` as a process: started, killed, refused, stopped; as root and as an ordinary user.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, kill_process, pidfd_open};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const PITBOSSD: &str = env!("CARGO_BIN_EXE_pitbossd");

/// A daemon starts in 2 s on an idle machine; tests share theirs.
const PATIENCE: Duration = Duration::from_mins(2);

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

/// The service manager's end: hears what daemons say of themselves.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Manager {
    fn listen(directory: &Path) -> Self {
        let path = directory.join("notify");
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// The next thing a daemon says, but for a slow start's that it goes on.
    fn hears(&self, what: &str) {
        let mut said = [0; 64];
        loop {
            let length = self.socket.recv(&mut said);
            let length = length.unwrap_or_else(|error| panic!("never heard {what}: {error}"));
            let said = String::from_utf8_lossy(&said[..length]);
            if !said.starts_with("EXTEND_TIMEOUT_USEC=") {
                assert_eq!(said, what);
                return;
            }
        }
    }
}

/// Waits until a process has ended, whoever's child it is.
fn ended(pid: i32) {
    // One that cannot be opened has ended already.
    let Some(process) = open_process(pid) else {
        return;
    };
    let mut one = [PollFd::new(&process, PollFlags::IN)];
    assert_eq!(poll(&mut one, Some(&patience())).unwrap(), 1, "{pid} runs");
}

fn open_process(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

fn patience() -> Timespec {
    Timespec::try_from(PATIENCE).unwrap()
}

/// A kept connection to one of the daemon's ports.
struct Kept(BufReader<TcpStream>);

impl Kept {
    fn open(address: &str) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// `GET path`: the head of the answer, and its body.
    fn get(&mut self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: pitboss\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).unwrap();
            assert!(read > 0, "closed instead of an answer, after {head:?}");
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().unwrap())
        });
        let mut body = vec![0; length.unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }
}

/// A daemon's directory and how to run commands in it.
struct Home {
    directory: TempDir,
    data_dir: PathBuf,
    manager: Manager,
    user: Option<&'static str>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        open(directory.path());
        Self {
            manager: Manager::listen(directory.path()),
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
            .env("PITBOSS_DRAIN_DELAY", "0s")
            .env("NOTIFY_SOCKET", &self.manager.path)
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

    /// Starts the daemon and waits until it says that it is ready.
    fn start(&self) -> Daemon {
        self.start_with(&[])
    }

    fn start_with(&self, arguments: &[&str]) -> Daemon {
        let log = std::fs::File::create(self.directory.path().join("stderr")).unwrap();
        let mut command = self.command(&[&["serve"], arguments].concat());
        let daemon = Daemon(command.stderr(log).spawn().unwrap());
        let process = open_process(daemon.0.id().cast_signed()).unwrap();
        let mut either = [
            PollFd::new(&self.manager.socket, PollFlags::IN),
            PollFd::new(&process, PollFlags::IN),
        ];
        poll(&mut either, Some(&patience())).unwrap();
        let spoke = !either[0].revents().is_empty();
        assert!(spoke, "the daemon ended or says nothing: {}", self.log());
        self.manager.hears("READY=1");
        daemon
    }

    fn addresses(&self) -> serde_json::Value {
        let text = std::fs::read_to_string(self.data_dir.join("addresses.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("stderr")).unwrap()
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
        let runs_there = |process: &std::fs::DirEntry| {
            let cwd = std::fs::read_link(process.path().join("cwd"));
            cwd.is_ok_and(|cwd| cwd == postgres)
        };
        loop {
            let mut processes = std::fs::read_dir("/proc").unwrap().flatten();
            let Some(left) = processes.find(runs_there) else {
                return;
            };
            ended(left.file_name().to_str().unwrap().parse().unwrap());
        }
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
    ended(postmaster);
    // Until the new one answers. Each try is a process, so they are not many.
    while !home.run(&["migrate"]).status.success() {}
    assert_ne!(home.postmaster(), Some(postmaster));
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
    other.start_with(&["--database-url", &url]).stop();
    other.manager.hears("STOPPING=1");

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
        .env("NOTIFY_SOCKET", &home.manager.path)
        .args(["-c", "\"$@\" 2>/dev/null & wait", "sh"])
        .args(words)
        .spawn()
        .unwrap();
    home.manager.hears("READY=1");
    let pid = home.addresses()["pid"].as_i64().unwrap();
    parent.kill().unwrap();
    parent.wait().unwrap();
    home.manager.hears("STOPPING=1");
    ended(i32::try_from(pid).unwrap());
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

#[test]
fn a_daemon_that_is_to_stop_serves_on_and_sends_its_clients_away_until_told_again() {
    let home = Home::new();
    let mut daemon = home.start_with(&["--drain-delay", "4m", "--drain-timeout", "5m"]);
    let addresses = home.addresses();
    let [data, admin] = ["data", "admin"].map(|port| addresses[port].as_str().unwrap());
    let mut kept = Kept::open(data);
    let (head, _) = kept.get("/api/experiments");
    assert!(!head.contains("connection: close"), "{head}");

    daemon.signal(Signal::TERM);
    home.manager.hears("STOPPING=1");
    let (head, body) = Kept::open(admin).get("/readyz");
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(body.contains("draining"), "{body}");
    for mut client in [kept, Kept::open(data)] {
        let (head, _) = client.get("/api/experiments");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.contains("connection: close"), "{head}");
    }

    daemon.signal(Signal::TERM);
    assert_eq!(daemon.0.wait().unwrap().code(), Some(1));
    let told = home.log();
    assert!(told.contains("told to stop a second time"), "{told}");
    home.wait_until_nothing_runs();
}

#[test]
fn a_thousand_reloads_cost_no_request_and_a_wrong_configuration_is_never_in_force() {
    let home = Home::new();
    let file = home.directory.path().join("pitbossd.toml");
    std::fs::write(&file, "drain_timeout = '40s'\n").unwrap();
    let daemon = home.start_with(&["--config", file.to_str().unwrap()]);
    let addresses = home.addresses();
    let [data, admin] = ["data", "admin"].map(|port| addresses[port].as_str().unwrap());
    let done = std::sync::atomic::AtomicBool::new(false);
    let served = std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut client, mut served) = (Kept::open(data), 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let (head, _) = client.get("/api/experiments");
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                served += 1;
            }
            served
        });
        for number in 0..1_000 {
            let text = match number % 4 {
                0 => "drain_timeout = '41s'\n",
                1 => "drain_timeout = '59s'\nlog = '=='\n",
                2 => "drain_timeout = '42s'\nenvironment = 'elsewhere'\n",
                _ => "drain_timeout = \n",
            };
            std::fs::write(&file, text).unwrap();
            daemon.signal(Signal::HUP);
            home.manager.hears("RELOADING=1");
            home.manager.hears("READY=1");
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        client.join().unwrap()
    });
    assert!(served > 0);
    let (_, metrics) = Kept::open(admin).get("/metrics");
    for result in ["ok", "refused"] {
        let counted = format!("pitboss_config_reloads_total{{result=\"{result}\"}} 500");
        assert!(metrics.contains(&counted), "{metrics}");
    }
    daemon.stop();
    let told = home.log();
    assert!(told.contains("needs a restart"), "{told}");
    assert!(told.contains("\"within\":\"42s\""), "{told}");
    assert!(!told.contains("elsewhere"), "{told}");
}
