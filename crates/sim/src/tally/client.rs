//! Tally as a landlord: what Morpheus would need to rent from it.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use protocol::{
    MicroUsd,
    recipe::Engine,
    spend::{CloudTier, RentalWish, env},
};
use rental::{
    Account, Bill, CallError, CallFault, CreateError, Examination, ExamineError, Key, Kind, Landlord,
    Machine, Machines, NameForm, Offer, Order, OwnEnd, Setting, SettingError, TerminateAck, Values,
};
use reqwest::{Method, RequestBuilder, Url};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::own_end::TicketEnd;

const NAME: &str = "tally";
const TITLE: &str = "Tally";
/// Short, so that a hanging answer does not hold a test up; long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);
/// A list that changes while its pages are read is begun again this often.
const N_TRIES: u32 = 5;
/// A price may rise by this much between the catalogue and the machine before the machine is too dear.
const CAP_PERCENT: u32 = 110;
const MINUTES_IN_AN_HOUR: u32 = 60;

/// See [`KIND`].
#[derive(Debug)]
pub struct TallyKind;

/// Tally.
pub static KIND: TallyKind = TallyKind;

/// Its account.
#[derive(Debug)]
struct Tally {
    http: reqwest::Client,
    url: Url,
    key: Key,
}

impl Kind for TallyKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn title(&self) -> &'static str {
        TITLE
    }

    fn names(&self) -> NameForm {
        const { NameForm::within(super::MOST_LABEL) }
    }

    fn keys(&self) -> &'static [&'static str] {
        &["MORPHEUS_TALLY_KEY"]
    }

    fn machine_secrets(&self) -> &'static [&'static str] {
        &["TALLY_TICKET"]
    }

    fn settings(&self) -> &'static [Setting] {
        &[Setting {
            name: "url",
            file_key: "url",
            value: "URL",
            help: "Address of Tally",
            is_list: false,
        }]
    }

    fn account(&self, values: &Values, key: Key) -> Result<Arc<dyn Account>, SettingError> {
        Ok(Arc::new(Tally::new(values, key)?))
    }

    fn landlord(&self, values: &Values, key: Key) -> Result<Arc<dyn Landlord>, SettingError> {
        Ok(Arc::new(Tally::new(values, key)?))
    }

    fn own_end(&self, lookup: &dyn Fn(&str) -> Option<String>) -> Box<dyn OwnEnd> {
        Box::new(TicketEnd::read(lookup))
    }
}

#[derive(Deserialize)]
struct Page {
    servers: Vec<Shown>,
    more: bool,
    revision: u64,
    clock: i64,
}

#[derive(Deserialize)]
struct OfOne {
    server: Shown,
}

#[derive(Deserialize)]
struct Shown {
    id: String,
    label: String,
    state: String,
    began: i64,
    per_minute: String,
}

#[derive(Deserialize)]
struct Kinds {
    kinds: Vec<OfferedKind>,
}

#[derive(Deserialize)]
struct OfferedKind {
    kind: String,
    vram_gb: u32,
    most: u32,
    free: u32,
    per_minute: PerMinute,
}

#[derive(Deserialize)]
struct PerMinute {
    own: Option<String>,
    partner: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    usage: Vec<Used>,
}

#[derive(Deserialize)]
struct Used {
    server: String,
    began: i64,
    charged: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    code: String,
    text: String,
    wait_ms: Option<u64>,
}

impl Tally {
    fn new(values: &Values, key: Key) -> Result<Self, SettingError> {
        let http = reqwest::Client::builder().timeout(PATIENCE).build();
        Ok(Self {
            http: http.map_err(|err| SettingError {
                provider: NAME,
                reason: err.to_string(),
            })?,
            url: values.url(NAME, "https://tally.example")?,
            key,
        })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}/api/{path}", self.url.as_str().trim_end_matches('/'));
        self.http
            .request(method, url)
            .header("x-tally-key", self.key.secret())
    }

    /// The body of a successful answer; the code of another one says what it means, its status does not.
    async fn send(&self, what: &'static str, request: RequestBuilder) -> Result<Vec<u8>, CallError> {
        let answered = async {
            let answer = request.send().await?;
            Ok::<_, reqwest::Error>((answer.status().is_success(), answer.bytes().await?))
        };
        let (is_fine, body) = answered.await.map_err(|err| {
            let fault = if err.is_connect() {
                CallFault::Unreachable(err.without_url().into())
            } else {
                CallFault::unclear(what, err.without_url())
            };
            fault.of(TITLE)
        })?;
        if is_fine {
            return Ok(body.to_vec());
        }
        let Refusal { code, text, wait_ms } = serde_json::from_slice(&body).unwrap_or_default();
        let fault = match code.as_str() {
            "bad_key" => CallFault::Unauthorized(text),
            "no_credit" => CallFault::NoFunds(text),
            "not_allowed" => CallFault::Forbidden(text),
            "unknown_server" => CallFault::NotFound(text),
            "sold_out" => CallFault::NoCapacity(text),
            "invalid" => CallFault::Invalid(text),
            "slow_down" => CallFault::RateLimited {
                retry_after: Duration::from_millis(wait_ms.unwrap_or(5_000)),
            },
            _ => CallFault::unclear(what, text),
        };
        Err(fault.of(TITLE))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<T, CallError> {
        let body = self.send(what, request).await?;
        serde_json::from_slice(&body).map_err(|err| CallFault::unclear(what, err).of(TITLE))
    }

    /// All pages of the list as it was at one moment; `None` when it has changed between two of them.
    async fn pages(&self) -> Result<Option<Machines>, CallError> {
        let what = "the list of servers";
        let mut machines = Vec::new();
        let mut n_read = 0;
        let mut revision = None;
        loop {
            let request = self
                .request(Method::GET, "servers")
                .query(&[("from", n_read.to_string())]);
            let page: Page = self.ask(what, request).await?;
            if *revision.get_or_insert(page.revision) != page.revision {
                return Ok(None);
            }
            n_read += page.servers.len();
            for shown in page.servers {
                machines.extend(machine(shown, what)?);
            }
            if !page.more {
                return Ok(Some(Machines {
                    machines,
                    at: DateTime::from_timestamp(page.clock, 0),
                }));
            }
        }
    }
}

/// A machine; `None` for one that has ended.
fn machine(shown: Shown, what: &'static str) -> Result<Option<Machine>, CallError> {
    if shown.state == "ended" {
        return Ok(None);
    }
    Ok(Some(Machine {
        rate: an_hour(&shown.per_minute, what)?,
        has_failed: shown.state == "broken" || shown.state == "halted",
        id: shown.id,
        name: shown.label,
        created_at: DateTime::from_timestamp(shown.began, 0),
    }))
}

/// What an hour costs, from the digits of a minute.
fn an_hour(per_minute: &str, what: &'static str) -> Result<MicroUsd, CallError> {
    let amount = money(per_minute, what)?;
    let hour = amount.checked_mul(MINUTES_IN_AN_HOUR);
    hour.ok_or_else(|| CallFault::unclear(what, "a price that is too high to be true").of(TITLE))
}

fn money(digits: &str, what: &'static str) -> Result<MicroUsd, CallError> {
    MicroUsd::parse_usd_up(digits).map_err(|err| CallFault::unclear(what, err).of(TITLE))
}

#[async_trait]
impl Account for Tally {
    fn kind(&self) -> &'static dyn Kind {
        &KIND
    }

    async fn list(&self) -> Result<Machines, CallError> {
        for _ in 0..N_TRIES {
            if let Some(machines) = self.pages().await? {
                return Ok(machines);
            }
        }
        Err(CallFault::unclear("the list of servers", "it changes while it is read").of(TITLE))
    }

    async fn get(&self, id: &str) -> Result<Option<Machine>, CallError> {
        let what = "a server";
        let request = self.request(Method::GET, &format!("servers/{id}"));
        match self.ask::<OfOne>(what, request).await {
            Ok(found) => machine(found.server, what),
            Err(err) if matches!(err.fault, CallFault::NotFound(_)) => Ok(None),
            Err(err) => Err(err),
        }
    }

    async fn terminate(&self, id: &str) -> Result<TerminateAck, CallError> {
        let request = self.request(Method::POST, &format!("servers/{id}/end"));
        match self.send("the end of a server", request).await {
            Ok(_) => Ok(TerminateAck::Accepted),
            Err(err) if matches!(err.fault, CallFault::NotFound(_)) => Ok(TerminateAck::NotFound),
            Err(err) => Err(err),
        }
    }
}

#[async_trait]
impl Landlord for Tally {
    fn is_real(&self) -> bool {
        false
    }

    fn capacity(&self) -> usize {
        4
    }

    fn engines(&self) -> &[Engine] {
        &[Engine::Native, Engine::Kohya]
    }

    fn agent_env(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (env::PROVIDER.to_owned(), NAME.to_owned()),
            (env::PROVIDER_URL.to_owned(), self.url.to_string()),
        ])
    }

    async fn offers(&self, wish: &RentalWish, least_memory_gb: u32) -> Result<Vec<Offer>, CallError> {
        let what = "the kinds of servers";
        let found: Kinds = self.ask(what, self.request(Method::GET, "kinds")).await?;
        let mut offers = Vec::new();
        for kind in found.kinds {
            let place = wish.gpus.iter().position(|gpu| *gpu == kind.kind);
            let is_wanted = wish.gpus.is_empty() || place.is_some();
            let fits = kind.vram_gb >= least_memory_gb && wish.n_gpus <= kind.most;
            // It has no places to choose from.
            if !is_wanted || !fits || !wish.data_centers.is_empty() {
                continue;
            }
            let tiers = [
                (CloudTier::Secure, &kind.per_minute.own),
                (CloudTier::Community, &kind.per_minute.partner),
            ];
            for (cloud, per_minute) in tiers {
                let Some(per_minute) = per_minute else { continue };
                let rate = an_hour(per_minute, what)?.checked_mul(wish.n_gpus);
                let Some((rate, cap)) =
                    rate.and_then(|rate| Some((rate, rate.checked_percent(CAP_PERCENT)?)))
                else {
                    continue;
                };
                let is_allowed = wish.clouds.is_empty() || wish.clouds.contains(&cloud);
                if !is_allowed || wish.max_rate_micro_usd.is_some_and(|most| rate > most) {
                    continue;
                }
                offers.push((
                    place.unwrap_or(0),
                    Offer {
                        gpu: kind.kind.clone(),
                        gpu_name: kind.kind.clone(),
                        n_gpus: wish.n_gpus,
                        memory_gb: kind.vram_gb,
                        cloud,
                        data_center: None,
                        is_in_stock: kind.free >= wish.n_gpus,
                        rate,
                        rate_cap: wish.max_rate_micro_usd.map_or(cap, |most| cap.min(most)),
                    },
                ));
            }
        }
        offers.sort_by_key(|(place, offer)| (!offer.is_in_stock, *place, offer.rate));
        Ok(offers.into_iter().map(|(_, offer)| offer).collect())
    }

    async fn order(&self, order: &Order<'_>) -> Result<Machine, CreateError> {
        let what = "a new server";
        let boot = order.env.iter().map(|(name, value)| format!("{name}={value}"));
        let body = json!({
            "label": order.name, "kind": order.offer.gpu, "count": order.offer.n_gpus,
            "host": match order.offer.cloud {
                CloudTier::Secure => "own",
                CloudTier::Community => "partner",
            },
            "boot": boot.collect::<Vec<_>>(),
        });
        let request = self.request(Method::POST, "servers").json(&body);
        let made: OfOne = self.ask(what, request).await?;
        machine(made.server, what)?
            .ok_or_else(|| CallFault::unclear(what, "it has ended already").of(TITLE).into())
    }

    async fn bills(&self, since: DateTime<Utc>, only: Option<&str>) -> Result<Vec<Bill>, CallError> {
        let what = "the usage";
        let request = self
            .request(Method::GET, "usage")
            .query(&[("since", since.timestamp())]);
        let Usage { usage } = self.ask(what, request).await?;
        let mine = usage
            .into_iter()
            .filter(|used| only.is_none_or(|id| id == used.server));
        let bill = |used: Used| {
            let began = DateTime::from_timestamp(used.began, 0).unwrap_or_default();
            Ok::<_, CallError>(Bill {
                total: money(&used.charged, what)?,
                // The first minute's.
                first_until: began + TimeDelta::minutes(1),
                id: used.server,
            })
        };
        mine.map(bill).collect()
    }

    async fn examine(
        &self,
        _: u32,
        _: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Result<Vec<Examination>, ExamineError> {
        Err(ExamineError::None(TITLE))
    }
}
