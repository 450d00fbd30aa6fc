//! Rows as PostgreSQL's binary copy takes them (its manual, COPY, "Binary Format").

use chrono::{DateTime, Utc};

/// Begins a copy: the signature, no flags, no extension.
const HEADER: &[u8; 19] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// Ends it: a row of -1 columns.
const TRAILER: [u8; 2] = (-1_i16).to_be_bytes();

/// The length of a column that is null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// 2000-01-01, from which PostgreSQL counts microseconds, in microseconds since 1970.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows that are being written, column by column.
pub(super) struct CopyRows(Vec<u8>);

impl CopyRows {
    /// With room for `rows` of about `row_bytes` each.
    pub(super) fn with_capacity(rows: usize, row_bytes: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER.len() + rows * row_bytes + TRAILER.len());
        bytes.extend_from_slice(HEADER);
        Self(bytes)
    }

    /// Begins a row of so many columns.
    pub(super) fn row(&mut self, columns: i16) {
        self.0.extend_from_slice(&columns.to_be_bytes());
    }

    /// A `smallint`.
    pub(super) fn int2(&mut self, value: i16) {
        self.bytes(&value.to_be_bytes());
    }

    /// An `integer`.
    pub(super) fn int4(&mut self, value: i32) {
        self.bytes(&value.to_be_bytes());
    }

    /// A `bigint`.
    pub(super) fn int8(&mut self, value: i64) {
        self.bytes(&value.to_be_bytes());
    }

    /// A `double precision`, or null.
    pub(super) fn float8(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.bytes(&value.to_be_bytes()),
            None => self.0.extend_from_slice(&NULL),
        }
    }

    /// A `timestamptz`.
    pub(super) fn instant(&mut self, at: DateTime<Utc>) {
        self.int8(at.timestamp_micros() - EPOCH_MICROS);
    }

    /// A `bytea`, `text` or `uuid`.
    pub(super) fn bytes(&mut self, value: &[u8]) {
        let length = i32::try_from(value.len()).expect("a column is far smaller than 2 GiB");
        self.0.extend_from_slice(&length.to_be_bytes());
        self.0.extend_from_slice(value);
    }

    /// The whole copy.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&TRAILER);
        self.0
    }
}
