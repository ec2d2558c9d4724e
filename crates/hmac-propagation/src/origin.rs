//! Who asked for a change. It stays in this peer's own audit: no event and no acknowledgement bears it.

use auth_base::text::seen;

/// Bytes of an actor: those of the longest e-mail address.
pub const LONGEST_ACTOR: usize = 254;

/// Bytes of a request's name.
pub const LONGEST_REQUEST_ID: usize = 128;

/// Who asked for a change, and with which request. The default is nobody who is known: the peer itself, or a caller whom nobody
/// asked who they are.
///
/// Both are texts that somebody else wrote: what nobody sees is taken out, what is longer is cut, and what is empty then is
/// absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    actor: Option<String>,
    request_id: Option<String>,
}

impl Origin {
    /// Somebody who is known by this name.
    pub fn of(actor: &str) -> Self {
        Self {
            actor: bounded(actor, LONGEST_ACTOR),
            request_id: None,
        }
    }

    /// Names the request in which they asked.
    pub fn in_request(mut self, request_id: Option<&str>) -> Self {
        self.request_id = request_id.and_then(|id| bounded(id, LONGEST_REQUEST_ID));
        self
    }

    /// Who asked.
    pub fn actor(&self) -> Option<&str> {
        self.actor.as_deref()
    }

    /// The request's name in logs.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

fn bounded(text: &str, most: usize) -> Option<String> {
    Some(seen(text.trim(), most)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_holds_what_is_seen_of_it() {
        let origin = Origin::of(" ada\u{202e}@example.org\n").in_request(Some("r-1\0"));
        assert_eq!(origin.actor(), Some("ada@example.org"));
        assert_eq!(origin.request_id(), Some("r-1"));
        let long = Origin::of(&"ä".repeat(1_000)).in_request(Some(&"r".repeat(1_000)));
        assert_eq!(long.actor().map(str::len), Some(LONGEST_ACTOR));
        assert_eq!(long.request_id().map(str::len), Some(LONGEST_REQUEST_ID));
    }

    #[test]
    fn nobody_is_made_up() {
        let nobody = Origin::default();
        assert_eq!((nobody.actor(), nobody.request_id()), (None, None));
        assert_eq!(Origin::of(" \u{200b}").in_request(Some("")), nobody);
    }
}
