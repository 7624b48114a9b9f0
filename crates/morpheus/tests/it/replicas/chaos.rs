//! What goes wrong: servers, agents and Redis die and come back, in an order that a seed decides.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use super::cluster::{Cluster, N_SERVERS};
use crate::support::kill;

/// Random numbers that a seed repeats: splitmix64. Cheap to clone; all clones share the sequence.
#[derive(Clone)]
pub(crate) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// A number from 0 to one before `n`.
    pub(crate) fn below(&self, n: usize) -> usize {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn wait_up_to(&self, milliseconds: usize) {
        std::thread::sleep(Duration::from_millis(self.below(milliseconds) as u64));
    }
}

/// A thread that kills.
pub(crate) struct Chaos {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<Done>,
}

/// What was done.
#[derive(Default)]
pub(crate) struct Done {
    servers: usize,
    agents: usize,
    redis: usize,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            servers,
            agents,
            redis,
        } = self;
        write!(
            f,
            "killed {servers} servers and {agents} agents, restarted or flushed Redis {redis} times"
        )
    }
}

impl Chaos {
    pub(crate) fn start(cluster: Cluster, dice: Dice) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&ending);
        let thread = std::thread::spawn(move || {
            let mut done = Done::default();
            while !asked.load(Ordering::Relaxed) {
                dice.wait_up_to(1500);
                do_something(&cluster, &dice, &mut done);
            }
            done
        });
        Self { ending, thread }
    }

    /// Ends it, with everything running.
    pub(crate) fn stop(self) -> Done {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Each of the three in turn, so that a short run has all of them.
fn do_something(cluster: &Cluster, dice: &Dice, done: &mut Done) {
    match (done.servers + done.agents + done.redis) % 4 {
        0 | 2 => {
            done.agents += 1;
            let agents = cluster.agents();
            if !agents.is_empty() {
                kill(agents[dice.below(agents.len())]);
            }
        }
        1 => {
            done.servers += 1;
            let n = dice.below(N_SERVERS);
            cluster.kill_server(n);
            dice.wait_up_to(2000);
            cluster.start_server(n);
        }
        _ => {
            done.redis += 1;
            let mut redis = cluster.redis();
            if dice.below(2) == 0 {
                redis.flush().unwrap();
            } else {
                redis.stop().unwrap();
                dice.wait_up_to(2000);
                redis.restart().unwrap();
            }
        }
    }
}
