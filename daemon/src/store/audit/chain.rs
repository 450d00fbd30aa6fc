//! The chain's link: what is hashed, in which order.

use super::Row;
use crate::store::StoreError;

/// Names this use of BLAKE3 and its version: a row of another format cannot have the same hash.
const CONTEXT: &str = "pitboss audit row v1";

/// The newest row of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Its number; 0 before the first row.
    pub seq: i64,
    /// Its hash; all zeros before the first row.
    pub hash: [u8; 32],
}

impl ChainHead {
    /// Before the first row.
    pub const START: Self = Self {
        seq: 0,
        hash: [0; 32],
    };

    pub(in crate::store) fn stored(seq: i64, hash: Vec<u8>) -> Result<Self, StoreError> {
        let hash = <[u8; 32]>::try_from(hash).map_err(|hash| {
            StoreError::unreadable("installation.audit_head", format!("{} bytes", hash.len()))
        })?;
        Ok(Self { seq, hash })
    }

    /// The hash in hex, for logs.
    pub fn hex(&self) -> String {
        blake3::Hash::from_bytes(self.hash).to_hex().to_string()
    }
}

impl Row {
    /// The hash over the previous row's hash and every stored value of this row. Numbers are eight
    /// bytes, big endian; the time is microseconds since 1970, which no session's time zone changes;
    /// texts carry their length, so that no two rows give the same bytes.
    pub(super) fn link(&self) -> [u8; 32] {
        let Self {
            seq,
            at,
            actor,
            via,
            action,
            target,
            result,
            revision,
            reason,
            request_id,
            body,
            previous_hash,
            hash: _,
        } = self;
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        let mut add = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_be_bytes());
            hasher.update(bytes);
        };
        add(previous_hash);
        add(&seq.to_be_bytes());
        add(&at.timestamp_micros().to_be_bytes());
        for text in [actor, via, action, target, result] {
            add(text.as_bytes());
        }
        add(&revision.to_be_bytes());
        add(reason.as_bytes());
        add(request_id.as_bytes());
        add(body.as_bytes());
        *hasher.finalize().as_bytes()
    }
}
