//! The bytes of a log: a file, gunzipped where its name says so, with a progress bar for people who wait.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cmd::Failure;

/// 8 MiB: what is smaller is read before anyone looks.
const LONG: u64 = 8 << 20;

/// 64 KiB a read: the system call costs nothing then.
const BUFFER: usize = 1 << 16;

/// An open log.
pub(super) struct Source {
    path: PathBuf,
    bytes: Box<dyn Read>,
    bar: ProgressBar,
}

impl Source {
    /// Open it; the bar says what is being done.
    pub(super) fn open(path: &Path, doing: &'static str) -> Result<Self, Failure> {
        let unreadable = |source| Failure::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            // It is read twice: arms and floors first, then the rows.
            let path = path.display();
            return Err(Failure::Usage(format!(
                "{path} is not a file: a log is read twice"
            )));
        }
        let bar = bar(metadata.len(), doing);
        let read = BufReader::with_capacity(BUFFER, bar.wrap_read(file));
        let zipped = path.extension().is_some_and(|end| end == "gz");
        Ok(Self {
            path: path.to_owned(),
            bytes: if zipped {
                Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(read)))
            } else {
                Box::new(read)
            },
            bar,
        })
    }

    /// Which file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// On standard error, and only where that is a terminal.
fn bar(bytes: u64, doing: &'static str) -> ProgressBar {
    if bytes < LONG {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes} of {total_bytes}, {eta} left")
        .expect("the template is a constant");
    ProgressBar::new(bytes)
        .with_style(style)
        .with_message(doing)
}
