//! Whole numbers in as few bytes as they need, for sketches that are stored by the thousand.

/// Bytes that are none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not those of a sketch of this build")]
pub struct Malformed;

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
pub(super) fn write(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number off the front.
pub(super) fn read(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(Malformed)?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if bits << shift >> shift != bits {
            return Err(Malformed);
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Malformed)
}

/// Small numbers of either sign stay short.
pub(super) fn write_signed(bytes: &mut Vec<u8>, number: i64) {
    write(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// What [`write_signed`] wrote.
pub(super) fn read_signed(bytes: &mut &[u8]) -> Result<i64, Malformed> {
    let folded = read(bytes)?;
    Ok((folded >> 1).cast_signed() ^ -((folded & 1).cast_signed()))
}
