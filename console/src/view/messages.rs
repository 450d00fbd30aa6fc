//! What was done and said in this session, newest first.

use ratatui::text::Line;

use super::footer;
use super::paper::{line, plain};
use super::text;
use crate::model::Model;
use crate::theme::{Role, Theme};

/// One message a paragraph, whole.
pub(super) fn lines(model: &Model, theme: &Theme) -> Vec<Line<'static>> {
    if model.outcomes.is_empty() {
        return vec![
            Line::default(),
            plain(theme, Role::Text, "   Nothing was done or said yet."),
        ];
    }
    let room = usize::from(model.size.0).saturating_sub(24);
    let mut lines = Vec::new();
    for outcome in model.outcomes.iter().rev() {
        let at = outcome.at.map_or_else(String::new, text::clock);
        let (role, sign) = footer::sign(outcome.kind);
        for (n, part) in text::wrap(&outcome.text, room).into_iter().enumerate() {
            let (at, sign) = if n == 0 {
                (at.as_str(), sign)
            } else {
                ("", "")
            };
            lines.push(line(
                theme,
                &[
                    (Role::Dim, format!("   {at:<10} ")),
                    (role, format!("{sign:<8}")),
                    (Role::Text, part),
                ],
            ));
        }
    }
    lines
}
