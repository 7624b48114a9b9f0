//! The calls.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use protocol::MicroUsd;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url, header, redirect};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep_until};

use super::{
    TITLE,
    error::{Problem, refusal},
    logs::Logs,
    wire::{BillRecords, GpuList, GpuOffer, Listing, Pod, PodList, PodSpec},
};
use crate::{Bill, CallError, CallFault, CreateError, CreateFault, Key, TerminateAck};

/// Where the provider is.
pub const DEFAULT_URL: &str = "https://api.runpod.io";

/// Where the API before this one was.
const FORMER_URL: &str = "https://rest.runpod.io/v1";

/// What a list is called in errors.
const LIST: &str = "the list of pods";

/// Said when the provider refuses without saying for how long.
const DEFAULT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// A log that shows nothing for this long is asked for again by whoever reads it.
const LOG_TIMEOUT: Duration = Duration::from_secs(90);
/// The body of a refusal that is longer says nothing more.
const MOST_PROBLEM_CHARS: usize = 500;

/// How to reach the provider.
#[derive(Debug, Clone)]
pub struct Options {
    /// Base address, without `/v2`; see [`DEFAULT_URL`].
    pub url: Url,
    /// Whose account.
    pub key: Key,
    /// Until a connection stands.
    pub connect_timeout: Duration,
    /// Until a read or a deletion is answered.
    pub timeout: Duration,
    /// Until a creation is answered.
    pub create_timeout: Duration,
    /// The longest wait, after a 429, before a read or a deletion is sent again; beyond it the caller is told.
    pub most_patience: Duration,
}

impl Options {
    /// The usual times.
    pub fn new(url: Url, key: Key) -> Self {
        Self {
            url,
            key,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            create_timeout: Duration::from_secs(60),
            most_patience: Duration::from_secs(60),
        }
    }
}

/// Calls the provider. Clones share nothing but the connections' settings, so share one client.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    options: Options,
    /// Nothing is sent before this, because the provider said so.
    not_before: Mutex<Option<Instant>>,
}

impl Client {
    /// A client; fails only when the machine cannot do TLS.
    pub fn new(options: Options) -> Result<Self, CallError> {
        let http = reqwest::Client::builder()
            // Clients without a name are turned away in front of the provider.
            .user_agent(concat!("morpheus/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(options.connect_timeout)
            // A creation that is sent on to another address would be sent twice.
            .redirect(redirect::Policy::none())
            .build()
            .map_err(|err| impossible("anything", err))?;
        Ok(Self {
            http,
            options,
            not_before: Mutex::new(None),
        })
    }

    /// The base address.
    pub(super) fn url(&self) -> &str {
        self.options.url.as_str()
    }

    /// Whether it is the real provider, and not a simulated one.
    pub(super) fn is_usual(&self) -> bool {
        let usual = DEFAULT_URL.parse::<Url>();
        usual.is_ok_and(|usual| usual.origin() == self.options.url.origin())
    }

    /// GPU types with prices, and with the stock for so many GPUs in one machine.
    pub async fn offers(&self, gpu_count: u32) -> Result<Vec<GpuOffer>, CallError> {
        let what = "the catalogue";
        let count = gpu_count.to_string();
        let query = [("include", "AVAILABILITY"), ("product", "POD"), ("count", &count)];
        let request = || {
            Ok(self
                .request(Method::GET, self.path(what, &["catalog", "gpus"])?)
                .query(&query))
        };
        let list: GpuList = read(what, self.patiently(what, request).await?).await?;
        Ok(list.gpus)
    }

    /// Asks for one pod, once. Whoever gets [`CreateFault::Ambiguous`] looks for its name in [`Client::list_pods`].
    pub async fn create(&self, spec: &PodSpec) -> Result<Pod, CreateError> {
        let what = "a new pod";
        if let Some(retry_after) = self.pause() {
            return Err(CreateError {
                provider: TITLE,
                fault: CreateFault::RateLimited { retry_after },
            });
        }
        let request = self
            .request(Method::POST, self.path(what, &["pods"])?)
            .timeout(self.options.create_timeout)
            .json(&spec.body());
        let response = self.send(what, request).await?;
        Ok(read(what, response).await?)
    }

    /// A pod; `None` when the provider does not know it, or not yet.
    pub async fn get_pod(&self, id: &str) -> Result<Option<Pod>, CallError> {
        let what = "a pod";
        let request = || Ok(self.request(Method::GET, self.path(what, &["pods", id])?));
        match self.patiently(what, request).await {
            Ok(response) => Ok(Some(read(what, response).await?)),
            Err(CallError {
                fault: CallFault::NotFound(_),
                ..
            }) => Ok(None),
            Err(err) => Err(err),
        }
    }

    /// Every pod of the account, or an error; never a part.
    pub async fn list_pods(&self) -> Result<Listing, CallError> {
        let what = LIST;
        let response = self.listed().await?;
        let at = date(&response);
        let list: PodList = read(what, response).await?;
        if list
            .cursor
            .as_deref()
            .is_some_and(|cursor| !matches!(RawValue::get(cursor), "null" | "\"\""))
        {
            return Err(unclear(what, "it has more pages, which this version cannot read"));
        }
        Ok(Listing { pods: list.pods, at })
    }

    /// Orders the end of a pod. See [`TerminateAck`] for what the answer is worth.
    pub async fn delete_pod(&self, id: &str) -> Result<TerminateAck, CallError> {
        let what = "the end of a pod";
        let request = || Ok(self.request(Method::DELETE, self.path(what, &["pods", id])?));
        match self.patiently(what, request).await {
            Ok(_) => Ok(TerminateAck::Accepted),
            Err(CallError {
                fault: CallFault::NotFound(_),
                ..
            }) => Ok(TerminateAck::NotFound),
            Err(err) => Err(err),
        }
    }

    /// What the records say that pods were charged since then, one pod or all. They lag behind, and are rounded up.
    pub async fn bills(&self, since: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Bill>, CallError> {
        let what = "the bill";
        let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        let mut query = vec![("startTime", since.as_str()), ("bucketSize", "hour")];
        query.extend(only.map(|id| ("podId", id)));
        let request = || {
            Ok(self
                .request(Method::GET, self.path(what, &["billing", "pods"])?)
                .query(&query))
        };
        let list: BillRecords = read(what, self.patiently(what, request).await?).await?;
        let mut bills: BTreeMap<String, Bill> = BTreeMap::new();
        for record in list.records {
            if only.is_some_and(|id| id != record.pod_id) {
                continue;
            }
            let bill = bills.entry(record.pod_id).or_insert_with_key(|id| Bill {
                id: id.clone(),
                total: MicroUsd::ZERO,
                first_until: record.end_time,
            });
            bill.total = bill.total + record.total_amount;
            bill.first_until = bill.first_until.min(record.end_time);
        }
        Ok(bills.into_values().collect())
    }

    /// The list of pods as it came, to see what it is made of.
    pub async fn raw_list(&self) -> Result<serde_json::Value, CallError> {
        read(LIST, self.listed().await?).await
    }

    async fn listed(&self) -> Result<Response, CallError> {
        let request = || Ok(self.request(Method::GET, self.path(LIST, &["pods"])?));
        self.patiently(LIST, request).await
    }

    /// The status with which the API before this one answers.
    pub async fn status_of_v1(&self) -> Result<u16, CallError> {
        let what = "the former API";
        let url = if self.url().trim_end_matches('/') == DEFAULT_URL {
            FORMER_URL.to_owned()
        } else {
            format!("{}/v1", self.url().trim_end_matches('/'))
        };
        let url = Url::parse(&format!("{url}/pods")).map_err(|err| impossible(what, err))?;
        let answer = self.request(Method::GET, url).send().await;
        let answer = answer.map_err(|err| unclear(what, err.without_url()))?;
        Ok(answer.status().as_u16())
    }

    /// A pod's lines, after one that was seen before, until the pod is gone or nothing comes for a while.
    pub async fn logs(&self, id: &str, after: Option<&str>) -> Result<Logs, CallError> {
        let what = "the log of a pod";
        let request = || {
            let request = self.request(Method::GET, self.path(what, &["pods", id, "logs"])?);
            let request = request.timeout(LOG_TIMEOUT).query(&[("tail", "1000")]);
            Ok(match after {
                Some(after) => request.header("Last-Event-ID", after),
                None => request,
            })
        };
        Ok(Logs::new(self.patiently(what, request).await?))
    }

    fn path(&self, what: &'static str, segments: &[&str]) -> Result<Url, CallError> {
        let mut url = self.options.url.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().push("v2").extend(segments),
            Err(()) => return Err(impossible(what, "the provider's address has no path")),
        };
        Ok(url)
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.http
            .request(method, url)
            .bearer_auth(self.options.key.secret())
            .timeout(self.options.timeout)
    }

    /// Sends something that may be sent twice: waits for the end of a pause, and once for that of a new one.
    async fn patiently(
        &self,
        what: &'static str,
        request: impl Fn() -> Result<RequestBuilder, CallError>,
    ) -> Result<Response, CallError> {
        self.wait_for_pause().await?;
        match self.send(what, request()?).await {
            Err(CallError {
                fault: CallFault::RateLimited { .. },
                ..
            }) => {
                self.wait_for_pause().await?;
                self.send(what, request()?).await
            }
            outcome => outcome,
        }
    }

    async fn wait_for_pause(&self) -> Result<(), CallError> {
        match self.pause() {
            Some(retry_after) if retry_after > self.options.most_patience => {
                Err(CallFault::RateLimited { retry_after }.of(TITLE))
            }
            Some(pause) => {
                sleep_until(Instant::now() + pause).await;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// How long nothing may be sent.
    fn pause(&self) -> Option<Duration> {
        let not_before = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        let left = not_before?.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    async fn send(&self, what: &'static str, request: RequestBuilder) -> Result<Response, CallError> {
        let response = request.send().await.map_err(|err| match err {
            err if err.is_builder() => impossible(what, err.without_url()),
            // No connection: not a byte of the request has left.
            err if err.is_connect() => CallFault::Unreachable(err.without_url().into()).of(TITLE),
            err => unclear(what, err.without_url()),
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let retry_after = retry_after(&response).unwrap_or(DEFAULT_RETRY_AFTER);
        if status == StatusCode::TOO_MANY_REQUESTS {
            let not_before = Instant::now() + retry_after;
            *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(not_before);
        }
        Err(refusal(what, status, retry_after, &problem(response).await).of(TITLE))
    }
}

async fn read<T: DeserializeOwned>(what: &'static str, response: Response) -> Result<T, CallError> {
    let body = response
        .bytes()
        .await
        .map_err(|err| unclear(what, err.without_url()))?;
    serde_json::from_slice(&body).map_err(|err| unclear(what, err))
}

/// What a refusal says; its body may be anything.
async fn problem(response: Response) -> Problem {
    let status = response.status().as_u16();
    let request_id = response.headers().get("x-request-id");
    let request_id = request_id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
    let body = response.text().await.unwrap_or_default();
    let problem = serde_json::from_str(&body).unwrap_or_else(|_| match body.trim() {
        "" => Problem::default(),
        text => Problem {
            detail: text.chars().take(MOST_PROBLEM_CHARS).collect(),
            ..Problem::default()
        },
    });
    Problem {
        status,
        request_id,
        ..problem
    }
}

fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

fn date(response: &Response) -> Option<DateTime<Utc>> {
    let value = response.headers().get(header::DATE)?.to_str().ok()?;
    Some(DateTime::parse_from_rfc2822(value).ok()?.with_timezone(&Utc))
}

fn unclear(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallFault::unclear(what, source).of(TITLE)
}

fn impossible(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CallError {
    CallFault::impossible(what, source).of(TITLE)
}
