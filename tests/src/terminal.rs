//! A real pseudo-terminal with a screen that can be read, for the console's stories.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use anyhow::Context;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::wait;

/// A program in a terminal.
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    keyboard: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Runs `command` in a terminal of `columns` by `rows`.
    pub fn run(mut command: CommandBuilder, columns: u16, rows: u16) -> anyhow::Result<Self> {
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size)?;
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(rows, columns, 0)));
        let mut output = pair.master.try_clone_reader()?;
        let drawn = Arc::clone(&screen);
        // Ends by itself: the read fails once the child and the terminal are gone.
        std::thread::spawn(move || {
            let mut bytes = [0_u8; 8192];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                drawn
                    .lock()
                    .expect("nothing panics with it")
                    .process(&bytes[..count]);
            }
        });
        Ok(Self {
            screen,
            keyboard: pair.master.take_writer()?,
            child,
            master: pair.master,
        })
    }

    /// What is on the screen now.
    pub fn text(&self) -> String {
        self.look(vt100::Screen::contents)
    }

    /// Looks at the screen.
    pub fn look<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.screen.lock().expect("nothing panics with it").screen())
    }

    /// Waits until the screen shows `text`.
    pub async fn shows(&self, text: &str) {
        let looked =
            wait::until_or(|| std::future::ready(self.text().contains(text).then_some(()))).await;
        assert!(
            looked.is_some(),
            "waited for {text:?}, but the screen shows:\n{}",
            self.text()
        );
    }

    /// Waits until the screen no longer shows `text`.
    pub async fn hides(&self, text: &str) {
        let looked =
            wait::until_or(|| std::future::ready((!self.text().contains(text)).then_some(())))
                .await;
        assert!(
            looked.is_some(),
            "waited for {text:?} to go, but the screen shows:\n{}",
            self.text()
        );
    }

    /// Types. A key after escape is another key than escape and then that key: wait for what escape does first.
    pub fn types(&mut self, keys: &str) -> anyhow::Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        self.keyboard.flush().context("typing")
    }

    /// Changes the size, as a dragged window does.
    pub fn resizes(&self, columns: u16, rows: u16) -> anyhow::Result<()> {
        self.screen
            .lock()
            .expect("nothing panics with it")
            .screen_mut()
            .set_size(rows, columns);
        self.master.resize(PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        })
    }

    /// Waits until the program has ended, and gives its exit code.
    pub async fn ended(&mut self) -> u32 {
        let child = &mut self.child;
        wait::until("the program to end", || {
            std::future::ready(
                child
                    .try_wait()
                    .ok()
                    .flatten()
                    .map(|status| status.exit_code()),
            )
        })
        .await
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
