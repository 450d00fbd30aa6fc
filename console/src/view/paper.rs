//! What screens are drawn on: a buffer, a theme, and the few strokes that all screens share.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use crate::theme::{Role, Theme};

/// A buffer with a theme.
pub(super) struct Paper<'a> {
    buffer: &'a mut Buffer,
    /// How roles look.
    pub(super) theme: &'a Theme,
    /// The whole screen.
    pub(super) area: Rect,
}

impl<'a> Paper<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, theme: &'a Theme, area: Rect) -> Self {
        Self {
            buffer,
            theme,
            area,
        }
    }

    /// Write pieces one after the other; what does not fit on the screen is left out.
    pub(super) fn put(&mut self, x: u16, y: u16, pieces: &[(Role, String)]) -> u16 {
        let line = line(self.theme, pieces);
        self.line(x, y, &line)
    }

    /// Write a line; the column after it.
    pub(super) fn line(&mut self, x: u16, y: u16, line: &Line) -> u16 {
        if y >= self.area.bottom() || x >= self.area.right() {
            return x;
        }
        let room = self.area.right() - x;
        self.buffer.set_line(x, y, line, room).0
    }

    /// Write lines into an area from the `scroll`th on; what is left below is named in its last row.
    pub(super) fn lines(&mut self, area: Rect, lines: &[Line<'static>], scroll: usize) {
        let rows = usize::from(area.height);
        let below = lines.len().saturating_sub(scroll + rows);
        for (y, line) in (area.y..area.bottom()).zip(lines.iter().skip(scroll)) {
            self.line(area.x, y, line);
        }
        if below > 0 && rows > 1 {
            let y = area.bottom() - 1;
            self.clear(Rect {
                y,
                height: 1,
                ..area
            });
            let more = format!("   {} more lines: j, ctrl-d", below + 1);
            self.put(area.x, y, &[(Role::Dim, more)]);
        }
    }

    /// A rule over the whole width, of another shape where mistakes hurt.
    pub(super) fn rule(&mut self, y: u16, production: bool) {
        let glyphs = self.theme.glyphs;
        let glyph = if production {
            glyphs.production_rule
        } else {
            glyphs.rule
        };
        let width = usize::from(self.area.width.saturating_sub(2));
        let role = if production { Role::Breach } else { Role::Dim };
        self.put(self.area.x + 1, y, &[(role, repeat(glyph, width))]);
    }

    /// Empty an area.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.area);
        for position in area.positions() {
            if let Some(cell) = self.buffer.cell_mut(position) {
                cell.reset();
            }
        }
    }

    /// Take the colour out of an area: it is no longer true, only last known.
    pub(super) fn dim(&mut self, area: Rect) {
        let dim = self.theme.style(Role::Dim);
        let plain = Style::new().remove_modifier(Modifier::BOLD).patch(dim);
        self.buffer.set_style(area.intersection(self.area), plain);
    }
}

/// A line of pieces.
pub(super) fn line(theme: &Theme, pieces: &[(Role, String)]) -> Line<'static> {
    let spans = pieces
        .iter()
        .map(|(role, text)| Span::styled(text.clone(), theme.style(*role)));
    Line::from(spans.collect::<Vec<_>>())
}

/// A line of one piece.
pub(super) fn plain(theme: &Theme, role: Role, text: impl Into<String>) -> Line<'static> {
    line(theme, &[(role, text.into())])
}

/// The heading of a part of a screen: a rule with words in it.
pub(super) fn heading(theme: &Theme, title: &str, width: u16) -> Line<'static> {
    let rule = theme.glyphs.rule;
    let room = usize::from(width).saturating_sub(2);
    let title = super::text::clip(title, room.saturating_sub(8), theme.glyphs.ellipsis);
    let after = room.saturating_sub(super::text::width(&title) + 5);
    line(
        theme,
        &[
            (Role::Dim, format!(" {} ", repeat(rule, 3))),
            (Role::Heading, title),
            (Role::Dim, format!(" {}", repeat(rule, after))),
        ],
    )
}

/// A character, many times.
pub(super) fn repeat(glyph: char, times: usize) -> String {
    std::iter::repeat_n(glyph, times).collect()
}
