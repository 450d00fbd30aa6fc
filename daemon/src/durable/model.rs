//! A disk for tests: it can lose power, break at the n-th call and be full.
//!
//! After a crash only what was synced is sure to be there. Of the rest, a seed decides how much happens to
//! have reached the disk: a part of what was appended, the names of some files and not of others.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{Directory, Growing};

/// A directory in memory; clones are the same directory.
#[derive(Debug, Clone, Default)]
pub struct Model(Arc<Mutex<State>>);

/// What goes wrong next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call with this number, from 0, counted from now, fails half-way.
    Nth(usize),
    /// Every sync of a file fails.
    EverySync,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<Content>,
    /// Names as programs see them.
    names: BTreeMap<String, usize>,
    /// Names as they are on the disk.
    durable_names: BTreeMap<String, usize>,
    capacity: Option<usize>,
    fault: Option<Fault>,
    calls: usize,
    /// Handles from before a crash write nowhere.
    lives: usize,
}

#[derive(Debug, Default, Clone)]
struct Content {
    /// As programs see it.
    seen: Vec<u8>,
    /// As it is on the disk.
    durable: Vec<u8>,
    /// Where a failed sync made the kernel forget what it had to write.
    forgotten: Vec<std::ops::Range<usize>>,
}

/// A file of a [`Model`].
#[derive(Debug)]
pub struct ModelFile {
    disk: Model,
    at: usize,
    life: usize,
}

impl Model {
    /// Lets something go wrong.
    pub fn fail(&self, fault: Fault) {
        let mut state = self.state();
        state.calls = 0;
        state.fault = Some(fault);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.state().fault = None;
    }

    /// Bytes that fit, all files together; `None`: any number.
    pub fn capacity(&self, bytes: Option<usize>) {
        self.state().capacity = bytes;
    }

    /// The power goes and comes back. `seed` decides what of the unsynced happens to be there.
    pub fn crash(&self, seed: u64) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut state = self.state();
        for file in &mut state.files {
            file.lose_power(&mut random);
        }
        let mut names = BTreeMap::new();
        let all: BTreeSet<&String> = state
            .names
            .keys()
            .chain(state.durable_names.keys())
            .collect();
        for name in all {
            let lucky = random.random_bool(0.5);
            let from = if lucky {
                &state.names
            } else {
                &state.durable_names
            };
            if let Some(at) = from.get(name) {
                names.insert(name.clone(), *at);
            }
        }
        state.durable_names.clone_from(&names);
        state.names = names;
        state.fault = None;
        state.lives += 1;
    }

    /// Changes a file behind everybody's back; what is changed is on the disk.
    pub fn damage(&self, name: &str, how: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Some(&at) = state.names.get(name) else {
            return;
        };
        let file = &mut state.files[at];
        how(&mut file.seen);
        file.durable.clone_from(&file.seen);
    }

    /// A file with this content, on the disk.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let at = state.files.len();
        state.files.push(Content {
            seen: bytes.to_vec(),
            durable: bytes.to_vec(),
            forgotten: Vec::new(),
        });
        state.names.insert(name.to_owned(), at);
        state.durable_names.insert(name.to_owned(), at);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Counts a call; an error if it is to fail.
    fn call(&mut self, is_sync: bool) -> Result<()> {
        let nth = self.calls;
        self.calls += 1;
        let fails = match self.fault {
            None => false,
            Some(Fault::Nth(wanted)) => nth == wanted,
            Some(Fault::EverySync) => is_sync,
        };
        if fails {
            return Err(Error::other("as the test wants it"));
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Result<usize> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| Error::from(ErrorKind::NotFound))
    }

    fn room(&self) -> usize {
        let used: usize = self
            .names
            .values()
            .map(|&at| self.files[at].seen.len())
            .sum();
        self.capacity.unwrap_or(usize::MAX).saturating_sub(used)
    }
}

impl Content {
    fn sync(&mut self) {
        self.durable.clone_from(&self.seen);
        for hole in &self.forgotten {
            let end = hole.end.min(self.durable.len());
            self.durable[hole.start.min(end)..end].fill(0);
        }
    }

    /// What could not be written is clean in the kernel's eyes, and will never be written.
    fn fail_to_sync(&mut self) {
        self.forgotten.push(self.durable.len()..self.seen.len());
    }

    fn lose_power(&mut self, random: &mut StdRng) {
        let kept = self.durable.len();
        let unsynced = self.seen.len().saturating_sub(kept);
        let lucky = random.random_range(0..=unsynced);
        let mut after = self.durable.clone();
        after.extend_from_slice(&self.seen[self.seen.len() - unsynced..][..lucky]);
        if random.random_bool(0.3) {
            // The length reached the disk, the blocks did not.
            let end = after.len();
            after[kept..end].fill(0);
        }
        self.seen.clone_from(&after);
        self.durable = after;
        self.forgotten.clear();
    }
}

impl Directory for Model {
    type File = ModelFile;

    fn list(&self) -> Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let state = self.state();
        let at = state.find(name)?;
        Ok(state.files[at].seen.clone())
    }

    fn create(&self, name: &str) -> Result<ModelFile> {
        let mut state = self.state();
        state.call(false)?;
        if state.names.contains_key(name) {
            return Err(Error::from(ErrorKind::AlreadyExists));
        }
        let at = state.files.len();
        state.files.push(Content::default());
        state.names.insert(name.to_owned(), at);
        Ok(ModelFile {
            disk: self.clone(),
            at,
            life: state.lives,
        })
    }

    fn cut(&self, name: &str, length: u64) -> Result<()> {
        let mut state = self.state();
        let at = state.find(name)?;
        state.call(true)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let file = &mut state.files[at];
        file.seen.truncate(length);
        file.sync();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut state = self.state();
        let at = state.find(from)?;
        state.call(false)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), at);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.find(name)?;
        state.call(false)?;
        state.names.remove(name);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        let mut state = self.state();
        state.call(false)?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

impl Growing for ModelFile {
    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let mut state = self.disk.state();
        if self.life != state.lives {
            return Err(Error::other("this file was open before the crash"));
        }
        let fits = state.room().min(bytes.len());
        let called = state.call(false);
        let written = if called.is_ok() { fits } else { fits / 2 };
        state.files[self.at]
            .seen
            .extend_from_slice(&bytes[..written]);
        called?;
        if fits < bytes.len() {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let mut state = self.disk.state();
        if self.life != state.lives {
            return Err(Error::other("this file was open before the crash"));
        }
        let called = state.call(true);
        let file = &mut state.files[self.at];
        match called {
            Ok(()) => file.sync(),
            Err(_) => file.fail_to_sync(),
        }
        called
    }
}
