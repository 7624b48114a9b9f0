//! Bounded mutation: feeds damaged copies of good inputs to a function, which must neither panic nor take for ever.
//!
//! A target is a test of the crate whose function it calls. Its name begins with `fuzz_`, by which `make fuzz` finds
//! it, and it hands over good inputs and a check:
//!
//! ```no_run
//! # fn parse(_: &[u8]) {}
//! fn fuzz_captions() {
//!     sim::fuzz::run("captions", &[b"zora, smiling".to_vec()], |input| parse(input));
//! }
//! ```
//!
//! The check may assert more than that there is no panic: that a limit holds, or that what was read can be written
//! and read again. To add a target, write such a test, give it inputs that reach deep (a mutation of nothing is
//! noise), and it runs in `make test` for [`DEFAULT_SECONDS`] and in `make fuzz` for as long as one likes.
//!
//! | variable | |
//! |---|---|
//! | `FUZZ_SECONDS` | how long each target runs |
//! | `FUZZ_TARGET` | runs this target alone; the others pass at once |
//! | `FUZZ_SEED` | draws the inputs from this seed in place of [`DEFAULT_SEED`]; `make fuzz` takes a new one each time |
//! | `FUZZ_CASE` | runs this case of the seed alone: a failure prints both |

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    str::FromStr,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

mod mutate;

pub use mutate::Mutator;

/// How long a target runs when nothing else is asked for.
pub const DEFAULT_SECONDS: f64 = 10.0;

/// `make test` draws the same inputs each time, so that it fails for a change and not by chance.
pub const DEFAULT_SEED: u64 = 12;

/// No single input may take more of the processor. Wall time would say what else the machine does; a case that waits for
/// ever is ended by the test runner.
const MAX_CASE: Duration = Duration::from_secs(20);

/// The good inputs themselves first, then mutations of them until the time is over.
#[track_caller]
pub fn run(target: &str, good: &[Vec<u8>], mut check: impl FnMut(&[u8])) {
    assert!(!good.is_empty(), "a target needs good inputs to begin with");
    if env::var("FUZZ_TARGET").is_ok_and(|only| only != target) {
        return;
    }
    let seed = variable("FUZZ_SEED").unwrap_or(DEFAULT_SEED);
    let only: Option<u64> = variable("FUZZ_CASE");
    let time = Duration::from_secs_f64(variable("FUZZ_SECONDS").unwrap_or(DEFAULT_SECONDS));
    eprintln!("fuzz {target}: seed {seed}");
    let started = Instant::now();
    let mut case = only.unwrap_or(0);
    loop {
        let input = input(good, seed, case);
        one(target, seed, case, &input, &mut check);
        if only.is_some() || (started.elapsed() >= time && case >= good.len() as u64) {
            break;
        }
        case += 1;
    }
    eprintln!(
        "fuzz {target}: {} inputs in {:.1} s",
        case + 1,
        started.elapsed().as_secs_f64()
    );
}

/// Every case can be made again from its number alone.
fn input(good: &[Vec<u8>], seed: u64, case: u64) -> Vec<u8> {
    match usize::try_from(case).ok().and_then(|case| good.get(case)) {
        Some(input) => input.clone(),
        None => Mutator::new(seed, case).mutated(good),
    }
}

#[track_caller]
fn one(target: &str, seed: u64, case: u64, input: &[u8], check: &mut impl FnMut(&[u8])) {
    let started = processor_time();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(input)));
    let took = processor_time() - started;
    let again = format!("FUZZ_TARGET={target} FUZZ_SEED={seed} FUZZ_CASE={case} make fuzz");
    if let Err(panic) = outcome {
        eprintln!("fuzz {target}: case {case} of seed {seed} failed; {again} repeats it");
        eprintln!(
            "{} bytes: {}",
            input.len(),
            input[..input.len().min(2048)].escape_ascii()
        );
        resume_unwind(panic);
    }
    assert!(
        took < MAX_CASE,
        "took {took:?} of the processor for {} bytes; {again} repeats it",
        input.len()
    );
}

/// What this process has used of the processor, all threads together.
fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.try_into().expect("a time that only grows from zero")
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    let value = text.parse().ok();
    assert!(value.is_some(), "{name} must be a number, not `{text}`");
    value
}

#[cfg(test)]
mod tests;
