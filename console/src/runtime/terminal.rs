//! The terminal: taken, drawn on, and given back as it was found, on quit, on an error, on a panic.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::style::force_color_output;
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::{Frame, Terminal};

/// Whether the terminal is ours now: leaving twice would print into the operator's shell.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The panic hook is put in once per process.
static HOOK: Once = Once::new();

/// The screen.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<WholeFrames>>,
    /// A frame is being put together.
    held: Arc<AtomicBool>,
}

/// Ignores flushes while a frame is put together: one write a frame, never half of one.
struct WholeFrames {
    out: Stdout,
    frame: Vec<u8>,
    held: Arc<AtomicBool>,
}

impl Write for WholeFrames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.held.load(Ordering::SeqCst) {
            return Ok(());
        }
        let sent = self.out.write_all(&self.frame);
        self.frame.clear();
        sent?;
        self.out.flush()
    }
}

impl Screen {
    /// Take the terminal.
    pub(super) fn enter() -> io::Result<Self> {
        // crossterm writes ESC[;m for every colour under NO_COLOR, which also takes reverse and bold away;
        // the theme without colours asks for none, so nothing is to be filtered.
        force_color_output(true);
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        take()?;
        let held = Arc::new(AtomicBool::new(false));
        let frames = WholeFrames {
            out: io::stdout(),
            frame: Vec::new(),
            held: held.clone(),
        };
        let terminal = Terminal::new(CrosstermBackend::new(frames)).inspect_err(|_| give_back())?;
        Ok(Self { terminal, held })
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draw a frame; terminals that know synchronised updates show it at once.
    pub(super) fn draw(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        self.held.store(true, Ordering::SeqCst);
        let drawn = self.put_together(view);
        self.held.store(false, Ordering::SeqCst);
        drawn?;
        Write::flush(self.terminal.backend_mut())
    }

    fn put_together(&mut self, view: impl FnOnce(&mut Frame)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(view)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// The next frame draws every cell.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.terminal.clear()
    }

    /// Send a sequence as it is.
    pub(super) fn send(&mut self, sequence: &str) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        backend.write_all(sequence.as_bytes())?;
        Write::flush(backend)
    }

    /// Give the terminal back for a while.
    #[expect(
        clippy::unused_self,
        reason = "only who has the screen may give it back"
    )]
    pub(super) fn leave(&mut self) {
        give_back();
    }

    /// Take it again.
    pub(super) fn enter_again(&mut self) -> io::Result<()> {
        take()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        Hide
    )
    .inspect_err(|_| give_back())
}

/// Whatever fails here, the rest is still tried: nothing is left to report it on.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableBracketedPaste,
        Show,
        LeaveAlternateScreen
    );
    let _ = disable_raw_mode();
}
