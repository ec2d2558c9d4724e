//! A breakpoint of a peer: it dies at a marked point of what it sends to its servers, and of what they send to it.
//!
//! No peer knows of this. Its connections run through proxies that see every byte; when the last of the marks comes by, nothing passes any
//! more and the peer is killed with `SIGKILL`. So to everybody else it died exactly there.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use services::proxy::{Verdict, Way};

use super::links::Dependency;
use super::until;

/// What may take the bytes at the last mark to the other end: it is on this machine.
const PASSING: Duration = Duration::from_millis(20);

/// Whether what bears the last mark arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It does not.
    Before,
    /// It does, and nothing after it.
    After,
}

/// Bytes on one of a peer's connections.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Between the peer and which server.
    pub(crate) dependency: Dependency,
    /// Which way.
    pub(crate) way: Way,
    /// What they contain.
    pub(crate) bytes: Vec<u8>,
}

impl Mark {
    /// What the peer sends.
    pub(crate) fn sent(dependency: Dependency, bytes: &str) -> Self {
        Self {
            dependency,
            way: Way::ToServer,
            bytes: bytes.as_bytes().to_vec(),
        }
    }

    /// What the peer receives.
    pub(crate) fn received(dependency: Dependency, bytes: &str) -> Self {
        Self {
            way: Way::ToClient,
            ..Self::sent(dependency, bytes)
        }
    }
}

/// Waits for marks, one after the other.
#[derive(Default)]
pub(crate) struct Breakpoint(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Unset,
    Set {
        marks: VecDeque<Mark>,
        moment: Moment,
        victim: Pid,
    },
    Reached,
    /// The next bytes on a link are cut off after so many, or before the last of them.
    Cut(Dependency, Way, usize),
}

impl Breakpoint {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process `victim` when all of `marks` have come by, in this order.
    pub(crate) fn set(&self, victim: i32, moment: Moment, marks: impl IntoIterator<Item = Mark>) {
        let marks = marks.into_iter().collect();
        *self.state() = State::Set {
            marks,
            moment,
            victim: Pid::from_raw(victim),
        };
    }

    /// Resets a connection in the middle of what passes next, sent by the peer or received by it.
    pub(crate) fn cut(&self, dependency: Dependency, after: usize, sent: bool) {
        let way = if sent { Way::ToServer } else { Way::ToClient };
        *self.state() = State::Cut(dependency, way, after);
    }

    /// Waits until it has happened.
    pub(crate) async fn until_cut(&self) {
        until("a link is cut", async || match &*self.state() {
            State::Cut(on, way, _) => Err(format!("{on:?} {way:?}: nothing has come by")),
            _ => Ok(()),
        })
        .await;
    }

    /// Lets everything pass again.
    pub(crate) fn unset(&self) {
        *self.state() = State::Unset;
    }

    /// Waits until it was too late for the victim.
    pub(crate) async fn until_reached(&self, what: &str) {
        until(&format!("the peer dies {what}"), async || {
            match &*self.state() {
                State::Reached => Ok(()),
                State::Set { marks, .. } => Err(format!(
                    "{:?} has not come by",
                    marks.front().map(|mark| (mark.dependency, mark.way))
                )),
                State::Unset | State::Cut(..) => Err("no trap is set".to_owned()),
            }
        })
        .await;
    }

    /// Looks at bytes on their way.
    pub(super) fn look(&self, dependency: Dependency, way: Way, mut bytes: &[u8]) -> Verdict {
        let mut state = self.state();
        let (moment, victim) = match &mut *state {
            State::Unset => return Verdict::Pass,
            State::Reached => return Verdict::Swallow,
            State::Cut(on, direction, after) => {
                if (*on, *direction) != (dependency, way) || bytes.len() < 2 {
                    return Verdict::Pass;
                }
                let verdict = Verdict::CutAfter((*after).min(bytes.len() - 1));
                *state = State::Unset;
                return verdict;
            }
            State::Set {
                marks,
                moment,
                victim,
            } => {
                while let Some(mark) = marks
                    .front()
                    .filter(|it| (it.dependency, it.way) == (dependency, way))
                {
                    let length = mark.bytes.len();
                    let found = bytes
                        .windows(length)
                        .position(|window| window == mark.bytes);
                    let Some(at) = found else { break };
                    bytes = &bytes[at + length..];
                    marks.pop_front();
                }
                if !marks.is_empty() {
                    return Verdict::Pass;
                }
                (*moment, *victim)
            }
        };
        *state = State::Reached;
        match moment {
            Moment::Before => {
                kill(victim, Signal::SIGKILL).expect("the victim runs");
                Verdict::Swallow
            }
            Moment::After => {
                // What the peer does meanwhile reaches nobody.
                std::thread::spawn(move || {
                    std::thread::sleep(PASSING);
                    kill(victim, Signal::SIGKILL).expect("the victim runs");
                });
                Verdict::PassAndFreeze
            }
        }
    }
}
