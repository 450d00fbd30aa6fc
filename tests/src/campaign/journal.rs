//! The oracle's own file: what was issued and what was acknowledged, one line each, appended before the next
//! step is taken. The judge reads nothing else, so a campaign that dies can still be judged.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use uuid::Uuid;

use super::issued::Event;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The seed of everything that follows.
    Seed(u64),
    /// Units below this number may be met from now on.
    IssuedBelow(u64),
    /// A unit was told its recorded arm.
    Assigned(Told),
    /// An event was acknowledged, under this id of the ledger.
    Tracked {
        /// Which.
        event: Event,
        /// The ledger's id of it, as the answer said.
        id: Uuid,
        /// Where it was kept: `db` or `spool`.
        durability: String,
    },
    /// An operator's change was acknowledged; its reason is unique.
    Changed(String),
}

/// What an assign answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who.
    pub unit: u64,
    /// The arm's name.
    pub arm: String,
    /// The number of the policy version that drew it.
    pub version: i64,
    /// The answer's reason: `assigned`, `sticky`, `stale`, ...
    pub reason: String,
    /// Whether the answer said that this call recorded it.
    pub new: bool,
}

/// The file, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens `path`, at its end.
    pub fn append_to(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file.with_context(|| format!("opening {}", path.display()))?),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `lines` with one write: a kill of this process cuts off the last line at most.
    pub fn write(&self, lines: &[Line]) {
        let text: String = lines.iter().map(Line::text).collect();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes())
            .expect("an oracle that cannot write its journal cannot judge");
    }
}

impl Line {
    fn text(&self) -> String {
        match self {
            Self::Seed(seed) => format!("seed {seed}\n"),
            Self::IssuedBelow(unit) => format!("issued {unit}\n"),
            Self::Assigned(told) => format!(
                "assigned {} {} {} {} {}\n",
                told.unit, told.arm, told.version, told.reason, told.new
            ),
            Self::Tracked {
                event,
                id,
                durability,
            } => format!("tracked {} {} {id} {durability}\n", event.unit, event.nth),
            Self::Changed(reason) => format!("changed {reason}\n"),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        Ok(match words[..] {
            ["seed", seed] => Self::Seed(seed.parse()?),
            ["issued", below] => Self::IssuedBelow(below.parse()?),
            ["assigned", unit, arm, version, reason, new] => Self::Assigned(Told {
                unit: unit.parse()?,
                arm: arm.to_owned(),
                version: version.parse()?,
                reason: reason.to_owned(),
                new: new.parse()?,
            }),
            ["tracked", unit, nth, id, durability] => Self::Tracked {
                event: Event {
                    unit: unit.parse()?,
                    nth: nth.parse()?,
                },
                id: id.parse()?,
                durability: durability.to_owned(),
            },
            ["changed", ref reason @ ..] => Self::Changed(reason.join(" ")),
            _ => bail!("not a line of a journal: {text}"),
        })
    }
}

/// Every whole line of the journal at `path`.
pub fn read(path: &Path) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Line>>> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut reader = BufReader::new(file);
    Ok(std::iter::from_fn(move || {
        let mut text = String::new();
        match reader.read_line(&mut text) {
            Err(error) => Some(Err(error.into())),
            // A line without its end was being written when the oracle died.
            Ok(_) => text.strip_suffix('\n').map(Line::parse),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_a_torn_line_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal");
        let lines = [
            Line::Seed(7),
            Line::IssuedBelow(12),
            Line::Assigned(Told {
                unit: 3,
                arm: "new".into(),
                version: 17,
                reason: "sticky".into(),
                new: false,
            }),
            Line::Tracked {
                event: Event { unit: 3, nth: 2 },
                id: Uuid::nil(),
                durability: "spool".into(),
            },
            Line::Changed("drill 4 of seed 7".into()),
        ];
        Journal::append_to(&path).unwrap().write(&lines[..2]);
        Journal::append_to(&path).unwrap().write(&lines[2..]);
        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(b"tracked 4 1").unwrap();
        let back: Vec<Line> = read(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(back, lines);
    }
}
