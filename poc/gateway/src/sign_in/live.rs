//! The sessions whose access tokens this gateway takes: those that it has made or renewed itself since it started. One that ends is
//! taken out, and what is open of it ends at once.
//!
//! A token of a session that is not here is worth no more than one whose life is over: the accounts service is asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

/// So many are kept. The one that was used longest ago goes first, and is asked about again.
const MAX_SESSIONS: usize = 64 * 1024;

/// How long it is remembered that something ended: longer than any call to the accounts service lasts that began before.
const ENDS_KEPT: Duration = Duration::from_secs(60);

struct Session {
    person: String,
    ended: CancellationToken,
    used: Instant,
}

struct End {
    at: Instant,
    /// The session of the person that goes on.
    but: Option<String>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    /// By session or person.
    ends: HashMap<String, End>,
}

/// All of them.
pub(crate) struct LiveSessions {
    state: Mutex<State>,
    /// What is not used for so long has no valid token left.
    kept: Duration,
}

impl LiveSessions {
    /// `lifetime` is that of access tokens.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            state: Mutex::default(),
            kept: lifetime + Duration::from_secs(60),
        }
    }

    /// What is cancelled when the session ends; `None` when it is not known here.
    pub(crate) fn find(&self, sid: &str) -> Option<CancellationToken> {
        let mut state = self.state.lock();
        let session = state.sessions.get_mut(sid)?;
        session.used = Instant::now();
        Some(session.ended.clone())
    }

    /// Takes a session in that the accounts service has told about, which was asked at `asked`; `None` when it, or all of its
    /// person, ended since.
    pub(crate) fn enter(
        &self,
        sid: &str,
        person: &str,
        asked: Instant,
    ) -> Option<CancellationToken> {
        let mut state = self.state.lock();
        let ended = |key: &str, sid: Option<&str>| {
            let end = state.ends.get(key);
            end.is_some_and(|end| end.at >= asked && (sid.is_none() || end.but.as_deref() != sid))
        };
        if ended(sid, None) || ended(person, Some(sid)) {
            return None;
        }
        self.make_room(&mut state);
        let now = Instant::now();
        let session = state.sessions.entry(sid.to_owned());
        let session = session.or_insert_with(|| Session {
            person: person.to_owned(),
            ended: CancellationToken::new(),
            used: now,
        });
        session.used = now;
        Some(session.ended.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, sid: &str) {
        let mut state = self.state.lock();
        state.remember(sid, None);
        if let Some(session) = state.sessions.remove(sid) {
            session.ended.cancel();
        }
    }

    /// Ends all sessions of a person, but one.
    pub(crate) fn end_all(&self, person: &str, but: Option<&str>) {
        let mut state = self.state.lock();
        state.remember(person, but);
        state.sessions.retain(|sid, session| {
            let goes_on = session.person != person || Some(sid.as_str()) == but;
            if !goes_on {
                session.ended.cancel();
            }
            goes_on
        });
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().sessions.len()
    }

    fn make_room(&self, state: &mut State) {
        if state.sessions.len() < MAX_SESSIONS {
            return;
        }
        let kept = self.kept;
        state.sessions.retain(|_, it| it.used.elapsed() < kept);
        if state.sessions.len() >= MAX_SESSIONS {
            let oldest = state.sessions.iter().min_by_key(|(_, it)| it.used);
            if let Some(sid) = oldest.map(|(sid, _)| sid.clone())
                && let Some(session) = state.sessions.remove(&sid)
            {
                session.ended.cancel();
            }
        }
    }
}

impl State {
    fn remember(&mut self, key: &str, but: Option<&str>) {
        self.ends.retain(|_, end| end.at.elapsed() < ENDS_KEPT);
        let end = End {
            at: Instant::now(),
            but: but.map(str::to_owned),
        };
        self.ends.insert(key.to_owned(), end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_is_not_taken_in_again_by_a_call_that_began_before() {
        let live = LiveSessions::new(Duration::from_secs(900));
        let before = Instant::now();
        let one = live.enter("1", "ada", before).unwrap();
        let two = live.enter("2", "ada", before).unwrap();
        let other = live.enter("3", "bob", before).unwrap();
        live.end("1");
        assert!(one.is_cancelled() && live.find("1").is_none());
        assert!(live.enter("1", "ada", before).is_none());
        live.end_all("ada", Some("4"));
        assert!(two.is_cancelled() && !other.is_cancelled());
        assert!(live.enter("2", "ada", before).is_none());
        assert!(live.enter("4", "ada", before).is_some());
        assert!(
            live.enter("5", "ada", Instant::now() + Duration::from_millis(1))
                .is_some()
        );
        assert_eq!(live.count(), 3);
    }
}
