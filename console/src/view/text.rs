//! Numbers, ages and names as text: with units, and cut in the middle where there is no room.

use chrono::{DateTime, Utc};
use ratatui::text::Span;

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in at most `room` columns, cut in the middle so that suffixes stay.
pub fn fit(text: &str, room: usize, ellipsis: char) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let head = (room - 1).div_ceil(2);
    let tail = room - 1 - head;
    let front = take(text.chars(), head);
    let back: String = take(text.chars().rev(), tail).chars().rev().collect();
    format!("{front}{ellipsis}{back}")
}

/// The sentence in at most `room` columns, cut at its end: what it is about comes first.
pub fn clip(text: &str, room: usize, ellipsis: char) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    format!("{}{ellipsis}", take(text.chars(), room - 1).trim_end())
}

fn take(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut taken = String::new();
    for c in chars {
        let mut next = taken.clone();
        next.push(c);
        if width(&next) > room {
            break;
        }
        taken = next;
    }
    taken
}

/// The text in exactly `room` columns, to the left.
pub fn left(text: &str, room: usize, ellipsis: char) -> String {
    let text = fit(text, room, ellipsis);
    let blanks = room.saturating_sub(width(&text));
    format!("{text}{}", " ".repeat(blanks))
}

/// The text in exactly `room` columns, to the right.
pub fn right(text: &str, room: usize, ellipsis: char) -> String {
    let text = fit(text, room, ellipsis);
    let blanks = room.saturating_sub(width(&text));
    format!("{}{text}", " ".repeat(blanks))
}

/// Break a line into pieces of at most `room` columns, blanks and all: for files, where every blank counts.
pub fn pieces(line: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut rest = line;
    let mut pieces = Vec::new();
    while width(rest) > room {
        let head = take(rest.chars(), room);
        rest = &rest[head.len()..];
        pieces.push(head);
    }
    pieces.push(rest.to_owned());
    pieces
}

/// Break a text into lines of at most `room` columns, at blanks where there are any.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(8);
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let mut word = word.to_owned();
        while width(&word) > room {
            let head = take(word.chars(), room);
            word = word[head.len()..].to_owned();
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            lines.push(head);
        }
        if !line.is_empty() && width(&line) + 1 + width(&word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Break a text into at most `rows` lines of at most `room` columns; the last says that there was more.
pub fn wrap_few(text: &str, room: usize, rows: usize, ellipsis: char) -> Vec<String> {
    let mut lines = wrap(text, room);
    if lines.len() > rows {
        let rest = lines.split_off(rows.saturating_sub(1)).join(" ");
        lines.push(clip(&rest, room, ellipsis));
    }
    lines
}

/// A fraction as a percentage.
pub fn percent(fraction: f64, digits: usize) -> String {
    format!("{:.digits$}%", fraction * 100.0)
}

/// A relative difference, with its sign.
pub fn lift(fraction: f64) -> String {
    let percent = fraction * 100.0;
    if percent.abs() >= 9.95 {
        return format!("{percent:+.0}%");
    }
    format!("{percent:+.1}%")
}

/// A difference of two fractions, in percentage points.
pub fn points(fraction: f64) -> String {
    format!("{:.3} pp", fraction * 100.0)
}

/// A rate per second.
pub fn rate(per_sec: f64) -> String {
    if per_sec >= 10_000.0 {
        return format!("{:.0}k", per_sec / 1_000.0);
    }
    if per_sec >= 1_000.0 {
        return format!("{per_sec:.0}");
    }
    format!("{per_sec:.1}")
}

/// A probability with three digits.
pub fn probability(p: f64) -> String {
    if p > 0.9995 && p < 1.0 {
        return ">.999".to_owned();
    }
    if p < 0.0005 && p > 0.0 {
        return "<.001".to_owned();
    }
    format!("{p:.3}")
}

/// A count with commas.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count in at most six columns: `99,999`, `148k`, `1.48M`.
pub fn short_count(n: u64) -> String {
    match n {
        0..100_000 => count(n),
        100_000..1_000_000 => format!("{}k", n / 1_000),
        _ => format!("{:.2}M", n as f64 / 1e6),
    }
}

/// A length of time in its two greatest units: `33s`, `4m 10s`, `6d 2h`.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => two(seconds, 60, "m", 1, "s"),
        3_600..86_400 => two(seconds, 3_600, "h", 60, "m"),
        _ => two(seconds, 86_400, "d", 3_600, "h"),
    }
}

fn two(seconds: u64, great: u64, name: &str, small: u64, small_name: &str) -> String {
    let rest = seconds % great / small;
    if rest == 0 {
        return format!("{}{name}", seconds / great);
    }
    format!("{}{name} {rest}{small_name}", seconds / great)
}

/// How long ago, as of `now`.
pub fn since(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds();
    duration(u64::try_from(seconds).unwrap_or(0))
}

/// A time of day, UTC.
pub fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M:%SZ").to_string()
}

/// A moment: the time of day if it is of today, else with its date.
pub fn moment(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    if at.date_naive() == now.date_naive() {
        return clock(at);
    }
    at.format("%m-%d %H:%MZ").to_string()
}

/// The first letter in upper case.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_at_their_end() {
        assert_eq!(clip("version 2: blue 68.2%", 14, '~'), "version 2: bl~");
        assert_eq!(clip("version 2: blue", 11, '~'), "version 2:~");
        assert_eq!(clip("short", 12, '~'), "short");
    }

    #[test]
    fn names_are_cut_in_the_middle_and_keep_their_suffix() {
        assert_eq!(fit("checkout_button_v2", 12, '~'), "checko~on_v2");
        assert_eq!(fit("short", 12, '~'), "short");
        assert_eq!(fit("größenänderung", 5, '~'), "gr~ng");
    }

    #[test]
    fn figures_carry_their_units() {
        assert_eq!(count(1_482_390), "1,482,390");
        assert_eq!(short_count(148_239), "148k");
        assert_eq!(short_count(1_482_390), "1.48M");
        assert_eq!(duration(33), "33s");
        assert_eq!(duration(6 * 3_600), "6h");
        assert_eq!(duration(6 * 86_400 + 7_300), "6d 2h");
        assert_eq!(percent(0.0812, 2), "8.12%");
        assert_eq!(lift(0.197), "+20%");
        assert_eq!(lift(-0.0112), "-1.1%");
        assert_eq!(probability(0.99971), ">.999");
        assert_eq!(probability(1.0), "1.000");
    }

    #[test]
    fn long_words_are_broken_and_nothing_is_lost() {
        let lines = wrap("a pathological/very/long/path here", 10);
        assert!(lines.iter().all(|line| width(line) <= 10));
        assert_eq!(
            lines.concat().replace(' ', ""),
            "apathological/very/long/pathhere"
        );
    }
}
