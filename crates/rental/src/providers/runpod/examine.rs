//! What only a living account can tell: rents one small machine for a few minutes, and sees how the provider behaves where
//! its documents are silent. No test calls it with a real account.
//!
//! The machine carries a name with a deadline, so `morpheus reap` ends it even if this program dies.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use protocol::{JobId, MicroUsd, problem::chain};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::{Client, Cloud, GpuOffer, KIND, Pod, PodSpec, Stock};
use crate::{CallError, Examination, ExamineError, Kind as _, MachineName};

/// All of it costs less, or nothing is rented.
const BUDGET: MicroUsd = MicroUsd(1_000_000);
/// The machine's container ends its own machine after this,
const SELF_END: Duration = Duration::from_secs(6 * 60);
/// we end it after this if it has not,
const OUR_END: Duration = Duration::from_secs(8 * 60);
/// and by then `morpheus reap` does.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// The longest that is waited for the bill.
const BILL_WAIT: Duration = Duration::from_secs(40 * 60);
const LOOK: Duration = Duration::from_secs(2);
const BILL_LOOK: Duration = Duration::from_secs(30);

/// A small image with a shell and curl; its entry point runs what it is given.
const IMAGE: &str = "curlimages/curl:8.14.1";
/// Fails at its first start, says at the next whether it finds its file again, and in the end ends its own machine with
/// the key that the provider gave it.
const SCRIPT: &str = r#"sh -c 'if [ -f /tmp/was-here ]; then echo check: kept; else touch /tmp/was-here; echo check: fresh; fi; if [ "$(date +%s)" -lt "$CHECK_RESTART_UNTIL" ]; then sleep 20; exit 1; fi; while [ "$(date +%s)" -lt "$CHECK_END" ]; do sleep 2; done; echo check: ending; curl -sS -o /dev/null -w "check: %{http_code}\n" -X DELETE -H "Authorization: Bearer $RUNPOD_API_KEY" "$CHECK_URL/v2/pods/$RUNPOD_POD_ID"; sleep 100000'"#;

/// Asks all of the questions.
pub(super) async fn examine(
    client: &Client,
    time_scale: u32,
    interrupt: Pin<Box<dyn Future<Output = ()> + Send>>,
) -> Result<Vec<Examination>, ExamineError> {
    let scaled = |time: Duration| time / time_scale;
    let mut answers = Vec::new();
    let mut note = |question, seen: String| answers.push(Examination { question, seen });

    let v1 = client.status_of_v1().await;
    note(
        "does the former API (v1) answer 410?",
        v1.map_or_else(|err| chain(&err), |status| status.to_string()),
    );
    let list = client.raw_list().await?;
    let keys: Vec<String> = list
        .as_object()
        .map(|list| list.keys().cloned().collect())
        .unwrap_or_default();
    note(
        "what does a list of pods contain (is there a cursor)?",
        keys.join(", "),
    );

    let offers = client.offers(1).await?;
    let now = client.list_pods().await?.at.unwrap_or_else(Utc::now);
    let sold_out = refused(client, &offers, now, time_scale).await?;
    note("what does it say when there is none left?", sold_out);
    note(
        "how does it respond without money in the account?",
        "not tested: needs an empty account".to_owned(),
    );

    let kind = cheapest(&offers)?;
    let spec = spec(client, &kind, now);
    let began = Instant::now();
    let pod = client.create(&spec).await?;
    let watched = tokio::select! {
        watched = watch(client, &pod, began, time_scale) => watched,
        () = interrupt => Err(ExamineError::Stopped("interrupted".to_owned())),
    };
    // Whatever happened: it ends now.
    end(client, &pod, time_scale).await?;
    let ended = Instant::now();
    let watched = watched?;

    let since = |time: Option<Duration>| {
        let provider = |time: Duration| (time * time_scale).as_secs();
        time.map_or_else(
            || "not seen".to_owned(),
            |time| format!("after {} s", provider(time)),
        )
    };
    note("when does a new pod appear in the list?", since(watched.listed));
    note("when does its container start?", since(watched.runs));
    note(
        "is it charged before that, and does its price change?",
        format!(
            "before: {}; while running: {}; in the catalog: {}",
            amounts(&watched.rates_before),
            amounts(&watched.rates_running),
            kind.rate
        ),
    );
    note(
        "does a restarted container keep its files?",
        match (watched.says("kept"), watched.says("fresh")) {
            (0, 0) => "its log could not be read".to_owned(),
            (0, 1) => "it was not restarted".to_owned(),
            (0, n) => format!("no: {n} starts without the files"),
            (_, _) => "yes".to_owned(),
        },
    );
    note(
        "can a pod terminate itself with the key it is given?",
        if watched.ended_itself {
            "yes".to_owned()
        } else {
            format!(
                "no, this program terminated it; the response was: {}",
                watched.lines.last().map_or("nothing", String::as_str)
            )
        },
    );
    let bill = loop {
        let bills = client.bills(now, Some(&pod.id)).await?;
        if let Some(bill) = bills.first() {
            break Some(bill.total);
        }
        if ended.elapsed() > scaled(BILL_WAIT) {
            break None;
        }
        sleep(scaled(BILL_LOOK)).await;
    };
    note(
        "how long until billing records appear?",
        match bill {
            Some(bill) => format!(
                "{} s after the end, {bill} by then",
                (ended.elapsed() * time_scale).as_secs()
            ),
            None => format!("not within {} minutes", BILL_WAIT.as_secs() / 60),
        },
    );
    Ok(answers)
}

/// What was seen of the machine.
#[derive(Debug, Default)]
struct Watched {
    listed: Option<Duration>,
    runs: Option<Duration>,
    rates_before: BTreeSet<MicroUsd>,
    rates_running: BTreeSet<MicroUsd>,
    lines: Vec<String>,
    ended_itself: bool,
}

impl Watched {
    fn says(&self, word: &str) -> usize {
        let line = format!("check: {word}");
        self.lines.iter().filter(|seen| seen.contains(&line)).count()
    }
}

/// Looks at the machine until it has ended itself, or should have.
async fn watch(client: &Client, pod: &Pod, began: Instant, scale: u32) -> Result<Watched, ExamineError> {
    let mut watched = Watched::default();
    let mut n_missing = 0;
    while began.elapsed() < OUR_END / scale {
        if watched.listed.is_none() && client.list_pods().await?.pods.iter().any(|one| one.id == pod.id) {
            watched.listed = Some(began.elapsed());
        }
        match client.get_pod(&pod.id).await? {
            Some(now) if now.runtime.is_some() => {
                watched.runs.get_or_insert(began.elapsed());
                watched.rates_running.insert(now.rate);
                n_missing = 0;
            }
            Some(now) => {
                watched.rates_before.insert(now.rate);
                n_missing = 0;
            }
            // A young pod may not be shown yet.
            None if watched.listed.is_some() => n_missing += 1,
            None => {}
        }
        if n_missing > 3 {
            watched.ended_itself = true;
            return Ok(watched);
        }
        if watched.runs.is_some() {
            read_log(client, pod, &mut watched.lines, LOOK / scale).await;
        }
        sleep(LOOK / scale).await;
    }
    Ok(watched)
}

/// The log so far; one that cannot be read says nothing.
async fn read_log(client: &Client, pod: &Pod, lines: &mut Vec<String>, within: Duration) {
    let reading = async {
        let mut log = client.logs(&pod.id, None).await?;
        let mut found = Vec::new();
        while let Ok(Ok(Some(line))) = timeout(within, log.next()).await {
            found.push(line.text);
        }
        Ok::<_, CallError>(found)
    };
    if let Ok(found) = reading.await
        && found.len() >= lines.len()
    {
        *lines = found;
    }
}

/// Orders the end of the machine until it is not found any more.
async fn end(client: &Client, pod: &Pod, scale: u32) -> Result<(), ExamineError> {
    let began = Instant::now();
    loop {
        // What it answers proves nothing.
        let _ = client.delete_pod(&pod.id).await;
        sleep(LOOK / scale).await;
        if let Ok(None) = client.get_pod(&pod.id).await {
            return Ok(());
        }
        if began.elapsed() > DEADLINE / scale {
            return Err(ExamineError::Stopped(format!(
                "the machine `{}` ({}) does not end: end it in the provider's console, or run `morpheus reap --once`",
                pod.name, pod.id
            )));
        }
    }
}

/// Tries to rent a type that the catalog lists as sold out.
async fn refused(
    client: &Client,
    offers: &[GpuOffer],
    now: DateTime<Utc>,
    scale: u32,
) -> Result<String, ExamineError> {
    let sold_out = kinds(offers).find(|kind| kind.stock == Stock::None);
    let Some(Kind { gpu, cloud, .. }) = sold_out else {
        return Ok("not tested: everything is in stock".to_owned());
    };
    let spec = PodSpec {
        gpu: gpu.to_owned(),
        cloud,
        ..blank(now)
    };
    match client.create(&spec).await {
        Err(err) => Ok(format!("{gpu}: {}", chain(&err))),
        Ok(pod) => {
            end(client, &pod, scale).await?;
            Ok(format!(
                "{gpu}: one was available although the catalog listed none; it was terminated immediately"
            ))
        }
    }
}

/// A GPU type in a tier, where it is offered.
struct Kind<'a> {
    gpu: &'a str,
    cloud: Cloud,
    rate: MicroUsd,
    stock: Stock,
}

fn kinds(offers: &[GpuOffer]) -> impl Iterator<Item = Kind<'_>> {
    offers.iter().flat_map(|offer| {
        let tiers = [
            (Cloud::Secure, offer.price.secure),
            (Cloud::Community, offer.price.community),
        ];
        let offered = tiers.into_iter().filter(|(_, rate)| *rate > MicroUsd::ZERO);
        offered.map(|(cloud, rate)| Kind {
            gpu: &offer.id,
            cloud,
            rate,
            stock: offer.stock,
        })
    })
}

fn cheapest(offers: &[GpuOffer]) -> Result<Kind<'_>, ExamineError> {
    let in_stock = kinds(offers).filter(|kind| kind.stock != Stock::None);
    let cheapest = in_stock
        .min_by_key(|kind| kind.rate)
        .ok_or_else(|| ExamineError::Stopped("no machine is in stock".to_owned()))?;
    let rate = cheapest.rate;
    let most = rate.checked_cost(DEADLINE).unwrap_or(BUDGET + BUDGET);
    if most > BUDGET {
        return Err(ExamineError::Stopped(format!(
            "the cheapest machine costs {rate} an hour, so {DEADLINE:?} of it are more than {BUDGET}"
        )));
    }
    Ok(cheapest)
}

fn spec(client: &Client, kind: &Kind<'_>, now: DateTime<Utc>) -> PodSpec {
    let at = |after: Duration| (now + TimeDelta::seconds(after.as_secs().cast_signed())).timestamp();
    PodSpec {
        args: SCRIPT.to_owned(),
        env: BTreeMap::from([
            ("CHECK_END".to_owned(), at(SELF_END).to_string()),
            ("CHECK_RESTART_UNTIL".to_owned(), at(SELF_END / 2).to_string()),
            (
                "CHECK_URL".to_owned(),
                client.url().trim_end_matches('/').to_owned(),
            ),
        ]),
        gpu: kind.gpu.to_owned(),
        cloud: kind.cloud,
        ..blank(now)
    }
}

fn blank(now: DateTime<Utc>) -> PodSpec {
    let deadline = now + TimeDelta::seconds(DEADLINE.as_secs().cast_signed());
    PodSpec {
        name: MachineName::new(KIND.names(), Uuid::now_v7(), JobId::new(), 1, deadline).to_string(),
        image: IMAGE.to_owned(),
        args: "sleep 1".to_owned(),
        disk_gb: 5,
        env: BTreeMap::new(),
        gpu: String::new(),
        gpu_count: 1,
        min_cuda_version: None,
        cloud: Cloud::Community,
        data_center: None,
    }
}

fn amounts(rates: &BTreeSet<MicroUsd>) -> String {
    if rates.is_empty() {
        return "not seen".to_owned();
    }
    let rates: Vec<String> = rates.iter().map(ToString::to_string).collect();
    rates.join(", ")
}
