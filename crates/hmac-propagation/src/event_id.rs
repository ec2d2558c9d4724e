//! The ids of events (propagation wire 2.2): fresh UUIDs whose beginning orders what falls into one millisecond.
//!
//! A cursor holds the later of two events, and of two with one `ts` the one whose id is larger. If the ids were all random, two
//! sources that change one credential in the same millisecond would win at some targets and lose at others. So all events that
//! a source stamps with one `ts`, its own store's included, begin alike, with 48 bits that only the source and the `ts` decide:
//! whichever of the two wins, wins everywhere. The 74 random bits behind them keep an id unguessable.

use sha2::{Digest, Sha256};

use crate::peer_store::Stamp;
use crate::queue::PeerName;

/// The characters of an id that the source and the `ts` decide: 48 bits and a hyphen.
const SHARED: usize = 13;

/// An id for an event that `source` stamps with `ts`; a UUID v4 of these random bytes.
pub fn event_id(source: &PeerName, ts: i64, mut random: [u8; 16]) -> String {
    let digest = Sha256::new()
        .chain_update(source.as_str())
        .chain_update(ts.to_be_bytes())
        .finalize();
    random[..6].copy_from_slice(&digest[..6]);
    uuid::Builder::from_random_bytes(random)
        .into_uuid()
        .to_string()
}

/// What the ids of one source and one `ts` have in common. (Of a foreign id: its beginning.)
pub fn shared(event_id: &str) -> &str {
    event_id.get(..SHARED).unwrap_or(event_id)
}

/// Tells whether a cursor is later than the event of this `ts` and id. Another try of the same change, whose id begins alike,
/// is no later, whichever of the two the cursor holds.
pub(crate) fn is_later(cursor: &Stamp, ts: i64, event_id: &str) -> bool {
    (cursor.ts, shared(&cursor.event_id)) > (ts, shared(event_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_and_one_ts_begin_alike() {
        let peer = |name| PeerName::parse(name).expect("a name");
        let (a, b) = (peer("authority"), peer("leptos-axum"));
        let one = event_id(&a, 1_700_000_000_000, [1; 16]);
        let two = event_id(&a, 1_700_000_000_000, [2; 16]);
        assert_eq!(shared(&one), shared(&two));
        assert_ne!(one, two);
        assert_eq!(uuid::Uuid::parse_str(&one).unwrap().get_version_num(), 4);
        for other in [
            event_id(&b, 1_700_000_000_000, [1; 16]),
            event_id(&a, 1_700_000_000_001, [1; 16]),
        ] {
            assert_ne!(shared(&one), shared(&other));
        }
        assert_eq!(shared("short"), "short");
        assert_eq!(shared("twelve bytesö"), "twelve bytesö");
    }
}
