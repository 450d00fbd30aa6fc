//! "Did you mean": the nearest of the known words.

/// Words that other systems use for ours.
const ELSEWHERE: &[(&str, &str)] = &[
    ("id", "key"),
    ("variant", "arm"),
    ("variants", "arm"),
    ("variation", "arm"),
    ("variations", "arm"),
    ("metric", "kind"),
    ("type", "kind"),
    ("goal", "reward"),
    ("conversion", "success"),
    ("convert", "success"),
    ("rollout", "traffic"),
    ("percent", "traffic"),
    ("percentage", "traffic"),
    ("allocation", "policy"),
    ("algorithm", "policy"),
    ("strategy", "policy"),
    ("status", "state"),
    ("team", "owner"),
    ("title", "name"),
    ("rules", "targeting"),
    ("segment", "targeting"),
    ("holdout", "holdback"),
    ("baseline", "control"),
    ("default", "control"),
    ("payload", "config"),
    ("threshold", "limit"),
    ("duration", "for"),
    ("attribution_window", "window"),
    ("decisions", "decision"),
    ("eq", "any_of"),
    ("equals", "any_of"),
    ("in", "any_of"),
    ("is", "any_of"),
    ("not_in", "not"),
    ("gte", "min"),
    ("lte", "max"),
    ("starts_with", "prefix"),
];

/// The one of `known` that `word` probably stands for.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let lower = word.to_lowercase().replace('-', "_");
    let (distance, best) = known
        .iter()
        .map(|candidate| (edits(&lower, candidate), *candidate))
        .min()?;
    // A third of the letters may be wrong, at least one: beyond that it is another word.
    if distance <= (best.chars().count().max(lower.chars().count()) / 3).max(1) {
        return Some(best);
    }
    ELSEWHERE
        .iter()
        .find(|(other, ours)| *other == lower && known.contains(ours))
        .and_then(|(_, ours)| known.iter().find(|candidate| *candidate == ours))
        .copied()
}

/// The fix for a word that is none of `known`.
pub(super) fn fix_for(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// Insertions, deletions, replacements and swaps of neighbours between two words
/// (optimal string alignment, Damerau 1964).
fn edits(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut rows: Vec<Vec<usize>> = vec![(0..=to.len()).collect()];
    for (i, letter) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, other) in to.iter().enumerate() {
            let replaced = rows[i][j] + usize::from(letter != other);
            let mut least = replaced.min(row[j] + 1).min(rows[i][j + 1] + 1);
            if i > 0 && j > 0 && *letter == to[j - 1] && from[i - 1] == *other {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_typos_and_the_words_of_other_systems_and_nothing_else() {
        let known = ["key", "traffic", "arm", "policy", "reward"];
        for (word, expected) in [
            ("trafic", Some("traffic")),
            ("raffict", Some("traffic")),
            ("Reward", Some("reward")),
            ("arms", Some("arm")),
            ("variants", Some("arm")),
            ("rollout", Some("traffic")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "{word}");
        }
    }
}
