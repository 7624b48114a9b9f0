//! All tables, in an order in which each refers only to those before it: for row-level security, `psql`'s
//! comments, export and import.

use sea_orm::{ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable, PrimaryKeyToColumn};

use super::{
    entities::{
        api_token, artifact, attempt, audit_entry, base_model, budget, damaged_object, dataset, dataset_item,
        dataset_version, delivery, drawing_session, edit, generation, idempotency_key, job, job_event,
        job_metric, job_metric_tile, ledger_entry, model, model_version, own_preset, owner, pool_machine,
        rented_instance, setting, webhook,
    },
    migrations::FORMER,
};

/// A table, as far as it can be told without its rows.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// What a person reads in `psql` with `\dt+`.
    pub(crate) about: &'static str,
    pub(crate) seen_by: SeenBy,
    pub(crate) columns: fn() -> Vec<Column>,
    pub(crate) key: fn() -> Vec<&'static str>,
}

/// Who sees a row through Supabase; whoever owns the tables, as the server does, sees all.
pub(crate) enum SeenBy {
    /// Nobody: it holds secrets, or is machinery.
    Nobody,
    /// The owner that this condition compares with `morpheus_owner_id()`.
    Owner(&'static str),
}

/// A column and what it holds.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: ColumnType,
}

/// Rows that say themselves whose they are.
const OF_OWNER: SeenBy = SeenBy::Owner("owner_id = (SELECT morpheus_owner_id())");
/// Rows of a dataset, which says whose it is.
const OF_DATASET: SeenBy = SeenBy::Owner(
    "EXISTS (SELECT 1 FROM training_datasets d WHERE d.id = dataset_id AND d.owner_id = (SELECT morpheus_owner_id()))",
);
/// Rows of a job, which says whose it is.
const OF_JOB: SeenBy = SeenBy::Owner(
    "EXISTS (SELECT 1 FROM training_jobs j WHERE j.id = job_id AND j.owner_id = (SELECT morpheus_owner_id()))",
);

/// See the module's text.
pub(crate) const TABLES: &[Table] = &[
    table::<owner::Entity>(
        "owners",
        "Who owns datasets, jobs and models",
        SeenBy::Owner("id = (SELECT morpheus_owner_id())"),
    ),
    table::<setting::Entity>(
        "settings",
        "The installation's identity and secrets",
        SeenBy::Nobody,
    ),
    table::<api_token::Entity>(
        "api_tokens",
        "Tokens of users and workers, as hashes",
        SeenBy::Nobody,
    ),
    table::<audit_entry::Entity>(
        "audit_log",
        "Who did what, when, from where; entries are added, and deleted when they are old",
        OF_OWNER,
    ),
    table::<idempotency_key::Entity>(
        "idempotency_keys",
        "What requests that may be sent twice were answered; kept for a week",
        SeenBy::Nobody,
    ),
    // Addresses may hold secrets.
    table::<base_model::Entity>(
        "base_models",
        "Base models that were registered, with their files and hashes",
        SeenBy::Nobody,
    ),
    table::<pool_machine::Entity>(
        "pool_machines",
        "Machines where somebody runs an agent, as they were last seen",
        OF_OWNER,
    ),
    table::<own_preset::Entity>(
        "own_presets",
        "Hyperparameters that users keep under a name",
        OF_OWNER,
    ),
    table::<dataset::Entity>("training_datasets", "Uploaded pictures with captions", OF_OWNER),
    table::<dataset_item::Entity>("dataset_items", "One picture of a dataset", OF_DATASET),
    table::<super::entities::finding_acknowledgement::Entity>(
        "finding_acknowledgements",
        "What users acknowledged of the checks of a dataset",
        OF_DATASET,
    ),
    table::<super::entities::caption_edit::Entity>(
        "caption_edits",
        "Edits of many captions of a dataset, each of which can be undone",
        OF_DATASET,
    ),
    table::<super::entities::caption_change::Entity>(
        "caption_changes",
        "What each edit did to each caption",
        SeenBy::Owner(
            "EXISTS (SELECT 1 FROM caption_edits e JOIN training_datasets d ON d.id = e.dataset_id \
             WHERE e.id = edit_id AND d.owner_id = (SELECT morpheus_owner_id()))",
        ),
    ),
    // Their URLs and keys are secrets.
    table::<super::entities::caption_endpoint::Entity>(
        "caption_endpoints",
        "Endpoints that describe pictures, with their keys",
        SeenBy::Nobody,
    ),
    table::<super::entities::caption_run::Entity>(
        "caption_runs",
        "Descriptions of many pictures of a dataset by a model",
        OF_DATASET,
    ),
    table::<super::entities::caption_proposal::Entity>(
        "caption_proposals",
        "Captions that a model proposes, until somebody accepts or dismisses them",
        SeenBy::Owner(
            "EXISTS (SELECT 1 FROM caption_runs r JOIN training_datasets d ON d.id = r.dataset_id \
             WHERE r.id = run_id AND d.owner_id = (SELECT morpheus_owner_id()))",
        ),
    ),
    table::<dataset_version::Entity>(
        "dataset_versions",
        "The frozen copies of datasets that jobs train on",
        OF_DATASET,
    ),
    table::<job::Entity>(
        "training_jobs",
        "One training that a user submitted, with its hyperparameters",
        OF_OWNER,
    ),
    table::<drawing_session::Entity>(
        "drawing_sessions",
        "Rented machines that draw pictures, each with its limit and what it has cost",
        OF_OWNER,
    ),
    table::<generation::Entity>("generations", "Text-to-image requests", OF_OWNER),
    table::<edit::Entity>(
        "edits",
        "Files that are made out of LoRAs and base models",
        OF_OWNER,
    ),
    // It holds hashes of agents' tokens; what a user may know of attempts is in job_events.
    table::<attempt::Entity>(
        "attempts",
        "One try of a job, a generation, an edit or a drawing session on one machine",
        SeenBy::Nobody,
    ),
    table::<budget::Entity>(
        "budgets",
        "Limits of projects, users and months, with what is used of them; that of a job or a drawing session is in its own row",
        OF_OWNER,
    ),
    table::<rented_instance::Entity>(
        "rented_instances",
        "Every machine that was ever ordered, by its exact name",
        OF_OWNER,
    ),
    table::<ledger_entry::Entity>(
        "ledger_entries",
        "Every movement of money between available, reserved and spent; never changed",
        OF_OWNER,
    ),
    table::<job_event::Entity>("job_events", "The numbered event stream of each job", OF_JOB),
    table::<job_metric::Entity>("job_metrics", "Loss and speed of each optimizer step", OF_JOB),
    table::<job_metric_tile::Entity>(
        "job_metric_tiles",
        "Lowest and highest loss of equal ranges of steps, for charts of long jobs",
        OF_JOB,
    ),
    table::<artifact::Entity>(
        "artifacts",
        "Files kept from jobs, generations and edits",
        OF_OWNER,
    ),
    table::<damaged_object::Entity>(
        "damaged_objects",
        "What turned out missing or damaged in the object store, by the hash of its bytes",
        SeenBy::Nobody,
    ),
    table::<model::Entity>("models", "Named LoRAs", OF_OWNER),
    table::<model_version::Entity>(
        "model_versions",
        "LoRAs offered for use: trained, with hyperparameters and verdict, or imported",
        OF_OWNER,
    ),
    // Their URLs and keys are secrets.
    table::<webhook::Entity>(
        "webhooks",
        "Addresses that are told of jobs, with the keys that sign what they get",
        SeenBy::Nobody,
    ),
    table::<delivery::Entity>(
        "deliveries",
        "What was told to whom, and whether it arrived; kept for a month",
        OF_OWNER,
    ),
    table::<super::entities::label::Entity>(
        "labels",
        "Stars, tags and notes of jobs, models and pictures",
        OF_OWNER,
    ),
];

/// What a person who reads a table may not guess from a column's name.
pub(crate) const COLUMNS: &[(&str, &str, &str)] = &[
    (
        "api_tokens",
        "is_of_pool",
        "Agents with it take whatever work of its owner fits their machine",
    ),
    (
        "api_tokens",
        "kind",
        "token, session (a browser that is signed in) or login (an address that signs in once)",
    ),
    (
        "api_tokens",
        "made_by",
        "The token, session or login address that it was made with",
    ),
    (
        "audit_log",
        "n",
        "How often within a minute: refused sign-ins from one address are one entry",
    ),
    (
        "training_jobs",
        "version_of_job_id",
        "The job whose checkpoint this one makes a model version of; it trains no step itself",
    ),
    (
        "training_jobs",
        "stamp",
        "What its result was found to be: good, too_weak, overcooked, copies, bleeds or cannot_tell",
    ),
    (
        "training_jobs",
        "deleted_at",
        "When its owner deleted it; it can be brought back for a week. The same in models, model_versions and generations",
    ),
    (
        "artifacts",
        "judgement",
        "Of a checkpoint: what its LoRA does to pictures; null if nothing judged it",
    ),
    (
        "model_versions",
        "judgement",
        "What it does to pictures, with the measurements; null if nothing judged it",
    ),
    (
        "idempotency_keys",
        "answer",
        "The body of the answer; null when it held a secret, refusal says so then",
    ),
    (
        "base_models",
        "leased_until",
        "Until then a server is checking or copying it, unless it says otherwise",
    ),
    (
        "base_models",
        "prediction",
        "What its owner says that its U-Net predicts; null to take what its files say",
    ),
    ("base_models", "vae", "Source of a VAE in place of its own"),
    (
        "base_models",
        "measured",
        "What its U-Net was measured to do: the loss of one picture under each reading",
    ),
    (
        "dataset_items",
        "measures",
        "What its pixels were measured to be; null until somebody wants to know",
    ),
    (
        "dataset_items",
        "page_caption",
        "Caption of its page when it was cut out: another caption was edited since",
    ),
    (
        "dataset_items",
        "page_item_id",
        "The page that it was cut out of; a page with panels is not trained on",
    ),
    ("dataset_items", "panel", "Its place on its page, from 1"),
    (
        "finding_acknowledgements",
        "content",
        "Hash of what the finding was about; another one is acknowledged anew",
    ),
    (
        "training_jobs",
        "priority",
        "From -10 to 10; jobs of a higher one go first",
    ),
    (
        "attempts",
        "server",
        "The server that looks after it: server-id in its data folder",
    ),
    (
        "owners",
        "auth_user_id",
        "auth.users.id of Supabase: who may read this owner's rows",
    ),
    (
        "training_jobs",
        "limit_micro_usd",
        "What it may cost in all, in millionths of a dollar",
    ),
    (
        "training_jobs",
        "reserved_micro_usd",
        "What its living machines may still cost in the worst case",
    ),
    (
        "rented_instances",
        "accrued_micro_usd",
        "What it has cost by our own reckoning, an upper bound",
    ),
    (
        "rented_instances",
        "billed_micro_usd",
        "What the provider has billed, once that no longer changes",
    ),
    (
        "drawing_sessions",
        "limit_micro_usd",
        "What it may cost in all, in millionths of a dollar",
    ),
    (
        "drawing_sessions",
        "idle_minutes",
        "It ends after this long without a picture",
    ),
    (
        "generations",
        "drawing_session_id",
        "The session whose machine draws it; null for the server's own machine",
    ),
    (
        "training_jobs",
        "recipe",
        "The whole configuration; columns of hyperparameters are computed from it",
    ),
    (
        "training_jobs",
        "phase",
        "Where the job stands; changed by the life cycle only",
    ),
    (
        "training_jobs",
        "last_seq",
        "Number of the newest row of job_events",
    ),
    (
        "training_jobs",
        "artifact_url",
        "Where the trained LoRA lies in the object store",
    ),
    (
        "training_jobs",
        "n_fruitless_attempts",
        "Attempts in a row that ended without a new checkpoint",
    ),
    (
        "attempts",
        "fence",
        "Grows with each claim; a write with an older one changes nothing",
    ),
    (
        "attempts",
        "lease_until",
        "After this, without a heartbeat, the attempt is lost",
    ),
    (
        "edits",
        "plan",
        "The request with what was found out about its LoRAs and base models",
    ),
    (
        "edits",
        "artifact_id",
        "The file; of one that became a model version, the version keeps its bytes",
    ),
    (
        "webhooks",
        "disabled",
        "Why nothing is sent to it any more; null while it is in use",
    ),
    ("deliveries", "webhook_id", "Who is told; null for mail"),
    (
        "deliveries",
        "body",
        "The JSON that is signed and sent, the same at every try",
    ),
    (
        "deliveries",
        "leased_until",
        "Until then a server is sending it, unless it says otherwise",
    ),
    ("job_metrics", "average_loss", "Running average of the loss"),
    (
        "artifacts",
        "blob_key",
        "Key in the object store: the hash of the content",
    ),
    (
        "artifacts",
        "unusable",
        "Why no engine could go on from this checkpoint, although its bytes are the ones that were stored",
    ),
    (
        "model_versions",
        "stage",
        "draft, approved or retired; approved only with verdict_passed, or if it was imported",
    ),
    (
        "model_versions",
        "verdict",
        "The checks of the trained file, with their numbers; none if it was imported",
    ),
    (
        "model_versions",
        "imported",
        "What an imported file holds and what its owner said about it; null if a job trained it",
    ),
    (
        "caption_runs",
        "leased_until",
        "Until then a server works on it, unless it says otherwise",
    ),
    (
        "caption_proposals",
        "caption_before",
        "The caption beside which it was made; it is accepted only while the picture has this one",
    ),
    ("labels", "subject_id", "Id of the job, model or generation"),
    ("labels", "note", "That of a job is in training_jobs.note"),
    (
        "models",
        "pinned_version_id",
        "The version to use, as its owner chose; null for the newest approved one",
    ),
    (
        "models",
        "cover_artifact_id",
        "The picture that its owner chose as its cover; null for the newest sample",
    ),
    (
        "model_versions",
        "usage",
        "How to use it, as its owner says: trigger words, weight, sampler, steps, guidance, prompts",
    ),
    (
        "model_versions",
        "artifact_url",
        "Where the LoRA lies in the object store",
    ),
];

impl Table {
    /// Its columns in this schema, and those that older ones had.
    pub(crate) fn columns_of_every_schema(&self) -> Vec<Column> {
        let former = FORMER.iter().filter(|(table, ..)| *table == self.name);
        let former = former.map(|&(_, name, ref kind)| Column {
            name,
            kind: kind.clone(),
        });
        (self.columns)().into_iter().chain(former).collect()
    }
}

const fn table<E: EntityTrait>(name: &'static str, about: &'static str, seen_by: SeenBy) -> Table {
    Table {
        name,
        about,
        seen_by,
        columns: columns::<E>,
        key: key::<E>,
    }
}

fn columns<E: EntityTrait>() -> Vec<Column> {
    E::Column::iter()
        .map(|column| Column {
            name: column.as_str(),
            kind: column.def().get_column_type().clone(),
        })
        .collect()
}

fn key<E: EntityTrait>() -> Vec<&'static str> {
    E::PrimaryKey::iter()
        .map(|part| part.into_column().as_str())
        .collect()
}
