//! Aligned columns.

use super::text::{Role, Span, Text, plain};

/// Blanks between two columns.
const GAP: usize = 2;

/// Where a column's words stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Names and words.
    Left,
    /// Figures.
    Right,
}

/// A heading line, unless every heading is empty, and rows of cells.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Span>>,
    indent: usize,
}

impl Table {
    /// A table with these headings and no row.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self {
            columns: columns.to_vec(),
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

    /// Add a row; it has as many cells as there are columns.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Span>) {
        let cells: Vec<Span> = cells.into_iter().collect();
        debug_assert_eq!(cells.len(), self.columns.len(), "one cell a column");
        self.rows.push(cells);
    }

    /// The heading and the rows as text.
    pub fn text(&self) -> Text {
        let widths = self.widths();
        let mut text = Text::new();
        if self.columns.iter().any(|(head, _)| !head.is_empty()) {
            let heads = self.columns.iter();
            let heads = heads.map(|(head, _)| Span::new(Role::Dim, head));
            text.row(self.aligned(heads.collect(), &widths));
        }
        for row in &self.rows {
            text.row(self.aligned(row.clone(), &widths));
        }
        text
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

    fn aligned(&self, cells: Vec<Span>, widths: &[usize]) -> Vec<Span> {
        let mut line = vec![plain(" ".repeat(self.indent))];
        for ((cell, (_, align)), width) in cells.into_iter().zip(&self.columns).zip(widths) {
            let pad = plain(" ".repeat(width - cell.width()));
            match align {
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
}
