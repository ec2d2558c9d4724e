//! The mesh of one story: its peers, their machines, and what they share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auth_base::clock::Clock;
use hmac_propagation::options::Settings;
use hmac_propagation::propagator::Propagator;
use hmac_propagation::queue::PeerName;
use tokio::time::{Instant, sleep};

use crate::bus::Bus;
use crate::clock::SkewedClock;
use crate::damage::Damage;
use crate::dice::{Dice, lock};
use crate::history::{History, Trace};
use crate::host::{Dump, Host, secret_of};
use crate::oracle::Oracle;
use crate::plan::Plan;
use crate::process::Process;
use crate::strike::{Kind, Strike};

/// A target that is in the inventory and never runs; it may vanish from the inventory.
pub const GHOST: &str = "ghost";

/// A story.
pub struct World {
    /// What may go wrong.
    pub plan: Plan,
    /// How the propagators are tuned.
    pub settings: Settings,
    /// What happened.
    pub history: History,
    /// The broker.
    pub bus: Arc<Bus>,
    /// What ought to be.
    pub oracle: Oracle,
    /// What was done to stores past the propagation.
    pub damage: Damage,
    /// Chance.
    pub dice: Dice,
    /// The peers.
    pub hosts: BTreeMap<PeerName, Arc<Host>>,
    /// Where they run.
    pub machines: Vec<Machine>,
    dumps: Mutex<BTreeMap<PeerName, Arc<Dump>>>,
    faults: AtomicBool,
    processes: AtomicU64,
}

/// Where one process of a peer runs at a time.
pub struct Machine {
    /// The peer.
    pub name: PeerName,
    /// Its clock.
    pub clock: Arc<SkewedClock>,
    running: Mutex<Option<(Arc<Process>, Propagator)>>,
}

impl World {
    /// Makes the mesh of a seed; nothing runs yet.
    pub fn new(seed: u64, trace: Trace) -> Arc<Self> {
        let dice = Dice::new(seed);
        let plan = Plan::draw(seed, &dice);
        let settings = plan.settings(&dice);
        let since = Instant::now();
        let names = |prefix: &str, n: usize| -> Vec<PeerName> {
            (1..=n)
                .filter_map(|i| PeerName::parse(&format!("{prefix}-{i}")).ok())
                .collect()
        };
        let (sources, targets) = (names("source", plan.sources), names("target", plan.targets));
        let replica = sources.first().filter(|_| plan.replica).cloned();
        let machines: Vec<Machine> = sources
            .iter()
            .chain(&targets)
            .cloned()
            .chain(replica)
            .map(|name| Machine {
                name,
                clock: clock(&plan, &dice, since),
                running: Mutex::default(),
            })
            .collect();
        let mut hosts = BTreeMap::new();
        for machine in &machines {
            let clock: Arc<dyn Clock> = machine.clock.clone();
            let host = || {
                Arc::new(Host::new(
                    machine.name.clone(),
                    sources.contains(&machine.name),
                    &clock,
                ))
            };
            hosts.entry(machine.name.clone()).or_insert_with(host);
        }
        for management in hosts.values().filter_map(|host| host.management.as_ref()) {
            for name in hosts.keys().cloned().chain(PeerName::parse(GHOST)) {
                let secret = secret_of(&name);
                management.put_target(name, secret);
            }
        }
        Arc::new(Self {
            plan,
            settings,
            history: History::new(trace),
            bus: Arc::default(),
            oracle: Oracle::default(),
            damage: Damage::default(),
            dice,
            hosts,
            machines,
            dumps: Mutex::default(),
            faults: AtomicBool::new(true),
            processes: AtomicU64::new(0),
        })
    }

    /// The peer of that name, if it runs in this story.
    pub fn find_host(&self, name: &PeerName) -> Option<&Arc<Host>> {
        self.hosts.get(name)
    }

    /// A dump that was made of a peer's store.
    pub fn find_dump(&self, name: &PeerName) -> Option<Arc<Dump>> {
        lock(&self.dumps).get(name).cloned()
    }

    /// Keeps a dump of a peer's store, to be restored some time.
    pub fn keep_dump(&self, name: &PeerName, dump: Dump) {
        lock(&self.dumps).insert(name.clone(), Arc::new(dump));
    }

    /// Full-mode peers.
    pub fn sources(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values().filter(|host| host.management.is_some())
    }

    /// Tells whether faults still strike.
    pub fn faults_on(&self) -> bool {
        self.faults.load(Ordering::Relaxed)
    }

    /// From here on nothing goes wrong any more.
    pub fn stop_faults(&self) {
        self.faults.store(false, Ordering::Relaxed);
        self.history.note("world", "faults stop", String::new);
    }

    /// Tells whether faults of this kind strike now.
    pub fn strikes(&self, kind: Kind) -> bool {
        let planned = match kind {
            Kind::Store => self.plan.store,
            Kind::Management => self.plan.management,
            Kind::Broker => self.plan.broker,
            Kind::View => self.plan.drift && !self.plan.is_calm(),
        };
        planned && self.faults_on()
    }

    /// What happens to the next call of this kind.
    pub fn strike(&self, kind: Kind) -> Strike {
        if self.plan.crashes && self.faults_on() && self.dice.one_in(self.plan.rate * 6) {
            return if self.dice.one_in(2) {
                Strike::DieBefore
            } else {
                Strike::DieAfter
            };
        }
        if !self.strikes(kind) || !self.dice.one_in(self.plan.rate) {
            return Strike::Nothing;
        }
        match self.dice.below(6) {
            0 | 1 => Strike::FailBefore,
            2 | 3 => Strike::FailAfter,
            4 => Strike::HangBefore,
            _ => Strike::HangAfter,
        }
    }

    /// How long the next step of a call takes, in milliseconds. A call has two of them, which together are shorter than the
    /// timeout of the management store: else a claim could be lost in a story whose leases count on none being lost.
    pub fn latency_ms(&self) -> u64 {
        if self.plan.latency_ms == 0 || self.dice.one_in(2) {
            return 0;
        }
        let spike = self.faults_on() && !self.plan.is_calm() && self.dice.one_in(40);
        self.dice
            .below(if spike { 140 } else { self.plan.latency_ms + 1 })
    }

    /// A step of the look for drift that may be late, but within its timeout: time for whatever else happens.
    pub async fn dawdle(&self) {
        if self.strikes(Kind::View) && self.dice.one_in(2) {
            sleep(Duration::from_millis(self.dice.between(20, 150))).await;
        }
    }

    /// How long a consumer dawdles now, in milliseconds.
    pub fn slow_ms(&self) -> u64 {
        let slow = self.plan.disorder && self.faults_on() && self.dice.one_in(10);
        if slow { self.dice.between(20, 250) } else { 0 }
    }

    /// A new process of a machine; nothing runs in it yet.
    pub fn new_process(&self, machine: usize) -> Option<Arc<Process>> {
        let place = self.machines.get(machine)?;
        let id = self.processes.fetch_add(1, Ordering::Relaxed) + 1;
        let (name, clock) = (place.name.clone(), Arc::clone(&place.clock));
        Some(Arc::new(Process::new(id, name, machine, clock)))
    }

    /// Keeps what runs on a machine from here on.
    pub fn runs(&self, machine: usize, process: &Arc<Process>, propagator: Propagator) {
        if let Some(place) = self.machines.get(machine) {
            *lock(&place.running) = Some((Arc::clone(process), propagator));
        }
    }

    /// Ends a process at once: what it had in hand goes back to the broker.
    pub fn kill(&self, process: &Process) {
        if !process.is_dead() {
            self.history.note(&process.label, "dies", String::new);
            process.die();
            self.bus.cut(process.id, None);
        }
    }

    /// Drops what is left of a process on a machine.
    pub fn clear(&self, machine: usize) {
        if let Some(place) = self.machines.get(machine) {
            let left = lock(&place.running).take();
            drop(left);
        }
    }

    /// Drops what is left of every process: each of them holds the world.
    pub fn end(&self) {
        for machine in 0..self.machines.len() {
            self.clear(machine);
        }
    }

    /// What runs on a machine.
    pub fn running(&self, machine: usize) -> Option<(Arc<Process>, Propagator)> {
        lock(&self.machines.get(machine)?.running).clone()
    }
}

fn clock(plan: &Plan, dice: &Dice, since: Instant) -> Arc<SkewedClock> {
    let wrong = i64::try_from(dice.below(4_000)).unwrap_or_default() - 2_000;
    Arc::new(SkewedClock::new(since, if plan.clocks { wrong } else { 0 }))
}
