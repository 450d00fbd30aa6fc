//! Names by number, in the order in which they came.

use std::collections::HashMap;

/// Text names and their numbers from 0.
#[derive(Debug, Clone, Default)]
pub(in crate::cmd) struct Names {
    numbers: HashMap<String, usize>,
    names: Vec<String>,
}

impl Names {
    /// The name's number; a new one for a new name.
    pub(super) fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len();
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    /// The name's number, if it has one.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.numbers.get(name).copied()
    }

    /// All names, by number.
    pub(in crate::cmd) fn all(&self) -> &[String] {
        &self.names
    }
}
