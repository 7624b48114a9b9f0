//! How a machine terminates itself at its provider: every known way, repeated until it is gone.
//!
//! A success response is not trusted: it only worked if this process stops running.

use std::time::Duration;

use protocol::spend::env;
use tokio::time::{Instant, sleep_until};

use super::{Environment, Scale};
use crate::{Kind, OwnEnd, Refused, children::Children, providers};

/// Each way is tried so often in a round.
const N_TRIES: u32 = 3;
/// Between two tries at first; it doubles.
const TRY_PAUSE: Duration = Duration::from_secs(1);
/// Between two rounds, by the provider's clock.
pub const ROUND_PAUSE: Duration = Duration::from_secs(60);

/// The machine that this process runs on, as its provider knows it.
#[derive(Debug)]
pub struct ThisMachine {
    /// One, unless nobody knows who the provider is; then one for each provider that there is.
    ends: Vec<Box<dyn OwnEnd>>,
    scale: Scale,
}

impl ThisMachine {
    /// What the environment says of it. Whatever is wrong with the environment, there is a machine to end.
    pub fn from_env() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let provider = lookup(env::PROVIDER).unwrap_or_default();
        let kinds: Vec<&dyn Kind> = match providers::find(&provider) {
            Some(kind) => vec![kind],
            None => {
                tracing::error!(
                    provider,
                    "there is no provider of this name; trying all that are known"
                );
                providers::REGISTERED.to_vec()
            }
        };
        Self {
            ends: kinds.into_iter().map(|kind| kind.own_end(&lookup)).collect(),
            scale: Environment::scale(lookup).unwrap_or_default(),
        }
    }

    /// What tells this machine from others.
    pub fn name(&self) -> &str {
        let named = self.ends.iter().find_map(|end| end.machine());
        named.unwrap_or("unknown")
    }

    /// Ends the machine. It returns only by the machine's end.
    pub async fn end(&self, children: &mut Option<Children>) -> ! {
        let mut n_rounds = 0_u64;
        loop {
            n_rounds += 1;
            let mut is_accepted = false;
            for end in &self.ends {
                is_accepted |= self.round(end.as_ref(), n_rounds > 1, children).await;
            }
            tracing::warn!(
                machine.id = self.name(),
                round = n_rounds,
                is_accepted,
                "waiting for this machine to terminate"
            );
            self.pause(ROUND_PAUSE, children).await;
        }
    }

    /// Tries one way after the other, until one is accepted; all of them when an accepted one has not helped before.
    async fn round(&self, end: &dyn OwnEnd, tries_all: bool, children: &mut Option<Children>) -> bool {
        let id = self.name();
        let mut is_accepted = false;
        for way in end.ways() {
            for n_tries in 0..N_TRIES {
                match end.try_to_end(way, children).await {
                    Ok(()) => {
                        tracing::info!(machine.id = id, %way, "the provider accepted the termination of this machine");
                        is_accepted = true;
                        break;
                    }
                    Err(Refused::Always(why)) => {
                        tracing::debug!(%way, why, "no way to terminate this machine");
                        break;
                    }
                    Err(Refused::Now(why)) => {
                        tracing::warn!(machine.id = id, %way, error = why, "failed to terminate this machine");
                    }
                }
                if n_tries + 1 < N_TRIES {
                    self.pause(TRY_PAUSE * 2_u32.pow(n_tries), children).await;
                }
            }
            if is_accepted && !tries_all {
                break;
            }
        }
        is_accepted
    }

    /// Waits by the provider's clock, and reaps what ends meanwhile.
    async fn pause(&self, time: Duration, children: &mut Option<Children>) {
        let end = Instant::now() + self.scale.real(time);
        loop {
            let ended = async {
                match children {
                    Some(children) => drop(children.next_end().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended => {}
                () = sleep_until(end) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
