//! The three emptinesses: not loaded, nothing there, all hidden. And a fourth: never connected.

use ratatui::layout::Rect;

use super::paper::Paper;
use super::text;
use crate::model::Model;
use crate::model::link::LinkState;
use crate::theme::Role;

/// Say why the list is empty, and the way out.
pub(super) fn draw(model: &Model, paper: &mut Paper, body: Rect) {
    let room = usize::from(body.width).saturating_sub(6);
    let lines = lines(model)
        .into_iter()
        .flat_map(|(role, text)| wrapped(role, &text, room));
    for (y, (role, text)) in (body.y + 1..body.bottom()).zip(lines) {
        paper.put(body.x + 3, y, &[(role, text)]);
    }
}

fn wrapped(role: Role, text: &str, room: usize) -> Vec<(Role, String)> {
    if text::width(text) <= room {
        return vec![(role, text.to_owned())];
    }
    let lines = text::wrap(text, room);
    lines.into_iter().map(|line| (role, line)).collect()
}

fn lines(model: &Model) -> Vec<(Role, String)> {
    if !model.link.loaded {
        return loading(model);
    }
    let hidden = model.shown().rows.len();
    if hidden > 0 {
        let filter = &model.list.filter;
        return vec![(
            Role::Text,
            format!(
                "No experiment matches  /{filter}  ({hidden} hidden).   esc clears the filter."
            ),
        )];
    }
    [
        "No experiments yet.",
        "",
        "  n   write one in a form      its plan is shown before it is created",
        "  P   plan from a file         pitboss plan -f experiments.example.toml",
        "  ?   help                     the example file explains every key",
    ]
    .into_iter()
    .map(|line| (Role::Text, line.to_owned()))
    .collect()
}

fn loading(model: &Model) -> Vec<(Role, String)> {
    match &model.link.state {
        LinkState::Waiting { failure, .. } => {
            let mut lines = vec![
                (Role::Warn, "Not connected.".to_owned()),
                (Role::Text, failure.sentence.clone()),
                (Role::Text, String::new()),
            ];
            let advice = failure.advice.iter();
            lines.extend(advice.map(|line| (Role::Text, line.clone())));
            lines.push((Role::Text, String::new()));
            lines.push((
                Role::Dim,
                "It keeps trying. ctrl-r tries now, q quits.".to_owned(),
            ));
            lines
        }
        LinkState::Loading | LinkState::Live => {
            let so_far = model.link.incoming.len();
            vec![(Role::Text, format!("Loading experiments: {so_far} so far."))]
        }
        LinkState::Starting | LinkState::Connecting { .. } => {
            vec![(Role::Text, format!("Connecting to {}.", model.socket))]
        }
    }
}
