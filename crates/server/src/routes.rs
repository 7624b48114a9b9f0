//! All routes of the API, one module per noun.

use protocol::text::checked_name;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    error::{ApiError, ApiResult},
    state::AppState,
};

pub(crate) mod access;
pub(crate) mod agent;
pub(crate) mod audit;
pub(crate) mod bases;
pub(crate) mod blobs;
pub(crate) mod captioning;
pub(crate) mod captions;
pub(crate) mod checks;
pub(crate) mod datasets;
pub(crate) mod drawing_sessions;
pub(crate) mod edits;
pub(crate) mod exports;
pub(crate) mod generations;
pub(crate) mod health;
pub(crate) mod imports;
pub(crate) mod items;
pub(crate) mod job_events;
pub(crate) mod jobs;
pub(crate) mod key;
pub(crate) mod library;
pub(crate) mod models;
pub(crate) mod openai;
mod page;
pub(crate) mod panels;
pub(crate) mod prompts;
pub(crate) mod recipes;
pub(crate) mod spend;
pub(crate) mod system;
pub(crate) mod thumbnails;
pub(crate) mod trash;
pub(crate) mod webhooks;

/// Every documented route.
pub(crate) fn documented() -> OpenApiRouter<AppState> {
    open().nest("/api/v1", protected()).nest("/v1", openai_shaped())
}

/// Whether a path is of the routes in the shape of OpenAI's API.
pub(crate) fn is_openai_shaped(path: &str) -> bool {
    path.strip_prefix("/v1")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Routes below `/v1`, in the shape of OpenAI's API, which `app` protects.
pub(crate) fn openai_shaped() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(openai::create_images))
        .routes(routes!(openai::list_image_models))
        .routes(routes!(openai::get_image_model))
}

/// Routes without authentication.
pub(crate) fn open() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(access::log_in))
}

/// Routes below `/api/v1`, which `app` protects.
pub(crate) fn protected() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(access::session, access::sign_out))
        .routes(routes!(access::list_sessions, access::sign_out_everywhere))
        .routes(routes!(access::end_session))
        .routes(routes!(audit::list_audit))
        .routes(routes!(access::list_tokens, access::create_token))
        .routes(routes!(access::delete_token))
        .routes(routes!(webhooks::list_webhooks, webhooks::create_webhook))
        .routes(routes!(webhooks::delete_webhook))
        .routes(routes!(webhooks::test_webhook))
        .routes(routes!(webhooks::test_mail))
        .routes(routes!(webhooks::list_deliveries))
        .routes(routes!(webhooks::send_again))
        .routes(routes!(system::get_system))
        .routes(routes!(bases::list_base_models))
        .routes(routes!(bases::list_registered_bases, bases::register_base))
        .routes(routes!(bases::remove_base))
        .routes(routes!(bases::set_base))
        .routes(routes!(bases::check_base))
        .routes(routes!(bases::copy_base))
        .routes(routes!(models::list_presets))
        .routes(routes!(recipes::list_own_presets, recipes::create_own_preset))
        .routes(routes!(recipes::delete_own_preset))
        .routes(routes!(recipes::read_recipe))
        .routes(routes!(recipes::job_recipe))
        .routes(routes!(datasets::list_datasets, datasets::create_dataset))
        .routes(routes!(datasets::create_demo_dataset))
        .routes(routes!(
            datasets::get_dataset,
            datasets::update_dataset,
            datasets::delete_dataset
        ))
        .routes(routes!(exports::export_dataset))
        .routes(routes!(items::list_items, items::upload_items))
        .routes(routes!(items::update_item, items::delete_item))
        .routes(routes!(items::get_mask, items::delete_mask))
        .routes(routes!(panels::find_panels, panels::split_into_panels))
        .routes(routes!(thumbnails::get_thumbnail))
        .routes(routes!(items::update_groups))
        .routes(routes!(checks::check_dataset))
        .routes(routes!(checks::acknowledge_findings))
        .routes(routes!(captions::list_caption_edits, captions::edit_captions))
        .routes(routes!(captions::undo_caption_edit))
        .routes(routes!(
            captioning::list_caption_endpoints,
            captioning::create_caption_endpoint
        ))
        .routes(routes!(captioning::delete_caption_endpoint))
        .routes(routes!(captioning::try_caption_endpoint))
        .routes(routes!(
            captioning::list_caption_runs,
            captioning::create_caption_run
        ))
        .routes(routes!(captioning::get_caption_run))
        .routes(routes!(captioning::stop_caption_run))
        .routes(routes!(captioning::list_caption_proposals))
        .routes(routes!(captioning::accept_captions))
        .routes(routes!(captioning::dismiss_captions))
        .routes(routes!(jobs::list_jobs, jobs::create_job))
        .routes(routes!(jobs::estimate_job))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::stop_job))
        .routes(routes!(jobs::finish_job))
        .routes(routes!(jobs::job_dataset_changes))
        .routes(routes!(jobs::make_job_version))
        .routes(routes!(jobs::job_judgements))
        .routes(routes!(jobs::resume_job))
        .routes(routes!(spend::set_job_limit))
        .routes(routes!(spend::get_spend))
        .routes(routes!(spend::set_budget))
        .routes(routes!(spend::list_ledger))
        .routes(routes!(spend::list_providers))
        .routes(routes!(spend::resume_provider))
        .routes(routes!(jobs::checkpoint_job))
        .routes(routes!(jobs::sample_job))
        .routes(routes!(jobs::job_metrics))
        .routes(routes!(jobs::list_job_pictures))
        .routes(routes!(jobs::get_job_step))
        .routes(routes!(jobs::list_job_samples))
        .routes(routes!(jobs::list_job_artifacts))
        .routes(routes!(job_events::job_events))
        .routes(routes!(job_events::all_events))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model, library::rename_model))
        .routes(routes!(library::choose_of_model))
        .routes(routes!(library::set_usage))
        .routes(routes!(library::list_labels))
        .routes(routes!(library::update_label))
        .routes(routes!(trash::list_trash, trash::move_to_trash))
        .routes(routes!(trash::restore_from_trash))
        .routes(routes!(trash::preview_clean_up))
        .routes(routes!(trash::clean_up))
        .routes(routes!(models::list_lora_copies))
        .routes(routes!(imports::import_model))
        .routes(routes!(models::get_model_version))
        .routes(routes!(models::download_model_version))
        .routes(routes!(models::promote_model_version))
        .routes(routes!(models::retire_model_version))
        .routes(routes!(edits::list_edits, edits::create_edit))
        .routes(routes!(edits::get_edit))
        .routes(routes!(edits::cancel_edit))
        .routes(routes!(edits::download_edit))
        .routes(routes!(
            generations::list_generations,
            generations::create_generation
        ))
        .routes(routes!(
            drawing_sessions::list_drawing_sessions,
            drawing_sessions::create_drawing_session
        ))
        .routes(routes!(drawing_sessions::price_drawing_session))
        .routes(routes!(drawing_sessions::get_drawing_session))
        .routes(routes!(drawing_sessions::end_drawing_session))
        .routes(routes!(prompts::count_prompts))
        .routes(routes!(generations::get_generation))
        .routes(routes!(generations::follow_generation))
        .routes(routes!(generations::download_generation))
        .routes(routes!(thumbnails::get_picture_thumbnail))
        .routes(routes!(agent::claim))
        .routes(routes!(agent::heartbeat))
        .routes(routes!(agent::report_unusable))
        .routes(routes!(agent::create_artifact))
        .routes(routes!(agent::complete_artifact))
        .routes(routes!(agent::finish))
}

/// A name chosen by a user.
fn name(text: &str) -> ApiResult<&str> {
    checked_name(text).map_err(|problem| ApiError::field("name", problem))
}
