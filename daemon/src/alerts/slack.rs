//! Slack: an incoming webhook, one message a notice.

use serde_json::{Value, json};

use super::message::Word;

/// 3,000 characters a block, which is Slack's limit, less the marks that make it bold.
const MAX_BLOCK: usize = 2_900;

/// The message. `text` is what notifications show, the blocks are what the channel shows.
pub(super) fn body(word: &Word, environment: &str) -> Value {
    let headline = escaped(&format!("[{environment}] {}", word.headline()));
    let lines = escaped(&word.lines().join("\n"));
    json!({
        "text": headline,
        "blocks": [
            section(&format!("*{}*", cut(&headline))),
            section(cut(&lines)),
        ],
    })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// What Slack would take for a mention, a link or an entity is text.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_BLOCK) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}
