//! Numbers as they are written in TOML.

use toml::de::DeValue;

/// A TOML integer that fits 64 bits.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// A TOML integer or float that is finite.
pub(super) fn finite(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Float(number) => number.as_str().parse().ok()?,
        other => integer(other)? as f64,
    };
    Some(number).filter(|number: &f64| number.is_finite())
}

/// `"12.5%"` as 0.125. The shift by two digits is done in the text, so that "0.1%" is the same as 0.001.
pub(super) fn percentage(text: &str) -> Option<f64> {
    let digits = text.trim().strip_suffix('%')?.trim_end();
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let fraction: f64 = format!("{digits}e-2").parse().ok().filter(|_| plain)?;
    Some(fraction)
}
