//! The sessions whose access tokens this gateway takes: those that it has made or renewed itself since it started. One that ends is
//! taken out, and what is open of it ends at once.
//!
//! A token of a session that is not here is worth no more than one whose life is over: the accounts service is asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::sign_in::access::SignedIn;

/// So many are kept. The one that was used longest ago goes first, and is asked about again.
const MAX_SESSIONS: usize = 64 * 1024;

/// How long it is remembered that something ended: longer than any call to the accounts service lasts that began before.
const ENDS_KEPT: Duration = Duration::from_secs(60);

/// How long it is remembered which session was ended for good: longer than the accounts service is away.
const GONE_KEPT: Duration = Duration::from_secs(24 * 3600);

struct Session {
    person: String,
    ended: CancellationToken,
    used: Instant,
    /// Access tokens that were made before, in seconds since 1970, tell of rights that the person may not have any more.
    since_seconds: i64,
}

/// What of a person's sessions ended, and when.
#[derive(Default)]
struct End {
    all: Option<Instant>,
    /// All but this one.
    but: Option<(Instant, String)>,
}

impl End {
    /// Whether what was asked at `asked` about a session is of no worth any more.
    fn outdates(&self, asked: Instant, sid: &str) -> bool {
        let all = self.all.is_some_and(|at| at >= asked);
        let but = self.but.as_ref();
        all || but.is_some_and(|(at, goes_on)| *at >= asked && goes_on != sid)
    }

    fn is_recent(&self) -> bool {
        let but = self.but.as_ref().map(|(at, _)| *at);
        self.all.max(but).is_some_and(|at| at.elapsed() < ENDS_KEPT)
    }
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    /// By person.
    ends: HashMap<String, End>,
    /// Sessions that were ended for good, and when. They never live again, whatever the accounts service has been told.
    gone: HashMap<String, Instant>,
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

    /// What is cancelled when the session ends; `None` when it is not known here, or since later than the access token that was
    /// made at `since_seconds`.
    pub(crate) fn find(&self, sid: &str, since_seconds: i64) -> Option<CancellationToken> {
        let mut state = self.state.lock();
        let session = state.sessions.get_mut(sid)?;
        if since_seconds < session.since_seconds {
            return None;
        }
        session.used = Instant::now();
        Some(session.ended.clone())
    }

    /// Takes a session in that the accounts service has told about, which was asked at `asked`; `None` when it, or all of its
    /// person, ended since.
    pub(crate) fn enter(&self, signed_in: &SignedIn, asked: Instant) -> Option<CancellationToken> {
        let (sid, person) = (signed_in.sid.as_str(), signed_in.id.as_str());
        let mut state = self.state.lock();
        let end = state.ends.get(person);
        if state.gone.contains_key(sid) || end.is_some_and(|end| end.outdates(asked, sid)) {
            return None;
        }
        // An older token may be of the same second: then the new one counts from the next exchange on.
        let since_seconds = signed_in.since_seconds + i64::from(end.is_some());
        self.make_room(&mut state);
        let now = Instant::now();
        let session = state.sessions.entry(sid.to_owned());
        let session = session.or_insert_with(|| Session {
            person: person.to_owned(),
            ended: CancellationToken::new(),
            used: now,
            since_seconds,
        });
        session.used = now;
        Some(session.ended.clone())
    }

    /// Whether a session was ended for good.
    pub(crate) fn is_gone(&self, sid: &str) -> bool {
        self.state.lock().gone.contains_key(sid)
    }

    /// Ends a session for good.
    pub(crate) fn end(&self, sid: &str) {
        let mut state = self.state.lock();
        state.bury(sid);
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
        if let Some(session) = take_oldest(&mut state.sessions, |it| it.used) {
            session.ended.cancel();
        }
    }
}

/// Takes the oldest out of a map that is full.
fn take_oldest<T>(map: &mut HashMap<String, T>, at: impl Fn(&T) -> Instant) -> Option<T> {
    let is_full = map.len() >= MAX_SESSIONS;
    let oldest = map.iter().filter(|_| is_full).min_by_key(|(_, it)| at(it));
    let sid = oldest.map(|(sid, _)| sid.clone())?;
    map.remove(&sid)
}

impl State {
    fn bury(&mut self, sid: &str) {
        self.gone.retain(|_, at| at.elapsed() < GONE_KEPT);
        take_oldest(&mut self.gone, |at| *at);
        self.gone.insert(sid.to_owned(), Instant::now());
    }

    fn remember(&mut self, person: &str, but: Option<&str>) {
        self.ends.retain(|_, end| end.is_recent());
        let now = Instant::now();
        let end = self.ends.entry(person.to_owned()).or_default();
        match but {
            None => end.all = Some(now),
            Some(sid) => end.but = Some((now, sid.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(sid: &str, person: &str, since_seconds: i64) -> SignedIn {
        SignedIn {
            id: person.to_owned(),
            email: String::new(),
            permissions: Vec::new(),
            sid: sid.to_owned(),
            since_seconds,
            until_seconds: since_seconds + 900,
            family_until_ms: 0,
        }
    }

    #[test]
    fn what_ended_is_not_taken_in_again_by_a_call_that_began_before() {
        let live = LiveSessions::new(Duration::from_secs(900));
        let before = Instant::now();
        let enter = |sid, person, asked| live.enter(&session(sid, person, 100), asked);
        let one = enter("1", "ada", before).unwrap();
        let two = enter("2", "ada", before).unwrap();
        let other = enter("3", "bob", before).unwrap();
        live.end("1");
        assert!(one.is_cancelled() && live.find("1", 100).is_none());
        assert!(enter("1", "ada", before).is_none());
        let after = Instant::now() + Duration::from_millis(1);
        assert!(enter("1", "ada", after).is_none() && live.is_gone("1"));
        live.end_all("ada", Some("4"));
        assert!(two.is_cancelled() && !other.is_cancelled());
        assert!(enter("2", "ada", before).is_none());
        assert!(enter("4", "ada", before).is_some());
        let later = Instant::now() + Duration::from_millis(1);
        assert!(enter("5", "ada", later).is_some());
        assert_eq!(live.count(), 3);
    }

    /// Whoever got other roles comes in again with a new token; the old one tells of the old roles.
    #[test]
    fn a_token_of_before_is_worth_nothing_when_the_session_comes_in_again() {
        let live = LiveSessions::new(Duration::from_secs(900));
        let enter = |since| {
            let later = Instant::now() + Duration::from_millis(1);
            live.enter(&session("1", "ada", since), later).unwrap()
        };
        enter(100);
        assert!(live.find("1", 100).is_some() && live.find("1", 99).is_none());
        enter(160);
        assert!(live.find("1", 100).is_some(), "it went on all the time");
        live.end_all("ada", None);
        enter(200);
        for (since, counts) in [(100, false), (160, false), (200, false), (201, true)] {
            assert_eq!(live.find("1", since).is_some(), counts, "{since}");
        }
    }
}
