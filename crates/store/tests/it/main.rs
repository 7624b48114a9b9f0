//! The store against its real backends. Each trait or backend-dependent part has one suite, a function that
//! takes the opened store, so that every backend runs the same.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod access;
mod backups;
mod blobs;
mod buckets;
mod captioning;
mod checks;
mod database;
mod edits;
mod events;
mod faults;
mod files;
mod fixture;
mod idempotency;
mod imports;
mod leases;
mod library;
mod maintenance;
mod marks;
mod older_data;
mod outbox;
mod own_presets;
mod populate;
mod postgres_only;
mod queue;
mod replaced;
mod signals;
mod tls;
mod together;
mod trash;

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
    database::adds_columns_of_new_hyperparameters,
    database::refuses_what_breaks_a_rule,
    database::tokens_speak_for_their_owner,
    access::sessions_end_with_their_tokens,
    access::signing_in_and_out_do_not_pass_each_other,
    access::the_log_is_kept_for_its_time,
    database::versions_follow_jobs,
    database::a_judgement_is_kept_with_the_checkpoint_that_is_stored,
    edits::go_from_phase_to_phase,
    edits::keep_what_they_made,
    events::are_gapless_under_concurrent_writers,
    events::vanish_with_their_transaction,
    checks::keep_measures_to_the_last_bit,
    checks::list_pictures_page_by_page,
    checks::know_the_panels_of_pages,
    checks::acknowledge_a_content_once,
    checks::edit_captions_that_nobody_changed_meanwhile,
    checks::keep_the_newest_edits,
    captioning::endpoints_keep_their_secrets,
    captioning::one_server_at_a_time_describes,
    captioning::stop_when_they_are_told,
    events::followers_hear_of_commits,
    events::make_charts,
    events::make_charts_of_long_jobs,
    events::make_charts_of_a_million_steps_quickly,
    faults::pass_without_a_trace,
    faults::may_hide_that_a_commit_succeeded,
    faults::are_not_overlooked,
    faults::do_not_come_of_requests_that_are_dropped,
    faults::show_in_the_proof,
    files::of_every_kind_are_kept,
    files::show_what_versions_were_found_to_be,
    files::tell_which_first_samples_there_are,
    idempotency::keep_an_answer_with_what_it_tells_of,
    idempotency::make_one_thing_of_two_requests,
    imports::are_versions_without_a_job,
    imports::keep_their_files,
    leases::newest_claim_wins,
    leases::one_living_attempt_for_each_job,
    leases::ended_attempts_stay_ended,
    together::start_and_migrate_once,
    together::add_a_picture_once,
    together::number_versions,
    together::keep_text_of_any_kind,
    events::leave_out_what_is_not_wanted,
    outbox::hands_a_notice_out_until_it_arrived,
    outbox::no_receiver_waits_for_another,
    outbox::tells_once_that_a_job_waits,
    outbox::tells_of_the_disk_once_an_hour,
    outbox::tells_of_what_was_committed,
    library::label_what_is_there,
    library::models_show_what_their_owner_chose,
    trash::hides_and_brings_back,
    trash::is_purged_with_its_files,
    trash::is_purged_but_for_money,
    trash::is_not_purged_while_it_is_needed,
    trash::lists_what_rules_may_name,
    own_presets::are_kept_by_name,
    own_presets::have_a_name_once,
    queue::counts_jobs_by_phase,
    queue::says_once_why_a_job_waits,
    queue::hands_each_job_out_once,
    queue::hands_each_generation_out_once,
    queue::is_first_in_first_out_and_waits,
    queue::hands_urgent_jobs_out_first,
    queue::keeps_to_the_limit,
    queue::waits_for_no_wrong_clock,
}

/// The suites of the signals, on everything that carries them.
mod signals_in_process {
    use crate::signals::{self, Servers};

    #[tokio::test]
    async fn reach_every_server() -> anyhow::Result<()> {
        signals::reach_every_server(Servers::in_process().await?).await
    }

    #[tokio::test]
    async fn carry_a_burst() -> anyhow::Result<()> {
        signals::carry_a_burst(Servers::in_process().await?).await
    }
}

mod signals_over_postgres {
    use crate::signals::{self, Servers};

    #[tokio::test]
    async fn reach_every_server() -> anyhow::Result<()> {
        signals::reach_every_server(Servers::over_postgres().await?).await
    }

    #[tokio::test]
    async fn carry_a_burst() -> anyhow::Result<()> {
        signals::carry_a_burst(Servers::over_postgres().await?).await
    }

    #[tokio::test]
    async fn keep_to_their_installation() -> anyhow::Result<()> {
        let (ours, theirs) = (Servers::over_postgres().await?, Servers::over_postgres().await?);
        signals::keep_to_their_installation(ours, theirs).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outlive_a_connection_that_breaks() -> anyhow::Result<()> {
        let servers = Servers::over_postgres().await?;
        signals::outlive_their_service(&servers, || servers.cut_listeners_off(), || Ok(())).await
    }
}

mod signals_over_redis {
    use std::cell::RefCell;

    use sim::redis::{self, Redis};

    use crate::signals::{self, Servers};

    #[tokio::test]
    async fn reach_every_server() -> anyhow::Result<()> {
        signals::reach_every_server(Servers::over_redis(&redis::shared()?).await?).await
    }

    #[tokio::test]
    async fn carry_a_burst() -> anyhow::Result<()> {
        signals::carry_a_burst(Servers::over_redis(&redis::shared()?).await?).await
    }

    #[tokio::test]
    async fn keep_to_their_installation() -> anyhow::Result<()> {
        let url = redis::shared()?;
        let (ours, theirs) = (Servers::over_redis(&url).await?, Servers::over_redis(&url).await?);
        signals::keep_to_their_installation(ours, theirs).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outlive_a_redis_that_stops() -> anyhow::Result<()> {
        let redis = RefCell::new(Redis::start()?);
        let url = redis.borrow().url();
        let stop = || redis.borrow_mut().stop();
        let start = || redis.borrow_mut().restart();
        signals::outlive_their_service(&Servers::over_redis(&url).await?, stop, start).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn outlive_a_redis_that_forgets() -> anyhow::Result<()> {
        let redis = Redis::start()?;
        let servers = Servers::over_redis(&redis.url()).await?;
        signals::outlive_their_service(&servers, || redis.flush(), || redis.flush()).await
    }

    #[tokio::test]
    async fn start_while_redis_is_away() -> anyhow::Result<()> {
        let mut redis = Redis::start()?;
        redis.stop()?;
        let servers = Servers::over_redis(&redis.url()).await?;
        redis.restart()?;
        signals::reach_every_server(servers).await
    }

    #[tokio::test]
    async fn refuse_wrong_settings() -> anyhow::Result<()> {
        let mut redis = Redis::start()?;
        redis.require_password("right")?;
        let address = redis.url().replace("redis://", "");
        for (url, expected) in [
            (
                format!("redis://:wrong@{address}"),
                "queue: failed to use `redis://…@",
            ),
            (format!("redis://{address}"), "queue: failed to use `redis://"),
            (
                "memcached://localhost".to_owned(),
                "queue: `memcached://localhost` is not supported; use redis://",
            ),
        ] {
            let folder = tempfile::tempdir()?;
            let opened = store::Store::builder(folder.path()).queue(Some(url)).open().await;
            let message = opened.map(|_| ()).unwrap_err().to_string();
            assert!(message.starts_with(expected), "{message}");
        }
        let servers = Servers::over_redis(&format!("redis://:right@{address}")).await?;
        signals::reach_every_server(servers).await
    }
}
