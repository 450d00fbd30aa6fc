//! Files that survive the power: what was synced is there after a crash, and nothing else is relied on.
//!
//! Two things make a file durable: its content is synced, and so is the directory that names it. Everything
//! the daemon promises on its own disk goes through the two traits below, so that a test can put a disk
//! under it that breaks, fills up or loses power.

mod disk;
#[cfg(any(test, feature = "testing"))]
pub mod model;
pub mod sealed;

use std::io;

pub use disk::Disk;

/// A directory of files without subdirectories.
pub trait Directory: Send + Sync + 'static {
    /// A file that is being written.
    type File: Growing;

    /// The names of the files, in any order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// A whole file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// A new, empty file; an error if there is one of this name. It is durable once both have been synced.
    fn create(&self, name: &str) -> io::Result<Self::File>;

    /// Cuts a file to its first `length` bytes and syncs it.
    fn cut(&self, name: &str, length: u64) -> io::Result<()>;

    /// Gives a file another name, whose former file is gone then.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes durable which files there are.
    fn sync(&self) -> io::Result<()>;
}

/// A file that only grows.
pub trait Growing: Send + 'static {
    /// Appends all of `bytes`; after an error any part of them may be there.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Makes the content durable. After an error it never is: the kernel may have forgotten what it could not
    /// write, so that the next sync says yes to a file with a hole.
    fn sync(&mut self) -> io::Result<()>;
}

/// What a file is called until it is whole.
const UNFINISHED: &str = ".new";

/// Makes `bytes` the content of the file `name`, in one step: after a crash it is the old or the new one.
pub fn replace(directory: &impl Directory, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = format!("{name}{UNFINISHED}");
    // Left behind by a crash half-way, mostly not there.
    match directory.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = directory.create(&unfinished)?;
    file.append(bytes)?;
    file.sync()?;
    directory.rename(&unfinished, name)?;
    directory.sync()
}

#[cfg(test)]
mod tests {
    use super::model::{Fault, Model};
    use super::*;

    #[test]
    fn a_replaced_file_is_the_old_or_the_new_one_wherever_it_fails() {
        for nth in 0..12 {
            for seed in 0..20 {
                let disk = Model::default();
                replace(&disk, "state", b"old").unwrap();
                disk.fail(Fault::Nth(nth));
                let done = replace(&disk, "state", b"new").is_ok();
                disk.crash(seed);
                let found = disk.read("state").unwrap();
                assert!(found == b"new" || (found == b"old" && !done), "{found:?}");
            }
        }
    }

    #[test]
    fn what_a_crash_left_half_way_is_not_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(root.path()).unwrap();
        std::fs::write(root.path().join("state.new"), "half").unwrap();
        replace(&disk, "state", b"whole").unwrap();
        assert_eq!(disk.read("state").unwrap(), b"whole");
        assert_eq!(disk.list().unwrap(), ["state"]);
    }
}
