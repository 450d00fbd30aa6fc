//! A segment: its name, and what is known of what is in it.

/// A segment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::spool) struct Segment {
    pub(in crate::spool) name: String,
    /// Records that were acknowledged, or that an earlier run left whole.
    pub(in crate::spool) records: u64,
    /// Bytes up to the end of the last of them.
    pub(in crate::spool) bytes: u64,
    /// When the oldest was kept, microseconds of Unix time.
    pub(in crate::spool) oldest: Option<i64>,
}

impl Segment {
    pub(in crate::spool) fn new(name: String) -> Self {
        Self {
            name,
            records: 0,
            bytes: 0,
            oldest: None,
        }
    }

    /// Counts a record that was kept at `at`.
    pub(in crate::spool) fn add(&mut self, at: i64) {
        self.records += 1;
        self.oldest = Some(self.oldest.map_or(at, |oldest| oldest.min(at)));
    }
}

/// The name of the segment with this number; names sort as their numbers do.
pub(super) fn name(number: u64) -> String {
    format!("{number:016x}.spool")
}

/// The number in a segment's name; `None` if it is not one, or one that counting does not reach: the numbers
/// after it would run out.
pub(in crate::spool) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool")?;
    let number = u64::from_str_radix(digits, 16).ok();
    number.filter(|number| *number < u64::MAX / 2)
}

/// What a segment is called that cannot be read.
pub(super) fn unreadable(name: &str) -> String {
    format!("{name}.unreadable")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        for number in [0, 1, 255, 1 << 62] {
            assert_eq!(number_of(&name(number)), Some(number));
        }
        assert!(name(9) < name(10) && name(255) < name(4096));
        for other in [
            "",
            "x",
            ".spool",
            "12.spool.unreadable",
            "spool",
            "g.spool",
            "ffffffffffffffff.spool",
        ] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
