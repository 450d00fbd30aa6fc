//! Reasons: every mutation has one.

use protocol::refusal::{Code, Refusal};

/// Longest reason, in bytes: a paragraph with a link, and a row that a screen can show.
const MAX_REASON: usize = 1_000;

/// `reason` without blanks around it, if it is one.
pub(super) fn checked(reason: &str) -> Result<String, Refusal> {
    let reason = reason.trim();
    let invalid = |message: String| Err(Refusal::new(Code::Invalid, message));
    if reason.is_empty() {
        return invalid("a reason is needed: it is kept in the audit log".to_owned());
    }
    if reason.len() > MAX_REASON {
        return invalid(format!(
            "the reason has {} bytes; keep it to {MAX_REASON}",
            reason.len()
        ));
    }
    if reason
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return invalid("the reason has control characters; remove them".to_owned());
    }
    Ok(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_short_plain_texts() {
        assert_eq!(checked("  broken checkout\n").unwrap(), "broken checkout");
        let long = "x".repeat(MAX_REASON + 1);
        for bad in ["", " \n", "nul \0", "\u{1b}[2J", &long] {
            assert_eq!(checked(bad).unwrap_err().code, Code::Invalid);
        }
    }
}
