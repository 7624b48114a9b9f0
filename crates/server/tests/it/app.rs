//! A server of its own for each test, on a free port and in a temporary folder.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use orchestrator::{
    Base,
    providers::{Instance, LaunchRequest, Provider, ProviderError, Purpose},
};
use protocol::{
    agent::BaseLocation,
    dataset::{CreateDataset, Dataset, UploadReport},
    job::{BaseModel, Job},
    preset::{BaseClass, Family},
    problem::Problem,
};
use reqwest::{
    Method, RequestBuilder, Response, StatusCode, header,
    multipart::{Form, Part},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use server::{Config, Timing};
use store::objects::S3Settings;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::{agent::FakeAgent, pictures};

/// Nothing in a test takes longer, on the slowest machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) login_url: Option<String>,
    /// An API token.
    pub(crate) token: String,
    pub(crate) http: reqwest::Client,
    /// Faults between the server and its database.
    pub(crate) injector: store::Injector,
    launches: tokio::sync::Mutex<mpsc::UnboundedReceiver<LaunchRequest>>,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<Result<(), server::RunError>>>,
    data: TempDir,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(TempDir::new().unwrap(), change).await
    }

    async fn start_in(data: TempDir, change: impl FnOnce(&mut Config)) -> Self {
        let (launched, launches) = mpsc::unbounded_channel();
        let mut config = Config::new(data.path().to_owned(), bases());
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.providers = vec![Arc::new(FakeProvider {
            launched,
            living: Mutex::default(),
        })];
        config.timing = Timing {
            shutdown_grace: Duration::from_secs(5),
            ..Timing::default()
        };
        if std::env::var_os("MORPHEUS_TEST_SERVICES").is_some() {
            use_services(&mut config);
        }
        change(&mut config);
        let bound = server::bind(config).await.unwrap();
        let token = bound.new_token("tests").await.unwrap();
        let injector = bound.injector();
        let (url, login_url) = (format!("http://{}", bound.local_addr), bound.login_url.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(bound.run(async {
            let _ = stopped.await;
        }));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self {
            url,
            login_url,
            token,
            http,
            injector,
            launches: tokio::sync::Mutex::new(launches),
            stop: Some(stop),
            serving: Some(serving),
            data,
        }
    }

    /// Ends the server as a signal would, and starts another one on the same data.
    pub(crate) async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn restart_with(mut self, change: impl FnOnce(&mut Config)) -> Self {
        self.end().await;
        Self::start_in(self.data, change).await
    }

    /// Ends the server as a signal would.
    pub(crate) async fn end(&mut self) {
        drop(self.stop.take());
        let serving = self.serving.take().unwrap();
        tokio::time::timeout(DEADLINE, serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A request without any proof of who asks. The address of a file may be a bucket's.
    pub(crate) fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, absolute(&self.url, path))
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A file that is saved, from here or from the bucket that this leads to.
    pub(crate) async fn file(&self, path: &str) -> Response {
        self.part(path, None).await
    }

    /// The same with a `Range`.
    pub(crate) async fn part(&self, path: &str, range: Option<&str>) -> Response {
        let range = |request: RequestBuilder| match range {
            Some(range) => request.header(header::RANGE, range),
            None => request,
        };
        let answer = range(self.request(Method::GET, path)).send().await.unwrap();
        if answer.status() != StatusCode::TEMPORARY_REDIRECT {
            return answer;
        }
        let address = answer.headers()[header::LOCATION].to_str().unwrap();
        range(self.http.get(address)).send().await.unwrap()
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        take(StatusCode::OK, self.request(Method::GET, path)).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        path: &str,
        body: &impl Serialize,
    ) -> T {
        take(status, self.request(Method::POST, path).json(body)).await
    }

    /// A request that must be refused, with its problem.
    pub(crate) async fn refused(
        &self,
        status: StatusCode,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Problem {
        problem(status, self.request(method, path).json(body)).await
    }

    pub(crate) async fn dataset(&self, name: &str) -> Dataset {
        let request = CreateDataset { name: name.into() };
        self.post(StatusCode::CREATED, "/api/v1/datasets", &request).await
    }

    pub(crate) async fn upload(&self, dataset: &Dataset, files: Vec<(&str, Vec<u8>)>) -> UploadReport {
        let form = files.into_iter().fold(Form::new(), |form, (name, bytes)| {
            form.part("files", Part::bytes(bytes).file_name(name.to_owned()))
        });
        let path = format!("/api/v1/datasets/{}/items", dataset.id);
        take(StatusCode::OK, self.request(Method::POST, &path).multipart(form)).await
    }

    /// A dataset with three captioned pictures.
    pub(crate) async fn small_dataset(&self) -> Dataset {
        let dataset = self.dataset("zora").await;
        let mut files = Vec::new();
        let names: Vec<_> = (0..3).map(|n| (format!("{n}.png"), format!("{n}.txt"))).collect();
        for (n, (picture, caption)) in names.iter().enumerate() {
            files.push((picture.as_str(), pictures::png(n as u8, 128, 128)));
            files.push((caption.as_str(), format!("zora, picture {n}").into_bytes()));
        }
        let report = self.upload(&dataset, files).await;
        assert_eq!(report.refused, []);
        report.dataset
    }

    /// A job with a few steps on a small dataset.
    pub(crate) async fn small_job(&self) -> Job {
        let dataset = self.small_dataset().await;
        let request = json!({
            "dataset_id": dataset.id,
            "base_model": "tiny-xl",
            "name": "zora",
            "trigger_word": "zora",
            "parameters": {"n_steps": 4, "rank": 4},
        });
        self.post(StatusCode::CREATED, "/api/v1/jobs", &request).await
    }

    /// The agent that the provider was asked to start for this purpose.
    pub(crate) async fn launched(&self, purpose: Purpose) -> FakeAgent {
        let mut launches = self.launches.lock().await;
        let waiting = async {
            loop {
                let request = launches.recv().await.expect("the provider is gone");
                if request.purpose == purpose {
                    return request;
                }
            }
        };
        let request = tokio::time::timeout(DEADLINE, waiting)
            .await
            .expect("no agent was launched");
        FakeAgent::new(self, request.token)
    }
}

/// Keeps files in the data folder, whatever other tests do.
pub(crate) fn in_folder(config: &mut Config) {
    config.objects = None;
}

/// An address as the server gives it: below its own, or a whole one.
pub(crate) fn absolute(server: &str, address: &str) -> String {
    if address.starts_with("http") {
        return address.to_owned();
    }
    format!("{server}{address}")
}

/// Keeps everything in PostgreSQL and S3, woken by Redis. A server that is started again on the same folder gets
/// the same database and bucket, which go with the services.
fn use_services(config: &mut Config) {
    let note = config.data_dir.join("test-services.json");
    let noted = std::fs::read(&note).ok();
    let noted = noted.map(|noted| serde_json::from_slice(&noted).unwrap());
    let (database, endpoint, bucket): (String, String, String) = noted.unwrap_or_else(|| {
        let database = sim::postgres::Database::shared().unwrap();
        let url = database.url();
        std::mem::forget(database);
        let (endpoint, bucket) = sim::s3::shared_bucket().unwrap();
        (url, endpoint, bucket)
    });
    let noted = serde_json::to_vec(&(&database, &endpoint, &bucket)).unwrap();
    std::fs::write(&note, noted).unwrap();
    config.database = Some(database);
    config.queue = Some(sim::redis::shared().unwrap());
    config.objects = Some(format!("s3://{bucket}"));
    config.s3 = S3Settings {
        endpoint: Some(endpoint),
        access_key_id: Some(sim::s3::ACCESS_KEY_ID.to_owned()),
        secret_access_key: Some(sim::s3::SECRET_ACCESS_KEY.to_owned()),
        ..S3Settings::default()
    };
}

/// Sends a request that must be answered with this status, and reads the answer.
#[track_caller]
pub(crate) fn take<T: DeserializeOwned>(
    status: StatusCode,
    request: RequestBuilder,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let response = request.send().await.unwrap();
        let (found, url) = (response.status(), response.url().clone());
        let text = response.text().await.unwrap();
        assert_eq!(found, status, "{url}, at {caller}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}, at {caller}: {error}: {text}"))
    }
}

/// Sends a request that must be answered with this status and no body.
pub(crate) async fn empty(status: StatusCode, request: RequestBuilder) -> Response {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), status, "{}", response.url());
    response
}

/// Sends a request that must be refused, and reads the problem.
#[track_caller]
pub(crate) fn problem(status: StatusCode, request: RequestBuilder) -> impl Future<Output = Problem> {
    let caller = std::panic::Location::caller();
    async move {
        let response = request.send().await.unwrap();
        let (found, url) = (response.status(), response.url().clone());
        let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
        let text = response.text().await.unwrap();
        assert_eq!(found, status, "{url}, at {caller}: {text}");
        assert_eq!(content_type, "application/problem+json", "{url}, at {caller}");
        let problem: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!(problem.status, status.as_u16());
        problem
    }
}

fn bases() -> Vec<Base> {
    vec![Base {
        model: BaseModel {
            name: "tiny-xl".into(),
            class: BaseClass::Tiny,
            family: Family::Tiny,
            family_reason: "it is as small as tiny-xl".to_owned(),
            native_resolution: 128,
            built_in: true,
            prediction: None,
            notes: Vec::new(),
        },
        location: BaseLocation::BuiltIn {
            name: "tiny-xl".into(),
        },
    }]
}

/// Pretends to start agents: hands their tokens to the test, which plays them.
#[derive(Debug)]
struct FakeProvider {
    launched: mpsc::UnboundedSender<LaunchRequest>,
    living: Mutex<Vec<Instance>>,
}

#[async_trait]
impl Provider for FakeProvider {
    fn name(&self) -> &'static str {
        "local"
    }

    fn capacity(&self) -> usize {
        4
    }

    async fn launch(&self, request: &LaunchRequest) -> Result<Instance, ProviderError> {
        let instance = Instance {
            id: request.id,
            purpose: request.purpose,
            handle: request.id.to_string(),
            started_at: chrono::Utc::now(),
        };
        self.living.lock().unwrap().push(instance.clone());
        // A test that has ended wants no more agents.
        let _ = self.launched.send(request.clone());
        Ok(instance)
    }

    async fn list(&self) -> Result<Vec<Instance>, ProviderError> {
        Ok(self.living.lock().unwrap().clone())
    }

    async fn terminate(&self, instance: &Instance) -> Result<(), ProviderError> {
        self.living
            .lock()
            .unwrap()
            .retain(|living| living.id != instance.id);
        Ok(())
    }

    async fn last_words(&self, _: Uuid) -> Option<String> {
        None
    }
}

/// Mail that nobody takes.
pub(crate) fn mail() -> orchestrator::MailOptions {
    let to = ["zora@example.org".to_owned()];
    orchestrator::MailOptions::new("smtp://127.0.0.1:1", "morpheus@example.org", &to).unwrap()
}
