//! A store in a folder of its own, and what tests put into it.

use std::{collections::BTreeMap, path::Path};

use protocol::{
    DatasetId, DatasetVersionId, ItemId, JobId, OwnerId,
    dataset::{Manifest, ManifestItem, Split},
    edit::{CreateEdit, Edit, MadeFrom},
    event::StepMetrics,
    generation::CreateGeneration,
    judgement::{Advice, Evidence, Judgement, Stamp},
    model::{Verdict, VerdictCheck},
    preset::{BaseClass, Preset},
    recipe::{Engine, ParameterOverrides, Recipe, RecipeRequest},
};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, QueryResult, Statement};
use sim::postgres::Database;
use store::{
    Store, StoreBuilder, Tx,
    attempts::{self, Attempt, Claimant, NewAttempt, Subject},
    datasets,
    edits::EditPlan,
    jobs::{self, NewJob},
    tokens::NewToken,
};
use tempfile::TempDir;

pub(crate) struct TestStore {
    pub(crate) store: Store,
    pub(crate) folder: TempDir,
    /// On PostgreSQL, what goes with the test.
    pub(crate) database: Option<Database>,
}

/// Where a store may be opened.
pub(crate) struct Place {
    folder: TempDir,
    database: Option<Database>,
}

impl Place {
    pub(crate) fn builder(&self) -> StoreBuilder {
        let url = self.database.as_ref().map(Database::url);
        Store::builder(self.folder.path()).database(url)
    }
}

impl TestStore {
    pub(crate) async fn sqlite() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = Store::open(folder.path()).await?;
        Ok(Self {
            store,
            folder,
            database: None,
        })
    }

    pub(crate) async fn postgres() -> anyhow::Result<Self> {
        let (folder, database) = (tempfile::tempdir()?, Database::shared()?);
        let store = Store::builder(folder.path())
            .database(Some(database.url()))
            .open()
            .await?;
        Ok(Self {
            store,
            folder,
            database: Some(database),
        })
    }

    /// SQLite, with a queue that other servers hear.
    pub(crate) async fn sqlite_with(
        queue: impl FnOnce(StoreBuilder) -> StoreBuilder,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = queue(Store::builder(folder.path())).open().await?;
        Ok(Self {
            store,
            folder,
            database: None,
        })
    }

    /// A place where no database was opened yet.
    pub(crate) fn empty(on_postgres: bool) -> anyhow::Result<Place> {
        Ok(Place {
            folder: tempfile::tempdir()?,
            database: on_postgres.then(Database::shared).transpose()?,
        })
    }

    /// Opens the same store again.
    pub(crate) fn builder(&self) -> StoreBuilder {
        let url = self.database.as_ref().map(Database::url);
        Store::builder(self.folder.path()).database(url)
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.store.default_owner()
    }

    /// SQL as a person would type it, over a connection of its own; every column must be text.
    pub(crate) async fn sql(&self, query: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let connection = match &self.database {
            None => open_sqlite(self.folder.path()).await?,
            Some(database) => connect(database.url()).await?,
        };
        let statement = Statement::from_string(connection.get_database_backend(), query);
        let rows = connection.query_all_raw(statement).await?;
        let texts = |row: &QueryResult| {
            let columns = 0..row.column_names().len();
            columns.map(|column| row.try_get_by_index(column)).collect()
        };
        Ok(rows.iter().map(texts).collect::<Result<_, _>>()?)
    }

    /// Changes the database behind the store's back.
    pub(crate) async fn execute(&self, sql: &str) -> anyhow::Result<()> {
        let connection = match &self.database {
            None => open_sqlite(self.folder.path()).await?,
            Some(database) => connect(database.url()).await?,
        };
        connection.execute_unprepared(sql).await?;
        Ok(())
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.database.is_some()
    }

    pub(crate) async fn dataset(&self) -> anyhow::Result<DatasetId> {
        let tx = self.store.begin().await?;
        let dataset = datasets::create(&tx, self.owner(), "zora").await?;
        tx.commit().await?;
        Ok(dataset.id)
    }

    pub(crate) async fn job(&self, dataset: DatasetId) -> anyhow::Result<JobId> {
        self.job_of_priority(dataset, 0).await
    }

    pub(crate) async fn job_of_priority(&self, dataset: DatasetId, priority: i8) -> anyhow::Result<JobId> {
        let tx = self.store.begin().await?;
        let version = datasets::freeze(&tx, dataset, manifest(1)).await?;
        let new = NewJob {
            owner: self.owner(),
            dataset_id: dataset,
            dataset_version_id: version.id,
            recipe: recipe()?,
            provider: "local".to_owned(),
            project: None,
            note: None,
            rental: None,
            limit: None,
            priority,
        };
        let id = jobs::insert(&tx, new).await?;
        tx.commit().await?;
        Ok(id)
    }

    pub(crate) async fn attempt(&self, job: JobId, n: u32) -> anyhow::Result<(Attempt, NewToken)> {
        let token = NewToken::random();
        let tx = self.store.begin().await?;
        let attempt = open_attempt(&tx, job, n, &token).await?;
        tx.commit().await?;
        Ok((attempt, token))
    }
}

pub(crate) async fn open_sqlite(folder: &Path) -> anyhow::Result<DatabaseConnection> {
    connect(format!("sqlite://{}", folder.join("morpheus.db").display())).await
}

async fn connect(url: String) -> anyhow::Result<DatabaseConnection> {
    // On the heap, since every test that looks past the store would be as large as it is.
    Ok(Box::pin(sea_orm::Database::connect(url)).await?)
}

pub(crate) async fn open_attempt(tx: &Tx, job: JobId, n: u32, token: &NewToken) -> store::Result<Attempt> {
    let new = NewAttempt {
        subject: Subject::Job(job),
        n,
        provider: "local",
        claimant: Claimant::Own(token),
        start_step: 0,
    };
    attempts::open(tx, new).await
}

pub(crate) fn recipe() -> anyhow::Result<Recipe> {
    Ok(Recipe::resolve(
        RecipeRequest {
            engine: Engine::Native,
            base_model: "tiny-xl".to_owned(),
            name: "Zora".to_owned(),
            trigger_word: Some("zora".to_owned()),
            preset: Preset::Character,
            overrides: ParameterOverrides {
                rank: Some(8),
                n_steps: Some(100),
                ..ParameterOverrides::default()
            },
            sample_prompts: vec!["zora waves".into()],
            start_from: None,
        },
        BaseClass::Tiny,
    )?)
}

/// Made-up pictures; `seed` makes them different ones.
pub(crate) fn manifest(seed: u8) -> Manifest {
    let item = ManifestItem {
        id: ItemId(uuid::Uuid::from_u128(u128::from(seed))),
        sha256: hex::encode([seed; 32]),
        width: 128,
        height: 128,
        caption: "zora, standing".to_owned(),
        split: Split::Train,
        showing: protocol::dataset::Showing::default(),
    };
    Manifest {
        id: DatasetVersionId::new(),
        items: vec![item],
    }
}

pub(crate) fn step(step: u32, loss: f64) -> StepMetrics {
    StepMetrics {
        step,
        n_steps: 100,
        epoch: 1,
        n_epochs: 10,
        loss,
        average_loss: loss,
        learning_rate: 1e-4,
        gradient_norm: 0.5,
        step_ms: 20.0,
        eta_seconds: 1.0,
    }
}

pub(crate) fn verdict(passed: bool) -> Verdict {
    Verdict {
        passed,
        checks: vec![VerdictCheck {
            name: "finite".to_owned(),
            passed,
            detail: "all weights are finite".to_owned(),
        }],
        validation: None,
        picture_change: Some(3.5),
        module_norms: Vec::new(),
    }
}

pub(crate) fn metadata() -> BTreeMap<String, String> {
    BTreeMap::from([("ss_network_dim".to_owned(), "8".to_owned())])
}

/// A request for an edit, and what becomes of it.
pub(crate) fn edit() -> (CreateEdit, EditPlan) {
    let id = protocol::ModelVersionId::new();
    let request =
        serde_json::json!({ "kind": "weigh", "loras": [{ "model_version_id": id }], "blocks": "style" });
    let plan = EditPlan {
        edit: Edit::Weigh {
            blocks: "style".to_owned(),
        },
        name: "zora".to_owned(),
        base_model: "tiny-xl".to_owned(),
        base_class: BaseClass::Tiny,
        tuned_model: None,
        from: vec![MadeFrom {
            model_version_id: id,
            name: "zora".to_owned(),
            version: 2,
            weight: 1.0,
        }],
        trigger_words: vec!["zora".to_owned()],
        makes_version: true,
    };
    (serde_json::from_value(request).expect("a valid request"), plan)
}

pub(crate) fn generation() -> CreateGeneration {
    CreateGeneration {
        base_model: "tiny-xl".to_owned(),
        prompt: "zora waves".to_owned(),
        negative_prompt: String::new(),
        literal: false,
        loras: Vec::new(),
        seed: Some(u64::MAX),
        n_steps: 2,
        guidance: 5.0,
        width: Some(128),
        height: Some(128),
        sampler: protocol::generation::Sampler::Euler,
        drawing_session_id: None,
    }
}

/// What a LoRA was found to be.
pub(crate) fn judgement() -> Judgement {
    Judgement {
        stamp: Stamp::Good,
        sentence: "It shows zora, and follows prompts.".to_owned(),
        advice: Advice::Use,
        score: 0.75,
        score_low: 0.5,
        score_high: 0.875,
        measures: Vec::new(),
        evidence: vec![Evidence {
            name: "plain-7".to_owned(),
            shows: "zora".to_owned(),
            prompt: "portrait of zora".to_owned(),
            seed: 7,
            weight: 1.0,
            nearest: None,
        }],
        seconds: 2.5,
    }
}
