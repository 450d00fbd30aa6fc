//! One record as it is in a segment, and how records are found again among bytes that may be anything.
//!
//! ```text
//! mark     4  f5 'P' 'S' 01: f5 is in no UTF-8 text, so payloads do not look like records; 01 is the format
//! length   4  of the payload, little-endian like all numbers here
//! checksum 4  CRC-32C of everything behind it, and of the length
//! id       8  counts the records of a spool
//! at       8  when it was kept, microseconds of Unix time
//! payload
//! ```

use std::ops::Range;

/// What a record begins with.
const MARK: [u8; 4] = [0xf5, b'P', b'S', 1];

/// Bytes in front of the payload.
pub(super) const HEADER: usize = 28;

/// Longest payload: a unit, an event's name and an id have limits that keep an item below 2 KiB.
pub(super) const LONGEST: usize = 64 * 1024;

/// A record that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) id: u64,
    /// When it was kept, microseconds of Unix time.
    pub(super) at: i64,
    pub(super) payload: &'a [u8],
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Record(Record<'a>),
    /// Bytes that are no record.
    Damage(Range<usize>),
}

/// Appends a record to `out`.
pub(super) fn write(out: &mut Vec<u8>, record: Record<'_>) {
    let length = u32::try_from(record.payload.len()).expect("payloads are shorter than LONGEST");
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&length.to_le_bytes());
    let checksum_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&record.id.to_le_bytes());
    out.extend_from_slice(&record.at.to_le_bytes());
    out.extend_from_slice(record.payload);
    let checksum = checksum(length, &out[checksum_at + 4..]);
    out[checksum_at..checksum_at + 4].copy_from_slice(&checksum.to_le_bytes());
}

fn checksum(length: u32, rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), rest)
}

/// The pieces of a segment, which together are all of `bytes`.
pub(super) fn scan(bytes: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let start = at;
        if let Some(record) = parse(&bytes[start..]) {
            at += HEADER + record.payload.len();
            return Some(Piece::Record(record));
        }
        at = next_record(bytes, start + 1).unwrap_or(bytes.len());
        Some(Piece::Damage(start..at))
    })
}

/// Where the first whole record at or after `from` begins.
fn next_record(bytes: &[u8], from: usize) -> Option<usize> {
    let marks = bytes.windows(MARK.len()).enumerate().skip(from);
    marks
        .filter(|(_, window)| **window == MARK)
        .map(|(at, _)| at)
        .find(|&at| parse(&bytes[at..]).is_some())
}

/// The record that `bytes` begin with.
fn parse(bytes: &[u8]) -> Option<Record<'_>> {
    let header = bytes.first_chunk::<HEADER>()?;
    let four = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| header[at + n]));
    let eight = |at: usize| u64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|n| header[at + n]));
    if header[..4] != MARK {
        return None;
    }
    let length = four(4);
    let end = HEADER + usize::try_from(length).ok().filter(|it| *it <= LONGEST)?;
    let whole = bytes.get(..end)?;
    (checksum(length, &whole[12..]) == four(8)).then(|| Record {
        id: eight(12),
        at: eight(20).cast_signed(),
        payload: &whole[HEADER..],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(payloads: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for (id, payload) in payloads.iter().enumerate() {
            let id = id as u64;
            write(&mut out, Record { id, at: 7, payload });
        }
        out
    }

    fn found(bytes: &[u8]) -> Vec<u64> {
        scan(bytes)
            .filter_map(|piece| match piece {
                Piece::Record(record) => Some(record.id),
                Piece::Damage(_) => None,
            })
            .collect()
    }

    #[test]
    fn what_is_written_is_found() {
        let bytes = segment(&[b"a", b"", b"longer than the others"]);
        let payloads: Vec<_> = scan(&bytes)
            .map(|piece| match piece {
                Piece::Record(record) => record.payload.to_vec(),
                Piece::Damage(range) => panic!("{range:?}"),
            })
            .collect();
        assert_eq!(payloads, [&b"a"[..], b"", b"longer than the others"]);
    }

    #[test]
    fn the_format_is_this_to_the_byte() {
        let bytes = segment(&[b"hi"]);
        let mut expected = b"\xf5PS\x01\x02\0\0\0".to_vec();
        // CRC-32C by the polynomial, bit for bit.
        let mut crc = !0_u32;
        for byte in [&bytes[4..8], &bytes[12..]].concat() {
            crc ^= u32::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            }
        }
        expected.extend_from_slice(&(!crc).to_le_bytes());
        expected.extend_from_slice(b"\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0hi");
        assert_eq!(bytes, expected);
    }

    #[test]
    fn damage_costs_the_damaged_record_and_no_other() {
        let whole = segment(&[b"first", b"second", b"third"]);
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let hit = match at {
                    0..33 => 0,
                    33..67 => 1,
                    _ => 2,
                };
                let mut left = vec![0, 1, 2];
                left.remove(hit);
                assert_eq!(found(&bytes), left, "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_record_inside_a_damaged_one_does_not_count_twice() {
        let inner = segment(&[b"inner"]);
        let outer = segment(&[&inner, b"next"]);
        assert_eq!(found(&outer).len(), 2);
    }
}
