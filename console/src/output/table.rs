//! Aligned columns.

use super::text::{Role, Span, Text, broken, plain};

/// Blanks between two columns.
const GAP: usize = 2;

/// The least room for words that a last column is broken into; below, the terminal breaks them.
const LEAST_ROOM: usize = 16;

/// Where a column's words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names and words.
    Left,
    /// Figures.
    Right,
}

/// A heading line, unless every heading is empty, and rows of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    spare: Vec<&'static str>,
    rows: Vec<Vec<Span>>,
    indent: usize,
}

impl Table {
    /// A table with these headings and no row.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
            spare: Vec::new(),
            rows: Vec::new(),
            indent: 0,
        }
    }

    /// The same table, `indent` blanks further right.
    #[must_use]
    pub fn indented(mut self, indent: usize) -> Self {
        self.indent = indent;
        self
    }

    /// The same table, whose columns with these headings go, in this order, where a terminal is too narrow for all.
    #[must_use]
    pub fn sparing(mut self, columns: &[&'static str]) -> Self {
        self.spare = columns.to_vec();
        self
    }

    /// Add a row; it has as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Span>) {
        let cells: Vec<Span> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "one cell a column");
        self.rows.push(cells);
    }

    /// The heading and the rows as text.
    pub fn text(&self) -> Text {
        let mut text = Text::new();
        text.table(self.clone());
        text
    }

    /// The heading and the rows, on a terminal of so many columns.
    pub(super) fn lines(&self, width: Option<usize>) -> Vec<Vec<Span>> {
        let widths = self.widths();
        let shown = self.shown(&widths, width);
        let mut lines = Vec::new();
        if self.columns.iter().any(|(head, _)| !head.is_empty()) {
            let heads = self.columns.iter();
            let heads: Vec<_> = heads.map(|(head, _)| Span::new(Role::Dim, head)).collect();
            lines.push(self.aligned(&heads, &shown, &widths));
        }
        for row in &self.rows {
            lines.extend(self.fitted(row, &shown, &widths, width));
        }
        lines
    }

    /// The columns that have room, from the left.
    fn shown(&self, widths: &[usize], width: Option<usize>) -> Vec<usize> {
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        for spare in &self.spare {
            if width.is_none_or(|width| self.wide(&shown, widths) <= width) {
                break;
            }
            shown.retain(|column| self.columns[*column].0 != *spare);
        }
        shown
    }

    fn wide(&self, shown: &[usize], widths: &[usize]) -> usize {
        let columns: usize = shown.iter().map(|column| widths[*column]).sum();
        self.indent + columns + GAP * shown.len().saturating_sub(1)
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |column: usize, head: &str| {
            let cells = self.rows.iter().map(|row| row[column].width());
            cells.chain([head.len()]).max().unwrap_or(0)
        };
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(column, (head, _))| widest(column, head))
            .collect()
    }

    /// A row; words in its last column go on below themselves.
    fn fitted(
        &self,
        row: &[Span],
        shown: &[usize],
        widths: &[usize],
        width: Option<usize>,
    ) -> Vec<Vec<Span>> {
        let whole = || vec![self.aligned(row, shown, widths)];
        let (Some(width), Some((&last, before))) = (width, shown.split_last()) else {
            return whole();
        };
        let start = self.wide(before, widths) + if before.is_empty() { 0 } else { GAP };
        let room = width.saturating_sub(start);
        let words = self.columns[last].1 == Align::Left && room >= LEAST_ROOM;
        if !words || row[last].width() <= room {
            return whole();
        }
        let mut line = self.aligned(row, before, widths);
        let mut lines = Vec::new();
        for part in broken(std::slice::from_ref(&row[last]), room, 0) {
            line.extend(part);
            lines.push(line);
            line = vec![plain(" ".repeat(start))];
        }
        lines
    }

    fn aligned(&self, cells: &[Span], shown: &[usize], widths: &[usize]) -> Vec<Span> {
        let mut line = vec![plain(" ".repeat(self.indent))];
        for &column in shown {
            let cell = cells[column].clone();
            let pad = plain(" ".repeat(widths[column] - cell.width()));
            match self.columns[column].1 {
                Align::Left => line.extend([cell, pad]),
                Align::Right => line.extend([pad, cell]),
            }
            line.push(plain(" ".repeat(GAP)));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_left_and_figures_right() {
        let mut table = Table::new(&[("NAME", Align::Left), ("SHARE", Align::Right)]).indented(1);
        table.row([plain("green"), plain("89.0%")]);
        table.row([plain("a"), Span::new(Role::Bad, "5%")]);
        assert_eq!(
            table.text().render(false),
            " NAME   SHARE\n green  89.0%\n a         5%\n"
        );
    }

    #[test]
    fn a_narrow_terminal_costs_spare_columns_first_and_breaks_the_last_ones_words() {
        let columns = [
            ("NAME", Align::Left),
            ("SHARE", Align::Right),
            ("VERSION", Align::Right),
            ("EVENT", Align::Left),
        ];
        let mut table = Table::new(&columns).sparing(&["VERSION", "SHARE"]);
        table.row([
            plain("green"),
            plain("89.0%"),
            plain("18"),
            plain("learned from 27"),
        ]);
        let shown = |width| table.text().render_within(Some(width), false);
        assert_eq!(
            shown(38),
            "NAME   SHARE  VERSION  EVENT\ngreen  89.0%       18  learned from 27\n"
        );
        assert_eq!(
            shown(37),
            "NAME   SHARE  EVENT\ngreen  89.0%  learned from 27\n"
        );
        assert_eq!(shown(28), "NAME   EVENT\ngreen  learned from 27\n");
        let mut long = Table::new(&columns[2..]);
        long.row([plain("18"), plain("learned from 27 more rewards")]);
        assert_eq!(
            long.text().render_within(Some(25), false),
            "VERSION  EVENT\n     18  learned from 27\n         more rewards\n"
        );
    }
}
