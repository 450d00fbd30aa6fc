//! Figures in sentences.

use crate::spec::model::ExperimentSpec;

/// A count with commas, such as `12,410`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 unit`, `1,240 units`.
pub(super) fn units(number: u64) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} unit{plural}", count(number))
}

/// A rate a day, such as `12,410 decisions/day`.
pub(super) fn per_day(rate: f64) -> String {
    format!("{} decisions/day", count(rate.max(0.0).round() as u64))
}

/// A probability with one decimal at most, such as `20%` or `33.3%`.
pub(super) fn percent(share: f64) -> String {
    let tenths = (share * 1_000.0).round() / 10.0;
    format!("{tenths}%")
}

/// The control arm as people say it, such as `control "green"`.
pub(super) fn control(spec: &ExperimentSpec) -> String {
    let name = spec.control().name.as_str();
    if name == "control" {
        return "control".to_owned();
    }
    format!("control \"{name}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_240, "1,240"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(percent(1.0 / 3.0), "33.3%");
        assert_eq!(percent(0.2), "20%");
    }
}
