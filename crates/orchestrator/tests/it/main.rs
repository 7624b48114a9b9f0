//! Services and reconcilers over a real database, with a provider whose machines are rows in memory and
//! whose agents are the tests themselves.

/// The tests of a suite on one provider.
macro_rules! tests_on {
    ($provider:ident $start:path, { $($test:ident)* }) => {
        mod $provider {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($start).await;
                }
            )*
        }
    };
}

/// A suite that every provider must pass. Each test takes what starts a simulated provider.
macro_rules! on_every_provider {
    ($($test:ident,)*) => { sim::every_provider!(tests_on { $($test)* }); };
}

mod agents;
mod bases;
mod captioning;
mod checkpoints;
mod copies;
mod crashes;
mod damage;
mod datasets;
mod disk;
mod edits;
mod fixture;
mod generations;
mod imports;
mod jobs;
mod judgements;
mod machines;
mod masks;
mod notices;
mod objects;
mod pool;
mod prompts;
mod reap;
mod rentals;
mod replicas;
mod restored;
mod storage;
mod uploads;
mod verify;
