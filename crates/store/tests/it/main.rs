//! The store against its real backends. Each trait or backend-dependent part has one suite, a function that
//! takes the opened store, so that every backend runs the same.

mod blobs;
mod buckets;
mod database;
mod events;
mod fixture;
mod leases;
mod maintenance;
mod populate;
mod postgres_only;
mod queue;
mod together;

use fixture::TestStore;

/// Every suite on each database, each test with a store of its own.
macro_rules! on_every_backend {
    ($($module:ident::$suite:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $suite() -> anyhow::Result<()> {
                    super::$module::$suite(super::TestStore::sqlite().await?).await
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $suite() -> anyhow::Result<()> {
                    super::$module::$suite(super::TestStore::postgres().await?).await
                }
            )*
        }
    };
}

on_every_backend! {
    database::keeps_datasets,
    database::freezes_equal_pictures_once,
    database::keeps_the_recipe_in_columns,
    database::refuses_what_breaks_a_rule,
    database::tokens_speak_for_their_owner,
    database::versions_follow_jobs,
    events::are_gapless_under_concurrent_writers,
    events::vanish_with_their_transaction,
    events::followers_hear_of_commits,
    events::make_charts,
    leases::newest_claim_wins,
    leases::one_living_attempt_for_each_job,
    leases::ended_attempts_stay_ended,
    together::start_and_migrate_once,
    together::add_a_picture_once,
    together::number_versions,
    together::keep_text_of_any_kind,
    queue::hands_each_job_out_once,
    queue::hands_each_generation_out_once,
    queue::is_first_in_first_out_and_waits,
}
