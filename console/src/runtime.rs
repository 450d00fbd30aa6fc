//! The loop around the console: messages in, effects out, a frame when something changed.
//!
//! Keys are drawn at once, data at most twenty times a second, ages once a second. The loop never waits for
//! the network: the link and the calls are tasks of their own.

mod calls;
mod clipboard;
pub mod environment;
mod input;
mod link;
mod signals;
mod terminal;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::effect::Effect;
use crate::model::Model;
use crate::model::link::LinkState;
use crate::msg::Msg;
use crate::theme::glyphs::Glyphs;
use crate::theme::{Theme, ThemeName};
use crate::update::update;
use crate::view;
use environment::Environment;
use input::Input;
use signals::{Signal, Signals};
use terminal::Screen;

/// 50 ms between frames for data: twenty a second, faster than anyone reads and slow enough for a thin line.
const DATA_FRAME: Duration = Duration::from_millis(50);

/// 1 s between frames that only move an age.
const AGE_FRAME: Duration = Duration::from_secs(1);

/// 256 messages wait for the loop, which takes microseconds for each; a full queue makes the senders wait.
const QUEUE: usize = 256;

/// 2 s for a mutation that was asked for just before leaving to reach the daemon and be answered; everything
/// else ends at once. What still runs then is cut.
const DRAIN: Duration = Duration::from_secs(2);

/// How the console is opened.
#[derive(Debug, Clone)]
pub struct TuiOptions {
    /// The daemon's control socket.
    pub socket: PathBuf,
    /// Change nothing from here.
    pub read_only: bool,
    /// Which theme; by default the environment says (`NO_COLOR`, `TERM`).
    pub theme: Option<ThemeName>,
    /// Draw with ASCII only; by default the locale says.
    pub ascii: Option<bool>,
}

impl TuiOptions {
    /// The console for a socket, with everything else as the environment says.
    pub fn new(socket: PathBuf) -> Self {
        Self {
            socket,
            read_only: false,
            theme: None,
            ascii: None,
        }
    }
}

/// How the console ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExitReason {
    /// The operator left.
    Quit,
    /// The operator left, and there never was a daemon: why, and what to do, line by line.
    NeverConnected(Vec<String>),
    /// The process was told to end.
    Terminated,
}

/// Run the console until it is left. The terminal is given back as it was found, whatever happens.
pub async fn run(options: TuiOptions) -> io::Result<ExitReason> {
    let environment = Environment::read();
    let theme = theme(&options, &environment);
    let mut screen = Screen::enter()?;
    let size = screen.size()?;
    let socket = options.socket.display().to_string();
    let model = Model::new(socket, options.read_only, Uuid::now_v7(), size);
    let mut console = Console::start(model, theme, environment, &options)?;
    let ended = console.run(&mut screen).await;
    drop(screen);
    console.drain().await;
    ended.map(|terminated| exit_reason(&console.model, terminated))
}

fn theme(options: &TuiOptions, environment: &Environment) -> Theme {
    let ascii = options.ascii.unwrap_or(!environment.utf8);
    let glyphs = if ascii {
        Glyphs::ASCII
    } else {
        Glyphs::UNICODE
    };
    Theme::new(options.theme.unwrap_or(environment.theme), glyphs)
}

fn exit_reason(model: &Model, terminated: bool) -> ExitReason {
    match &model.link.state {
        _ if terminated => ExitReason::Terminated,
        LinkState::Waiting { failure, .. } if !model.link.loaded => {
            let sentence = std::iter::once(&failure.sentence);
            ExitReason::NeverConnected(sentence.chain(&failure.advice).cloned().collect())
        }
        _ => ExitReason::Quit,
    }
}

/// The running console.
struct Console {
    model: Model,
    theme: Theme,
    environment: Environment,
    began: Instant,
    messages: mpsc::Receiver<Msg>,
    sender: mpsc::Sender<Msg>,
    link: link::Handle,
    calls: calls::Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    input: Input,
    signals: Signals,
}

/// What the loop does after a message.
enum After {
    GoOn,
    Quit,
}

impl Console {
    fn start(
        model: Model,
        theme: Theme,
        environment: Environment,
        options: &TuiOptions,
    ) -> io::Result<Self> {
        let (sender, messages) = mpsc::channel(QUEUE);
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let link = link::start(&options.socket, sender.clone(), &tasks, &stop);
        let calls = calls::start(&options.socket, sender.clone(), &tasks, &stop);
        Ok(Self {
            model,
            theme,
            environment,
            began: Instant::now(),
            messages,
            sender,
            link,
            calls,
            tasks,
            stop,
            input: Input::new(),
            signals: Signals::new()?,
        })
    }

    /// The loop; whether it was ended by a signal.
    async fn run(&mut self, screen: &mut Screen) -> io::Result<bool> {
        self.draw(screen)?;
        let mut drawn = Instant::now();
        let mut data_waits = false;
        loop {
            let frame = drawn + if data_waits { DATA_FRAME } else { AGE_FRAME };
            // Every arm is cancel-safe: a receive, an event stream, a signal, a timer.
            let at_once = tokio::select! {
                biased;
                signal = self.signals.next() => match signal {
                    Signal::Terminate => return Ok(true),
                    Signal::Suspend => {
                        self.suspend(screen)?;
                        true
                    }
                },
                msg = self.input.next() => {
                    let Some(msg) = msg? else { return Ok(true) };
                    if let After::Quit = self.take(msg, screen)? {
                        return Ok(false);
                    }
                    true
                }
                () = tokio::time::sleep_until(frame) => true,
                Some(msg) = self.messages.recv() => {
                    if let After::Quit = self.take(msg, screen)? {
                        return Ok(false);
                    }
                    data_waits = true;
                    false
                }
            };
            if at_once {
                self.tick(screen)?;
                self.draw(screen)?;
                drawn = Instant::now();
                data_waits = false;
            }
        }
    }

    /// Let the model know the time, then the message, and do what it wants.
    fn take(&mut self, msg: Msg, screen: &mut Screen) -> io::Result<After> {
        self.tick(screen)?;
        let effects = update(&mut self.model, msg);
        self.carry_out(effects, screen)
    }

    fn tick(&mut self, screen: &mut Screen) -> io::Result<()> {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let effects = update(&mut self.model, Msg::Clock(now));
        self.carry_out(effects, screen).map(|_| ())
    }

    fn carry_out(&mut self, effects: Vec<Effect>, screen: &mut Screen) -> io::Result<After> {
        for effect in effects {
            match effect {
                Effect::Call { id, call } => self.calls.ask(id, *call),
                Effect::RetryNow => self.link.retry_now(),
                Effect::ReadFile { path } => self.read_file(path),
                Effect::Copy(text) => {
                    let copied = clipboard::sequence(&text, &self.environment)
                        .map(|sequence| (sequence, clipboard::describe(&text)));
                    let result = match copied {
                        Ok((sequence, what)) => screen.send(&sequence).map(|()| Ok(what))?,
                        Err(why) => Err(why),
                    };
                    update(&mut self.model, Msg::Copied(result));
                }
                Effect::Redraw => screen.clear()?,
                Effect::Suspend => self.suspend(screen)?,
                Effect::Quit => return Ok(After::Quit),
            }
        }
        Ok(After::GoOn)
    }

    /// Read a file beside the loop: a slow disk or a network mount must not stop the keys.
    fn read_file(&self, path: String) {
        let sender = self.sender.clone();
        let home = self.environment.home.clone();
        self.tasks.spawn(async move {
            let text = input::read_file(&path, home.as_deref()).await;
            // The loop is gone only when the console ends; then nobody wants the file.
            let _ = sender.send(Msg::FileRead { path, text }).await;
        });
    }

    fn suspend(&mut self, screen: &mut Screen) -> io::Result<()> {
        screen.leave();
        signals::stop_here()?;
        screen.enter_again()?;
        let (width, height) = screen.size()?;
        update(&mut self.model, Msg::Resize { width, height });
        Ok(())
    }

    fn draw(&self, screen: &mut Screen) -> io::Result<()> {
        screen.draw(|frame| view::draw(&self.model, &self.theme, frame))
    }

    /// End the tasks; mutations on their way are waited for.
    async fn drain(&mut self) {
        self.stop.cancel();
        self.tasks.close();
        // Too slow is not an error here: the process ends with whatever is left.
        let _ = tokio::time::timeout(DRAIN, self.tasks.wait()).await;
    }
}
