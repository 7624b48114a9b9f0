//! Random interleavings, for jobs and for drawing sessions, of orders, crashes, faults, lag, prices, partitions and wrong clocks.
//!
//! Whatever happens: what the provider has charged for a job or a session never passes its limit, and no machine lives past
//! its deadline and the time for the kill, as long as one of the three killers works: the agent's dead-man switch,
//! the server, the reaper. In the end the ledger equals the bill. The switch and the way in which a machine ends itself
//! are those of the agent; only the work and its calls are played.
//!
//! `MORPHEUS_SPEND_SEQUENCES` says how many each provider gets, `MORPHEUS_SPEND_SEED` repeats a run.

mod work;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::reap;
use protocol::{
    MicroUsd,
    agent::{Directive, WorkKind},
    phase::Outcome,
    spend::InstancePhase,
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use rental::{
    MachineName,
    deadman::{Contact, Deadman, Decision, Environment, Moment, Progress, Start as Booted},
};
use sim::rented::{Death, Fault, Reads, Reply, Route, Start, What};

use self::work::Work;
use super::office::{Crashing, Office, USD};
use crate::fixture::{Agent, Held};

/// The time between two looks; everything that is modeled happens at them.
const LOOK: Duration = Duration::from_secs(30);
const KILL: TimeDelta = TimeDelta::minutes(6);
/// How wrong a machine's clock may be.
const MOST_SKEW_S: i64 = 3_600;

/// Which of the three end machines in this sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Killers {
    agent: bool,
    server: bool,
    reaper: bool,
}

/// What happens on a machine.
struct Inside {
    agent: Agent,
    switch: Deadman,
    held: Option<Held>,
    /// It draws for a session, instead of training.
    draws: bool,
    clocks: Clocks,
    /// It needs all the time that it is given to leave.
    is_slow: bool,
}

/// The clocks of a machine: a steady one, and one that is wrong.
#[derive(Debug, Clone, Copy)]
struct Clocks {
    from: DateTime<Utc>,
    ahead: TimeDelta,
}

struct Sequence<'a> {
    office: &'a mut Office,
    random: StdRng,
    killers: Killers,
    machines: BTreeMap<String, Inside>,
    /// The server is not there until then.
    down_until: DateTime<Utc>,
    /// Agents cannot reach it until then.
    cut_off_until: DateTime<Utc>,
    limit: MicroUsd,
    before: MicroUsd,
    /// What is rented for.
    work: Option<Work>,
    log: Arc<Mutex<Vec<String>>>,
}

/// In parts, which run beside each other.
macro_rules! parts {
    ($($name:ident: $part:expr),* $(,)?) => {
        $(
            async fn $name(start: Start) {
                no_interleaving_leads_past_a_limit_or_forgets_a_machine(start, $part).await;
            }
        )*
        on_every_provider! { $($name,)* }
    };
}

const N_PARTS: u64 = 4;
/// Of all sequences, those in which one killer is alone from the beginning.
const ALONE_PART: u64 = 12;
parts! {
    part_0: Part::Any(0),
    part_1: Part::Any(1),
    part_2: Part::Any(2),
    part_3: Part::Any(3),
    drawing_0: Part::Drawing(0),
    drawing_1: Part::Drawing(1),
    the_agent_alone_is_enough: Part::Alone(Killers { agent: true, ..Killers::NONE }),
    the_server_alone_is_enough: Part::Alone(Killers { server: true, ..Killers::NONE }),
    the_reaper_alone_is_enough: Part::Alone(Killers { reaper: true, ..Killers::NONE }),
}

/// Which sequences.
#[derive(Debug, Clone, Copy)]
enum Part {
    /// Every fourth, with any killers.
    Any(u64),
    /// The same for drawing sessions.
    Drawing(u64),
    /// Some, with this one.
    Alone(Killers),
}

async fn no_interleaving_leads_past_a_limit_or_forgets_a_machine(start: Start, part: Part) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let n_sequences = number("MORPHEUS_SPEND_SEQUENCES").unwrap_or(60);
    let seed = number("MORPHEUS_SPEND_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
    eprintln!("MORPHEUS_SPEND_SEED={seed} MORPHEUS_SPEND_SEQUENCES={n_sequences}, {part:?}");
    let sequences: Vec<u64> = match part {
        Part::Any(n) | Part::Drawing(n) => (n..n_sequences).step_by(N_PARTS as usize).collect(),
        Part::Alone(_) => (0..n_sequences.div_ceil(ALONE_PART)).collect(),
    };
    let mut office = Office::crashing(start).await;
    for (n, sequence) in sequences.into_iter().enumerate() {
        if n % 50 == 49 {
            office = Office::crashing(start).await;
        }
        let log = Arc::new(Mutex::new(vec![format!("sequence {sequence} of seed {seed}")]));
        let told = Told(Arc::clone(&log));
        let mut random = StdRng::seed_from_u64(seed.wrapping_add(sequence));
        let killers = match part {
            Part::Any(_) | Part::Drawing(_) => Killers::random(&mut random),
            Part::Alone(killers) => killers,
        };
        let draws = matches!(part, Part::Drawing(_));
        Box::pin(run(&mut office, random, killers, draws, log)).await;
        drop(told);
    }
}

impl Killers {
    const NONE: Self = Self {
        agent: false,
        server: false,
        reaper: false,
    };

    /// At least one.
    fn random(random: &mut StdRng) -> Self {
        loop {
            let killers = Self {
                agent: random.random(),
                server: random.random(),
                reaper: random.random(),
            };
            if killers != Self::NONE {
                return killers;
            }
        }
    }
}

/// Shows what happened when the sequence fails.
struct Told(Arc<Mutex<Vec<String>>>);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.lock().unwrap().join("\n"));
        }
    }
}

async fn run(
    office: &mut Office,
    mut random: StdRng,
    killers: Killers,
    draws: bool,
    log: Arc<Mutex<Vec<String>>>,
) {
    office.restart(None);
    let limit = MicroUsd(random.random_range(USD..30 * USD));
    let (start, before) = (office.sim.now(), office.sim.bill());
    let mut sequence = Sequence {
        office,
        random,
        killers,
        machines: BTreeMap::new(),
        down_until: start,
        cut_off_until: start,
        limit,
        before,
        work: None,
        log,
    };
    sequence.note(format!("{killers:?}, limit {limit}"));
    let Some(work) = sequence.submit(draws).await else {
        // The limit is too small for any machine.
        return;
    };
    sequence.work = Some(work);
    sequence.set_faults();
    // Without the server's eyes on it, a machine can be ordered but not watched.
    let n_looks = sequence.random.random_range(10..90);
    for _ in 0..n_looks {
        sequence.look().await;
        if sequence.is_ended(work).await && sequence.office.sim.living().is_empty() {
            break;
        }
    }
    // Everything works again, and the user has had enough.
    sequence.note("everything works again".to_owned());
    sequence.office.sim.clear_faults();
    sequence.office.restart(None);
    sequence.down_until = start;
    sequence.cut_off_until = start;
    sequence.killers = Killers {
        agent: true,
        server: true,
        reaper: true,
    };
    let owner = sequence.office.bench.owner();
    if !sequence.is_ended(work).await {
        let orchestrator = &sequence.office.bench.orchestrator;
        match work {
            Work::Job(id) => drop(orchestrator.cancel_job(owner, id).await.unwrap()),
            Work::Drawing(id) => drop(orchestrator.end_drawing_session(owner, id).await.unwrap()),
        }
    }
    for _ in 0..400 {
        sequence.look().await;
        let alive = sequence.office.instances().await;
        if alive.iter().all(|machine| machine.phase == InstancePhase::Gone) {
            break;
        }
    }
    let office = &*sequence.office;
    office
        .bench
        .orchestrator
        .unhalt(office.kind().name())
        .await
        .unwrap();
    office.settle().await;
    assert!(sequence.is_ended(work).await, "{work:?}");
    let office = sequence.office;
    let (reserved, spent) = match work {
        Work::Job(id) => {
            let spend = office.job(id).await.spend;
            (spend.reserved_micro_usd, spend.spent_micro_usd)
        }
        Work::Drawing(id) => {
            let session = store::drawing::get(office.bench.store(), owner, id)
                .await
                .unwrap();
            (session.reserved_micro_usd, session.spent_micro_usd)
        }
    };
    assert_eq!(reserved, MicroUsd::ZERO);
    assert_eq!(spent, office.sim.bill() - before);
    office.audit().await;
}

impl Sequence<'_> {
    fn note(&self, what: String) {
        let line = format!("{} {what}", self.office.sim.now().format("%H:%M:%S"));
        self.log.lock().unwrap().push(line);
    }

    fn chance(&mut self, of_hundred: u32) -> bool {
        self.random.random_ratio(of_hundred, 100)
    }

    /// Lays down what will go wrong, within what one working killer can bear.
    fn set_faults(&mut self) {
        let only_agent = !self.killers.server && !self.killers.reaper;
        let mut faults: Vec<(u32, Fault)> = vec![
            (
                25,
                Fault::once(What::CreateLost {
                    reply: Reply::Status500,
                }),
            ),
            (10, Fault::once(What::CreateLost { reply: Reply::Reset })),
            (
                10,
                Fault::once(What::Silence {
                    route: Route::Create,
                    reply: Reply::Reset,
                }),
            ),
            (
                10,
                Fault::always(What::NoCapacity {
                    gpu: Some(self.office.gpus().cheapest.to_owned()),
                }),
            ),
            (
                20,
                Fault::always(What::Lag {
                    reads: Reads::Both,
                    seconds: 60,
                }),
            ),
            (
                10,
                Fault::always(What::Omit {
                    reads: Reads::List,
                    seconds: 120,
                }),
            ),
            (10, Fault::always(What::DeleteIgnored { seconds: Some(90) })),
            (
                10,
                Fault::always(What::Answer {
                    route: Route::Delete,
                    status: 500,
                    retry_after_s: None,
                })
                .percent(40),
            ),
            (
                10,
                Fault::always(What::Answer {
                    route: Route::List,
                    status: 500,
                    retry_after_s: None,
                })
                .percent(30),
            ),
            (
                5,
                Fault::once(What::Answer {
                    route: Route::Create,
                    status: 402,
                    retry_after_s: None,
                }),
            ),
            (
                5,
                Fault::once(What::Answer {
                    route: Route::Create,
                    status: 403,
                    retry_after_s: None,
                }),
            ),
            (10, Fault::once(What::Price { percent: 180 })),
            (
                20,
                Fault::once(What::PriceChange {
                    after_s: 900,
                    percent: 109,
                }),
            ),
        ];
        // A machine without an agent is the server's or the reaper's to end.
        if !only_agent {
            let how = *[Death::Vanishes, Death::Error, Death::Exited]
                .choose(&mut self.random)
                .unwrap();
            faults.push((15, Fault::once(What::Dies { after_s: 1200, how })));
            faults.push((10, Fault::once(What::StuckProvisioning)));
        }
        for (of_hundred, fault) in faults {
            if self.chance(of_hundred) {
                self.note(format!("{:?}", fault.what));
                self.office.sim.fault(fault);
            }
        }
    }

    /// Half a minute: time passes, and whoever is there acts.
    async fn look(&mut self) {
        self.office.sim.step(LOOK);
        let now = self.office.sim.now();
        if self.chance(2) {
            self.cut_off_until = now + TimeDelta::minutes(self.random.random_range(1..60));
            self.note(format!("cut off until {}", self.cut_off_until.format("%H:%M:%S")));
        }
        if now >= self.down_until {
            self.server(now).await;
        }
        self.ask_for_a_picture().await;
        self.meet_new_machines(now).await;
        self.machines(now).await;
        if self.killers.reaper {
            let options = reap::Options {
                patience: Duration::ZERO,
                ..reap::Options::default()
            };
            // It looks again at its next round.
            let _ = reap::round(self.office.account.as_ref(), &options).await;
        }
        self.check(now);
    }

    async fn server(&mut self, now: DateTime<Utc>) {
        if self.chance(3) {
            let crash = *Crashing::ALL.choose(&mut self.random).unwrap();
            self.note(format!("the server will die {crash:?}"));
            self.office.restart(Some(crash));
        }
        if self.office.pass_or_crash().await {
            return;
        }
        self.note("the server is dead".to_owned());
        let minutes = self.random.random_range(0..15);
        self.down_until = now + TimeDelta::minutes(minutes);
        if !self.killers.server && !self.office.sim.living().is_empty() {
            // It never comes back while there is something to end.
            self.down_until = now + TimeDelta::days(365);
        }
        self.office.restart(None);
    }

    async fn meet_new_machines(&mut self, now: DateTime<Utc>) {
        for name in self.office.sim.living() {
            if self.machines.contains_key(&name) || self.office.sim.container_starts(&name) == 0 {
                continue;
            }
            // The token of a name that was given up is worth nothing any more: its agent ends its machine.
            let Some(agent) = self.office.agent_if_known(&name).await else {
                if self.killers.agent {
                    self.office.end(&name).await;
                }
                continue;
            };
            let ahead = match self.random.random_range(0..3) {
                0 => self.random.random_range(-MOST_SKEW_S..=MOST_SKEW_S),
                _ => 0,
            };
            self.note(format!("{name} has booted, its clock {ahead} s ahead"));
            let clocks = Clocks {
                from: now,
                ahead: TimeDelta::seconds(ahead),
            };
            let told = self.office.sim.environment(&name).unwrap();
            let environment = Environment::read(|variable| told.get(variable).cloned()).unwrap();
            let start = Booted {
                at: clocks.show(now),
                ran_before: Duration::ZERO,
                n_restarts: 0,
            };
            let inside = Inside {
                agent,
                switch: Deadman::new(environment, start),
                held: None,
                draws: matches!(self.work, Some(Work::Drawing(_))),
                clocks,
                is_slow: self.random.random(),
            };
            self.machines.insert(name, inside);
        }
        let living = self.office.sim.living();
        self.machines.retain(|name, _| living.contains(name));
    }

    async fn machines(&mut self, now: DateTime<Utc>) {
        let is_reachable = now >= self.cut_off_until && now >= self.down_until;
        let (gives_up, fails) = (self.chance(2), self.chance(1));
        let mut over = Vec::new();
        for (name, inside) in &mut self.machines {
            let moment = inside.clocks.show(now);
            if is_reachable && !inside.call(moment).await {
                over.push(name.clone());
                continue;
            }
            let is_over = match inside.switch.decide(moment) {
                Decision::Run => gives_up || fails,
                Decision::Leave(_) => !inside.is_slow || inside.switch.time_to_leave(moment) <= LOOK,
                Decision::Terminate(_) => true,
            };
            if self.killers.agent && is_over {
                if let (true, Some(held)) = (is_reachable, &inside.held) {
                    let outcome = if fails { Outcome::Failed } else { Outcome::Lost };
                    let _ = inside.agent.finish(held, outcome).await;
                }
                over.push(name.clone());
            }
        }
        for name in over {
            if self.killers.agent {
                self.office.end(&name).await;
            }
        }
    }

    fn check(&self, now: DateTime<Utc>) {
        let bill = self.office.sim.bill() - self.before;
        assert!(bill <= self.limit, "{bill} of {}", self.limit);
        for name in self.office.sim.living() {
            let parsed: MachineName = name.parse().unwrap();
            let late = now - parsed.deadline();
            assert!(late <= KILL, "{name} lives {late} past its deadline");
        }
    }
}

impl Inside {
    /// Claims, or renews its lease; false when the server wants nothing of it any more.
    async fn call(&mut self, asked: Moment) -> bool {
        let (lease_seconds, terms, goes_on) = match &self.held {
            // Each claim renews the lease; a picture that it is handed, it loses.
            None if self.draws => match self.claim_pictures().await {
                Some(answer) => answer,
                None => return false,
            },
            None => match self.agent.claim(WorkKind::Train).await {
                Ok(Some(assignment)) => {
                    let answer = (assignment.lease_seconds, assignment.terms);
                    self.held = Some(Held::of(assignment));
                    (answer.0, answer.1, true)
                }
                Ok(None) => return true,
                Err(_) => return false,
            },
            Some(held) => match self.agent.beat(held, Vec::new()).await {
                Ok(reply) => {
                    let goes_on = !reply.directives.contains(&Directive::Cancel);
                    (reply.lease_seconds, reply.terms, goes_on)
                }
                Err(_) => return false,
            },
        };
        assert!(terms.is_some(), "a rented machine has terms");
        self.switch.heard(Contact {
            asked,
            lease_seconds,
            terms,
        });
        self.switch.progressed(asked.monotonic, Progress::Step);
        goes_on
    }
}

impl Clocks {
    fn show(self, now: DateTime<Utc>) -> Moment {
        Moment {
            monotonic: (now - self.from).to_std().unwrap_or_default(),
            wall: now + self.ahead,
        }
    }
}
