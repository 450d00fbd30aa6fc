//! Asking before acting: what is costly needs a word, what cannot be undone needs the name.

use super::Failure;
use crate::output::{self, Text};

/// How much a change deserves to be thought over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grade {
    /// Can be undone at once: no question.
    Reversible,
    /// Felt by users: the word `yes`.
    Costly,
    /// Cannot be undone: this text is typed.
    Irreversible {
        /// Such as the experiment's key.
        typed: String,
    },
}

/// Ask as the grade demands; `Ok` if it may be done.
///
/// `deed` completes "type yes to …" and "to … has to be confirmed".
pub(super) fn confirm(deed: &str, about: &Text, grade: &Grade, yes: bool) -> Result<(), Failure> {
    if yes || *grade == Grade::Reversible {
        return Ok(());
    }
    if !output::can_ask() {
        return Err(nobody_to_ask(deed));
    }
    output::aside(about);
    let (question, wanted) = question(deed, grade);
    judge(deed, &wanted, &output::ask(&question)?)
}

/// The question and the answer that lets it happen. Never Enter alone.
fn question(deed: &str, grade: &Grade) -> (String, String) {
    match grade {
        Grade::Reversible | Grade::Costly => (
            format!("Type yes to {deed}, anything else to leave it: "),
            "yes".to_owned(),
        ),
        Grade::Irreversible { typed } => (
            format!("This cannot be undone. Type {typed} to {deed}: "),
            typed.clone(),
        ),
    }
}

fn judge(deed: &str, wanted: &str, typed: &str) -> Result<(), Failure> {
    if typed == wanted {
        return Ok(());
    }
    Err(Failure::Unconfirmed(format!(
        "not confirmed, nothing was changed: to {deed}, `{wanted}` has to be typed"
    )))
}

fn nobody_to_ask(deed: &str) -> Failure {
    Failure::Unconfirmed(format!(
        "nothing was changed: to {deed} has to be confirmed, and there is no terminal to ask on; pass \
         --yes if you are sure"
    ))
}

/// The reason for the audit log: as given, else asked for, else `proposal`.
pub(super) fn reason(given: Option<&str>, proposal: &str, yes: bool) -> Result<String, Failure> {
    if let Some(given) = given {
        let given = given.trim();
        if given.is_empty() {
            return Err(Failure::Usage(
                "--reason is empty; say in a few words why, the audit log keeps it".to_owned(),
            ));
        }
        return Ok(given.to_owned());
    }
    if yes || !output::can_ask() {
        return Ok(proposal.to_owned());
    }
    let typed = output::ask(&format!("Why? [{proposal}] "))?;
    Ok(if typed.is_empty() {
        proposal.to_owned()
    } else {
        typed
    })
}

#[cfg(test)]
mod tests {
    use super::super::Exit;
    use super::*;

    fn stop() -> Grade {
        Grade::Irreversible {
            typed: "promo_banner".into(),
        }
    }

    #[test]
    fn enter_alone_and_a_half_typed_name_change_nothing() {
        let (question, wanted) = question("stop promo_banner", &stop());
        assert_eq!(
            question,
            "This cannot be undone. Type promo_banner to stop promo_banner: "
        );
        for typed in ["", "y", "yes", "promo_ba", "PROMO_BANNER"] {
            let refused = judge("stop promo_banner", &wanted, typed);
            assert_eq!(refused.map_err(|f| f.exit()), Err(Exit::Refused), "{typed}");
        }
        assert!(judge("stop promo_banner", &wanted, "promo_banner").is_ok());
    }

    #[test]
    fn a_costly_change_takes_a_whole_word() {
        let (_, wanted) = question("apply it", &Grade::Costly);
        assert!(judge("apply it", &wanted, "y").is_err());
        assert!(judge("apply it", &wanted, "yes").is_ok());
    }

    #[test]
    fn an_empty_reason_is_a_usage_error() {
        let refused = reason(Some("  "), "pause", true);
        assert_eq!(refused.map_err(|f| f.exit()), Err(Exit::Usage));
        assert!(reason(None, "pause from the command line", true).is_ok());
    }
}
