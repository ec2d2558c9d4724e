//! One story: who does what when, decided by a seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use accounts::{FamilyId, NewFamily, Presented, Record, Rotation, Seen, TokenId, Version};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use crate::oracle::{BrokenPromise, Oracle};
use crate::store::{Ledger, SUBJECT};

/// How long an access token lives: the browser refreshes no sooner.
const ACCESS: i64 = 900_000;
/// How long a tab waits for an answer.
const PATIENCE: i64 = 2_000;
/// How often it tries again.
const RETRIES: u8 = 3;
/// A packet that is late is so by up to so much.
const LATE: i64 = 60_000;
const HOUR: i64 = 3_600_000;
const START: i64 = 1_800_000_000_000;
const FAMILY: FamilyId = FamilyId::from_bytes([9; 16]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Browser,
    Thief,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The access token has expired: tabs wake up.
    Wake,
    /// A tab, or the thief, sends what it holds.
    Send {
        who: Who,
        number: u64,
        tries: u8,
    },
    /// A gateway has the request.
    Arrive {
        who: Who,
        number: u64,
        token: TokenId,
    },
    /// The answer is there: the token to hold, or none.
    Answer {
        who: Who,
        number: u64,
        held: Option<TokenId>,
    },
    /// Nobody waits any longer.
    GiveUp {
        who: Who,
        number: u64,
        tries: u8,
    },
    Steal,
    SetClock {
        gateway: usize,
        by: i64,
    },
    Disable,
    Enable,
    Revoke,
    LateRecord,
}

/// What a story was.
pub(crate) struct Outcome {
    pub(crate) lines: Vec<String>,
    pub(crate) verdict: Result<(), BrokenPromise>,
}

/// A story that is being told.
pub(crate) struct Story<L> {
    dice: StdRng,
    ledger: L,
    oracle: Oracle,
    /// The true time.
    now: i64,
    end: i64,
    grace: i64,
    /// How far the clocks of the two gateways' services are off.
    clocks: [i64; 2],
    /// In percent, for each step.
    faults: u32,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    planned: u64,
    /// What the browser and the thief hold.
    jars: [Option<TokenId>; 2],
    /// Requests that were answered.
    answered: Vec<u64>,
    /// The true time at which each token was used first.
    first_use: Vec<(TokenId, i64)>,
    lines: Vec<String>,
}

impl<L: Ledger> Story<L> {
    pub(crate) fn new(seed: u64, mut ledger: L) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        let idle = dice.random_range(2 * ACCESS..8 * HOUR);
        let absolute = dice.random_range(2 * ACCESS..30 * HOUR);
        let first = id(&mut dice);
        let new = NewFamily {
            id: FAMILY,
            first,
            subject: SUBJECT,
            account_version: Version(1),
            idle_ms: idle,
            absolute_ms: absolute,
            seen: Seen::default(),
        };
        ledger.begin(&new, START);
        let grace = [10_000, 10_000, 10_000, 3_000, 0][dice.random_range(0..5)];
        let mut story = Self {
            ledger,
            oracle: Oracle::new(first, START, idle, absolute),
            now: START,
            end: START + dice.random_range(2..12) * ACCESS,
            grace,
            clocks: [0, dice.random_range(-300..300)],
            faults: [0, 0, 5, 25][dice.random_range(0..4)],
            events: BinaryHeap::new(),
            planned: 0,
            jars: [Some(first), None],
            answered: Vec::new(),
            first_use: Vec::new(),
            lines: Vec::new(),
            dice,
        };
        // With less grace than a tab takes for all its attempts, its attempts are replays.
        story.oracle.is_excused = grace < 10_000;
        story.plan();
        story
    }

    /// Decides what happens besides the person's own doing.
    fn plan(&mut self) {
        self.at(self.now + ACCESS, Event::Wake);
        let chances = [
            (50, Event::Steal),
            (15, Event::SetClock { gateway: 0, by: 0 }),
            (15, Event::SetClock { gateway: 1, by: 0 }),
            (8, Event::Disable),
            (8, Event::Revoke),
            (20, Event::LateRecord),
            (20, Event::LateRecord),
        ];
        for (percent, event) in chances {
            if self.chance(percent) {
                let at = self.dice.random_range(self.now..self.end);
                let event = match event {
                    Event::SetClock { gateway, .. } => Event::SetClock {
                        gateway,
                        by: self.dice.random_range(-HOUR..HOUR),
                    },
                    other => other,
                };
                self.at(at, event);
            }
        }
    }

    fn at(&mut self, at: i64, event: Event) {
        self.planned += 1;
        self.events.push(Reverse((at, self.planned, event)));
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.dice.random_range(0..100) < percent
    }

    fn say(&mut self, what: &str) {
        self.lines.push(format!("{:>10} {what}", self.now - START));
    }

    /// Tells it to its end.
    pub(crate) fn tell(mut self) -> Outcome {
        let mut verdict = Ok(());
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            self.now = at;
            verdict = self.happens(event);
            if verdict.is_err() {
                break;
            }
        }
        Outcome {
            lines: self.lines,
            verdict,
        }
    }

    fn happens(&mut self, event: Event) -> Result<(), BrokenPromise> {
        match event {
            Event::Wake => self.wake(),
            Event::Send { who, number, tries } => self.send(who, number, tries),
            Event::Arrive { who, number, token } => return self.arrive(who, number, token),
            Event::Answer { who, number, held } => self.answer(who, number, held),
            Event::GiveUp { who, number, tries } => self.give_up(who, number, tries),
            Event::Steal => self.steal(),
            Event::SetClock { gateway, by } => {
                self.clocks[gateway] += by;
                self.oracle.is_excused = true;
                self.say(&format!("the clock of {gateway} is set by {by}"));
            }
            Event::Disable => self.set_active(false),
            Event::Enable => self.set_active(true),
            Event::Revoke => {
                let now = self.clock(0);
                self.ledger.revoke(FAMILY, now);
                self.oracle.revoked();
                self.oracle.is_excused = true;
                self.say("the session is ended by an admin");
            }
            Event::LateRecord => return self.late_record(),
        }
        Ok(())
    }

    /// The service's clock, seen from a gateway.
    fn clock(&self, gateway: usize) -> i64 {
        self.now + self.clocks[gateway]
    }

    /// One to four tabs refresh within two seconds.
    fn wake(&mut self) {
        if self.jars[0].is_none() {
            return;
        }
        for _ in 0..self.dice.random_range(1..=4) {
            let at = self.now + self.dice.random_range(0..2_000);
            self.planned += 1;
            let number = self.planned;
            self.at(
                at,
                Event::Send {
                    who: Who::Browser,
                    number,
                    tries: 0,
                },
            );
        }
        let next = self.now + ACCESS + self.dice.random_range(15_000..60_000);
        if next < self.end {
            self.at(next, Event::Wake);
        }
    }

    fn send(&mut self, who: Who, number: u64, tries: u8) {
        let Some(token) = self.jars[who as usize] else {
            return;
        };
        // A tab that finds a newer token in the jar has nothing to refresh.
        if who == Who::Browser && self.is_fresh(token) {
            return;
        }
        self.at(self.now + PATIENCE, Event::GiveUp { who, number, tries });
        if self.chance(self.faults) {
            self.say(&format!("{who:?}: the request of {} is lost", short(token)));
            return;
        }
        let mut takes = self.dice.random_range(1..500);
        if self.chance(self.faults / 3) {
            takes = self.dice.random_range(0..LATE);
        }
        self.at(self.now + takes, Event::Arrive { who, number, token });
    }

    /// Whether a token was made in this round: its access token has not expired yet.
    fn is_fresh(&self, token: TokenId) -> bool {
        let made = self.first_use.iter().rev();
        let parents = made.filter(|(parent, _)| self.oracle.successor(*parent) == Some(token));
        let at = parents.map(|(_, at)| *at).next().unwrap_or(START);
        self.now - at < ACCESS - 5_000
    }

    fn arrive(&mut self, who: Who, number: u64, token: TokenId) -> Result<(), BrokenPromise> {
        let gateway = self.dice.random_range(0..2);
        if self.chance(self.faults) {
            self.say(&format!(
                "{who:?}: gateway {gateway} died before {} was presented",
                short(token)
            ));
            return Ok(());
        }
        let (now, is_honest) = (self.clock(gateway), who == Who::Browser);
        self.excuse(token, now);
        let presented = Presented {
            token,
            successor: Some(id(&mut self.dice)),
            seen: None,
        };
        let rotation = self.ledger.rotate(&presented, now, self.grace);
        let (told, held) = tell(&rotation);
        self.say(&format!(
            "{who:?}: {} at gateway {gateway}: {told}",
            short(token)
        ));
        self.oracle
            .rotated(&presented, &rotation, is_honest, (now, self.grace))?;
        self.oracle.held(self.ledger.is_dead(FAMILY))?;
        if let Rotation::Rotated(rotated) = &rotation
            && !rotated.is_repeat
        {
            self.first_use.push((token, self.now));
        }
        if self.chance(self.faults) {
            self.say(&format!(
                "{who:?}: gateway {gateway} died before it answered"
            ));
            return Ok(());
        }
        if self.chance(self.faults) {
            self.say(&format!("{who:?}: the answer is lost"));
            return Ok(());
        }
        let takes = self.dice.random_range(1..500);
        self.at(self.now + takes, Event::Answer { who, number, held });
        Ok(())
    }

    /// Whoever comes later than the grace after the first use, in true time, is excused: that is no retry.
    fn excuse(&mut self, token: TokenId, now: i64) {
        let first = self.first_use.iter().find(|(it, _)| *it == token);
        let is_late = first.is_some_and(|(_, at)| self.now - at > self.grace - 1_000);
        let is_late_by_clock = self
            .oracle
            .used_at(token)
            .is_some_and(|at| now - at > self.grace);
        self.oracle.is_excused |= is_late || is_late_by_clock;
    }

    fn answer(&mut self, who: Who, number: u64, held: Option<TokenId>) {
        if self.answered.contains(&number) {
            return;
        }
        self.answered.push(number);
        self.jars[who as usize] = held;
        if held.is_some() && who == Who::Thief {
            self.plan_theft();
        }
    }

    fn give_up(&mut self, who: Who, number: u64, tries: u8) {
        if self.answered.contains(&number) {
            return;
        }
        if tries < RETRIES {
            let tries = tries + 1;
            self.at(self.now, Event::Send { who, number, tries });
        } else {
            // The page says that something is wrong, and is opened again some time.
            let at = self.now + self.dice.random_range(1_000..60_000);
            if at < self.end {
                self.at(
                    at,
                    Event::Send {
                        who,
                        number,
                        tries: 0,
                    },
                );
            }
        }
    }

    fn steal(&mut self) {
        if let Some(token) = self.jars[0] {
            self.jars[1] = Some(token);
            self.oracle.is_excused = true;
            self.say(&format!("{} is stolen", short(token)));
            self.plan_theft();
        }
    }

    /// The thief comes at once, or after a while.
    fn plan_theft(&mut self) {
        let longest = [500, 20_000, 2 * ACCESS][self.dice.random_range(0..3)];
        let at = self.now + self.dice.random_range(0..longest);
        if at < self.end {
            self.planned += 1;
            let number = self.planned;
            self.at(
                at,
                Event::Send {
                    who: Who::Thief,
                    number,
                    tries: 0,
                },
            );
        }
    }

    fn set_active(&mut self, is_active: bool) {
        let now = self.clock(0);
        self.ledger.set_active(is_active, now);
        self.oracle.set_active(is_active);
        self.oracle.is_excused = true;
        match is_active {
            true => self.say("the person is let in again"),
            false => {
                self.say("the person is disabled");
                let at = self.now + self.dice.random_range(0..2 * ACCESS);
                self.at(at, Event::Enable);
            }
        }
    }

    /// A gateway that was stopped for a while goes on, and records what it had in hand.
    fn late_record(&mut self) -> Result<(), BrokenPromise> {
        let tokens = self.oracle.tokens();
        let known = tokens[self.dice.random_range(0..tokens.len())];
        let record = match self.chance(50) {
            true => Record {
                family: FAMILY,
                token: id(&mut self.dice),
                parent: Some(known),
            },
            false => Record {
                family: FAMILY,
                token: self.oracle.successor(known).unwrap_or(known),
                parent: Some(known),
            },
        };
        let now = self.clock(0);
        let recorded = self.ledger.record(&record, now);
        self.say(&format!(
            "a late record of {}: {recorded:?}",
            short(record.token)
        ));
        self.oracle.recorded(&record, recorded)
    }
}

fn id(dice: &mut StdRng) -> TokenId {
    let mut bytes = [0; 16];
    dice.fill_bytes(&mut bytes);
    TokenId::from_bytes(bytes)
}

fn short(token: TokenId) -> String {
    token.to_string()[..6].to_owned()
}

/// An answer in words, and what its receiver holds then.
fn tell(rotation: &Rotation) -> (String, Option<TokenId>) {
    match rotation {
        Rotation::Refused(refusal) => (refusal.as_str().to_owned(), None),
        Rotation::Rotated(rotated) => {
            let again = if rotated.is_repeat { "again " } else { "" };
            let held = rotated.successor;
            (
                format!("{again}{}", held.map(short).unwrap_or_default()),
                held,
            )
        }
    }
}
