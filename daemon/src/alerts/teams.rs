//! Teams: a workflow that posts what it gets to a channel, which wants an Adaptive Card.

use serde_json::{Value, json};

use super::lifecycle::{Notice, Severity};
use super::message::Word;

/// The message. Its texts are runs and not text blocks, which would read Markdown out of them.
pub(super) fn body(word: &Word, environment: &str) -> Value {
    let headline = format!("[{environment}] {}", word.headline());
    let mut rows = vec![json!({
        "type": "RichTextBlock",
        "inlines": [{
            "type": "TextRun", "text": headline, "weight": "Bolder", "color": colour(word),
        }],
    })];
    rows.extend(word.lines().into_iter().map(
        |line| json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": line }] }),
    ));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": rows,
            },
        }],
    })
}

fn colour(word: &Word) -> &'static str {
    match (word.notice, word.severity()) {
        (Notice::Resolved, _) => "Good",
        (_, Severity::Critical) => "Attention",
        (_, Severity::Warning) => "Warning",
    }
}
