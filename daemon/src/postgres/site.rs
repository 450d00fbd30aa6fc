//! One cluster on this machine: how it is adopted or started, as often as needed.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::account::Account;
use super::binaries::Missing;
use super::orders::Control;
use super::output::LastLines;
use super::supervisor::ClusterState;
use super::{Binaries, ClusterError, ClusterSettings};
use super::{answer, directory, install, postmaster, socket};
use crate::clock::Stopwatch;

/// Crash recovery replays at most `max_wal_size`; on a slow disk that takes minutes. A postmaster that ends
/// is noticed at once, so this only bounds one that hangs.
const ANSWER_WITHIN: Duration = Duration::from_mins(5);

/// Between two attempts to connect while it starts: it starts in 60 ms when warm.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// An adopted postmaster must answer twice, this far apart: one whose daemon was just killed may answer once
/// more before the death signal reaches it.
const ANSWERS_APART: Duration = Duration::from_millis(300);

/// An adopted postmaster that has not answered for so long is stopped: it may be recovering, but it is not ours
/// to wait for as long as for our own.
const ADOPT_WITHIN: Duration = Duration::from_secs(30);

/// A postmaster we can wait for.
pub(super) enum Running {
    Child(Child),
    Adopted(Pid),
}

/// Everything needed to start this cluster, again and again. The runtime is the thread's own, so that
/// asking PostgreSQL whether it is there does not depend on how busy or how finished the daemon's is.
pub(super) struct Site {
    data_dir: PathBuf,
    pub(super) cluster: PathBuf,
    pub(super) socket_dir: PathBuf,
    account: Account,
    binaries: Binaries,
    runtime: Runtime,
    pub(super) state: watch::Sender<ClusterState>,
    pub(super) control: Arc<Control>,
}

impl Site {
    /// Finds the binaries and makes what has to be there before PostgreSQL starts.
    pub(super) fn prepare(
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
    pub(super) fn launch(&self) -> Result<Running, ClusterError> {
        self.state.send_replace(ClusterState::Starting);
        if let Some(adopted) = self.adopt() {
            return Ok(Running::Adopted(adopted));
        }
        postmaster::clear_away(&self.cluster)?;
        let (mut child, said) = self.spawn()?;
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
            } else if started.elapsed() > ADOPT_WITHIN {
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

    fn ask(&self) -> Result<(), sqlx::Error> {
        self.runtime.block_on(answer::ask(&self.socket_dir))
    }
}

/// The binaries that would be used, without installing any.
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
