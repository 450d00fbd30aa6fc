//! The thread that starts PostgreSQL, waits for its end, and starts it again.
//!
//! It is a thread and not a task because the parent-death signal follows the thread that started the child:
//! a thread of a pool may end while the daemon lives on, and take the database with it.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};

use super::account::Account;
use super::binaries::Missing;
use super::output::LastLines;
use super::{Binaries, ClusterError, ClusterSettings, NAME, connect_options, directory, install};
use super::{postmaster, socket};
use crate::clock::Stopwatch;

/// Crash recovery replays at most `max_wal_size`; on a slow disk that takes minutes. A postmaster that ends
/// is noticed at once, so this only bounds one that hangs.
const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// Between two attempts to connect while it starts: it starts in 60 ms when warm.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Between two looks at an adopted postmaster, which is not our child and cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// An adopted postmaster must answer twice, this far apart: one whose daemon was just killed may answer once
/// more before the death signal reaches it.
const ANSWERS_APART: Duration = Duration::from_millis(300);

/// Pauses before starting it again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A fast shutdown took 0.09 s idle; it also writes a checkpoint, which a slow disk stretches.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// What the cluster is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterState {
    /// Coming up, or recovering.
    Starting,
    /// Answering queries.
    Ready {
        /// The postmaster.
        pid: i32,
    },
    /// Ended by itself; it will be started again.
    Down,
    /// Ended because it was told to.
    Stopped,
}

/// The owner's end of the thread.
#[derive(Debug)]
pub(super) struct Supervisor {
    control: Arc<Control>,
    state: watch::Receiver<ClusterState>,
}

/// What the owner tells the thread.
#[derive(Debug, Default)]
struct Control {
    orders: Mutex<Orders>,
    given: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    stop: bool,
    pid: Option<Pid>,
}

/// A postmaster we can wait for.
enum Running {
    Child(Child),
    Adopted(Pid),
}

type Started = (Supervisor, watch::Receiver<ClusterState>, PathBuf);

/// Starts the thread and waits until the cluster answers, or cannot be started.
pub(super) async fn start(settings: ClusterSettings) -> Result<Started, ClusterError> {
    let (state_writer, state) = watch::channel(ClusterState::Starting);
    let control = Arc::new(Control::default());
    let (first, started) = oneshot::channel();
    let thread_control = Arc::clone(&control);
    std::thread::Builder::new()
        .name("postgres".into())
        .spawn(move || {
            let prepared = Site::prepare(&settings, state_writer, thread_control);
            match prepared.and_then(|site| Ok((site.launch()?, site))) {
                Ok((running, site)) => {
                    let _ = first.send(Ok(site.socket_dir.clone()));
                    site.supervise(running);
                }
                Err(error) => {
                    let _ = first.send(Err(error));
                }
            }
        })
        .map_err(ClusterError::io("start a thread for", "postgres"))?;
    // Made before waiting: a caller that gives up takes the cluster with it.
    let supervisor = Supervisor {
        control,
        state: state.clone(),
    };
    let socket_dir = started.await.map_err(|_| ClusterError::Program {
        program: "postgres",
        output: "its thread ended".into(),
    })??;
    Ok((supervisor, state, socket_dir))
}

impl Supervisor {
    /// Fast shutdown, then an immediate one, then the end of waiting.
    pub(super) async fn stop(mut self) {
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            self.control.order_stop(signal);
            let stopped = self.state.wait_for(|it| *it == ClusterState::Stopped);
            // An error means that the thread has ended, which is as good.
            if tokio::time::timeout(STOP_WITHIN, stopped).await.is_ok() {
                return;
            }
            tracing::error!(?signal, "PostgreSQL does not stop");
        }
    }
}

impl Drop for Supervisor {
    /// Owners call [`Supervisor::stop`]; one that panicked still takes the cluster with it.
    fn drop(&mut self) {
        if *self.state.borrow() != ClusterState::Stopped {
            self.control.order_stop(Signal::INT);
        }
    }
}

impl Control {
    fn order_stop(&self, signal: Signal) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.stop = true;
        if let Some(pid) = orders.pid {
            let _ = kill_process(pid, signal);
        }
        self.given.notify_all();
    }

    /// Notes the postmaster; tells it to stop at once if that was ordered meanwhile.
    fn note(&self, pid: Option<Pid>) {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        orders.pid = pid;
        if let (true, Some(pid)) = (orders.stop, pid) {
            let _ = kill_process(pid, Signal::INT);
        }
    }

    /// Waits for `pause`, or less if a stop is ordered. Returns whether it was.
    fn pause(&self, pause: Duration) -> bool {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let (orders, _) = self
            .given
            .wait_timeout_while(orders, pause, |orders| !orders.stop)
            .unwrap_or_else(PoisonError::into_inner);
        orders.stop
    }
}

/// Everything needed to start this cluster, again and again. The runtime is the thread's own, so that
/// asking PostgreSQL whether it is there does not depend on how busy or how finished the daemon's is.
struct Site {
    data_dir: PathBuf,
    cluster: PathBuf,
    socket_dir: PathBuf,
    account: Account,
    binaries: Binaries,
    runtime: Runtime,
    state: watch::Sender<ClusterState>,
    control: Arc<Control>,
}

impl Site {
    fn prepare(
        settings: &ClusterSettings,
        state: watch::Sender<ClusterState>,
        control: Arc<Control>,
    ) -> Result<Self, ClusterError> {
        let data_dir = settings
            .data_dir
            .canonicalize()
            .map_err(ClusterError::io("find", &settings.data_dir))?;
        let cluster = directory::cluster_dir(&data_dir);
        let account = Account::choose(&cluster)?;
        let binaries = find_binaries(settings, &cluster)?;
        let socket_dir = socket::choose(&data_dir, settings.runtime_dir.as_deref());
        socket::claim(&socket_dir, &account)?;
        directory::prepare(&data_dir, &account, &binaries)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClusterError::io("make a runtime for", &cluster))?;
        Ok(Self {
            data_dir,
            cluster,
            socket_dir,
            account,
            binaries,
            runtime,
            state,
            control,
        })
    }

    /// Adopts the living postmaster or starts one, and waits until it answers.
    fn launch(&self) -> Result<Running, ClusterError> {
        self.state.send_replace(ClusterState::Starting);
        if let Some(adopted) = self.adopt() {
            return Ok(Running::Adopted(adopted));
        }
        postmaster::clear_away(&self.cluster)?;
        let (child, said) = self.spawn()?;
        let mut child = child;
        let pid = pid_of(&child);
        self.control.note(Some(pid));
        self.wait_for_answer(&mut child, &said)?;
        self.state.send_replace(ClusterState::Ready {
            pid: pid.as_raw_nonzero().get(),
        });
        tracing::info!(
            pid = pid.as_raw_nonzero().get(),
            account = self.account.name,
            version = self.binaries.major,
            "PostgreSQL started"
        );
        Ok(Running::Child(child))
    }

    /// The living postmaster, once it has answered; `None` when there is none or none any more.
    fn adopt(&self) -> Option<Pid> {
        let mut answers = 0;
        let started = Stopwatch::start();
        while let Some(found) = postmaster::find(&self.cluster) {
            if found.socket_dir == self.socket_dir && self.ask().is_ok() {
                answers += 1;
            }
            if answers == 2 {
                let pid = found.pid.as_raw_nonzero().get();
                tracing::info!(pid, "adopted the PostgreSQL of an earlier run");
                self.control.note(Some(found.pid));
                self.state.send_replace(ClusterState::Ready { pid });
                return Some(found.pid);
            }
            if found.socket_dir != self.socket_dir {
                tracing::warn!("an earlier PostgreSQL has its socket elsewhere: stopping it");
                let _ = kill_process(found.pid, Signal::INT);
            } else if started.elapsed() > STOP_WITHIN {
                tracing::warn!("an earlier PostgreSQL does not answer: stopping it");
                let _ = kill_process(found.pid, Signal::QUIT);
            }
            if self.control.pause(ANSWERS_APART) {
                return None;
            }
        }
        None
    }

    fn spawn(&self) -> Result<(Child, LastLines), ClusterError> {
        let program = self.binaries.program("postgres");
        let mut command = self.account.command(&program, "INT")?;
        command.arg("-D").arg(&self.cluster);
        let mut socket_setting = std::ffi::OsString::from("unix_socket_directories=");
        socket_setting.push(&self.socket_dir);
        command.arg("-c").arg(socket_setting);
        command.arg("-c").arg(format!("port={}", socket::PORT));
        for setting in directory::FIXED_SETTINGS {
            command.args(["-c", setting]);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(ClusterError::io("run", program))?;
        let said = LastLines::default();
        if let Some(output) = child.stderr.take() {
            said.follow(output);
        }
        Ok((child, said))
    }

    fn wait_for_answer(&self, child: &mut Child, said: &LastLines) -> Result<(), ClusterError> {
        let started = Stopwatch::start();
        while self.ask().is_err() {
            if let Ok(Some(status)) = child.try_wait() {
                self.control.note(None);
                return Err(ClusterError::Program {
                    program: "postgres",
                    output: format!("{status}\n{}", said.text()),
                });
            }
            if started.elapsed() > ANSWER_WITHIN {
                let _ = child.kill();
                let _ = child.wait();
                self.control.note(None);
                return Err(ClusterError::NoAnswer {
                    data_dir: self.data_dir.clone(),
                    after: ANSWER_WITHIN,
                    output: said.text(),
                });
            }
            std::thread::sleep(ASK_EVERY);
        }
        Ok(())
    }

    /// Whether it answers a query in our database, which the first answer creates.
    fn ask(&self) -> Result<(), sqlx::Error> {
        self.runtime.block_on(ask(&self.socket_dir))
    }

    /// Waits for its end, and starts it again until told to stop.
    fn supervise(self, first: Running) {
        let mut running = first;
        let mut pause = FIRST_PAUSE;
        loop {
            let lived = Stopwatch::start();
            self.wait_for_end(running);
            self.control.note(None);
            if lived.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            self.state.send_replace(ClusterState::Down);
            running = loop {
                if self.control.pause(pause) {
                    self.clean_up();
                    return;
                }
                tracing::error!("PostgreSQL ended by itself: starting it again");
                pause = (pause * 2).min(LONGEST_PAUSE);
                match self.launch() {
                    Ok(again) => break again,
                    Err(error) => tracing::error!(%error, "PostgreSQL does not start"),
                }
            };
        }
    }

    fn wait_for_end(&self, running: Running) {
        match running {
            Running::Child(mut child) => {
                let _ = child.wait();
            }
            Running::Adopted(pid) => {
                while postmaster::works_in(pid, &self.cluster) {
                    std::thread::sleep(LOOK_EVERY);
                }
            }
        }
    }

    fn clean_up(&self) {
        // Only empty directories go: another cluster's socket would keep this one.
        let _ = std::fs::remove_dir(&self.socket_dir);
        self.state.send_replace(ClusterState::Stopped);
        tracing::info!("PostgreSQL stopped");
    }
}

async fn ask(socket_dir: &Path) -> Result<(), sqlx::Error> {
    let options = connect_options(socket_dir).disable_statement_logging();
    match options.connect().await {
        Ok(mut connection) => {
            sqlx::query("select 1").execute(&mut connection).await?;
            connection.close().await
        }
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("3D000") => {
            create_database(socket_dir).await
        }
        Err(error) => Err(error),
    }
}

/// `initdb` makes the database `postgres` only.
async fn create_database(socket_dir: &Path) -> Result<(), sqlx::Error> {
    let options = connect_options(socket_dir).database("postgres");
    let mut connection = PgConnection::connect_with(&options).await?;
    let statement = format!("create database {NAME}");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

pub(super) fn look_for_binaries(
    settings: &ClusterSettings,
    cluster: &Path,
) -> Result<Binaries, Missing> {
    Binaries::find(
        settings.binaries.as_deref(),
        settings.search_path.as_deref(),
        directory::made_by(cluster),
    )
}

fn find_binaries(settings: &ClusterSettings, cluster: &Path) -> Result<Binaries, ClusterError> {
    let missing = match look_for_binaries(settings, cluster) {
        Ok(found) => return Ok(found),
        Err(missing) => missing,
    };
    // A directory that was configured, or another version, is not made good by what the package brings.
    let would_help = settings.binaries.is_none() && missing.other_versions.is_empty();
    if settings.may_install && would_help && install::install_with_apt()? {
        return Ok(look_for_binaries(settings, cluster)?);
    }
    Err(missing.into())
}

fn pid_of(child: &Child) -> Pid {
    let raw = i32::try_from(child.id()).expect("process ids are positive 32-bit numbers");
    Pid::from_raw(raw).expect("a child's process id is not zero")
}
