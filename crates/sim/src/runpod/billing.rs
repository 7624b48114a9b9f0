//! `GET /v2/billing/pods`: what each pod has cost in each bucket of time.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Datelike as _, Months, NaiveTime, TimeDelta, Timelike as _, Utc};
use serde_json::{Value, json};

use super::{
    clock::seconds,
    dollars,
    meter::Amounts,
    pod::timestamp,
    problem::{Answer, Problem},
    world::World,
};

/// Without another wish the answer covers this many buckets.
const DEFAULT_BUCKETS: u32 = 30;
/// A window with more buckets than this is refused.
const MOST_BUCKETS: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// The window and what it is cut into.
struct Query {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    bucket: Bucket,
    pod: Option<String>,
}

impl World {
    /// Answers a request of an account with these parameters.
    pub(super) fn billing(&self, account: usize, parameters: &HashMap<String, String>) -> Answer<Value> {
        let query = Query::parse(parameters, self.now)?;
        // The records come late; what is younger is not in them yet.
        let known_until = self.now - seconds(self.delays.billing_s);
        let mut records = Vec::new();
        let mut pods = BTreeSet::new();
        let mut totals = Amounts::default();
        for (start, end) in query.buckets()? {
            for pod in self.pods.values().filter(|pod| pod.account == account) {
                if query.pod.as_ref().is_some_and(|only| *only != pod.id) {
                    continue;
                }
                let amounts = pod.meter.between(start.min(known_until), end.min(known_until));
                if amounts == Amounts::default() {
                    continue;
                }
                pods.insert(&pod.id);
                totals = totals.plus(amounts);
                let mut record = amounts_json(amounts);
                record["podId"] = pod.id.clone().into();
                record["startTime"] = timestamp(start).into();
                record["endTime"] = timestamp(end).into();
                records.push(record);
            }
        }
        Ok(json!({
            "metadata": {
                "query": {
                    "startTime": timestamp(query.start),
                    "endTime": timestamp(query.end),
                    "bucketSize": query.bucket.name(),
                    "podId": query.pod,
                },
                "recordCount": records.len(),
                "uniquePodCount": pods.len(),
                "totals": amounts_json(totals),
            },
            "records": records,
        }))
    }
}

fn amounts_json(amounts: Amounts) -> Value {
    json!({
        "totalAmount": dollars(amounts.total()),
        "gpuAmount": dollars(amounts.gpu),
        "cpuAmount": 0,
        "diskAmount": dollars(amounts.disk),
    })
}

impl Query {
    fn parse(parameters: &HashMap<String, String>, now: DateTime<Utc>) -> Answer<Self> {
        let text = |name: &str| parameters.get(name).map(String::as_str);
        let time = |name: &str| {
            let parse = |text: &str| {
                DateTime::parse_from_rfc3339(text)
                    .map(|time| time.with_timezone(&Utc))
                    .map_err(|_| Problem::bad_request(format!("{name} must be an RFC 3339 time")))
            };
            text(name).map(parse).transpose()
        };
        let bucket = Bucket::parse(text("bucketSize").unwrap_or("day"))?;
        let (start, end) = (time("startTime")?, time("endTime")?);
        let last_n = match text("lastN") {
            None => None,
            Some(_) if start.is_some() || end.is_some() => {
                return Err(Problem::bad_request("lastN excludes startTime and endTime"));
            }
            Some(n) => match n.parse::<u32>() {
                Ok(n) if n > 0 => Some(n),
                _ => return Err(Problem::bad_request("lastN must be a whole number above 0")),
            },
        };
        // Windows are snapped outwards to whole buckets.
        let end = end.unwrap_or(now);
        let end = match bucket.start(end) {
            start if start == end => end,
            start => bucket.next(start),
        };
        let start = match start {
            Some(start) => bucket.start(start),
            None => bucket.back(end, last_n.unwrap_or(DEFAULT_BUCKETS)),
        };
        if start >= end {
            return Err(Problem::bad_request("startTime must be before endTime"));
        }
        Ok(Self {
            start,
            end,
            bucket,
            pod: text("podId").map(str::to_owned),
        })
    }

    fn buckets(&self) -> Answer<Vec<(DateTime<Utc>, DateTime<Utc>)>> {
        let mut buckets = Vec::new();
        let mut start = self.start;
        while start < self.end {
            let end = self.bucket.next(start);
            buckets.push((start, end));
            start = end;
            if buckets.len() > MOST_BUCKETS {
                return Err(Problem::bad_request("the window has too many buckets"));
            }
        }
        Ok(buckets)
    }
}

impl Bucket {
    fn parse(text: &str) -> Answer<Self> {
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year]
            .into_iter()
            .find(|bucket| bucket.name() == text)
            .ok_or_else(|| Problem::bad_request("bucketSize must be one of hour, day, week, month, year"))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The beginning of the bucket that a time is in.
    fn start(self, time: DateTime<Utc>) -> DateTime<Utc> {
        let date = time.date_naive();
        let date = match self {
            Self::Hour => {
                let past = TimeDelta::seconds(i64::from(time.num_seconds_from_midnight()) % 3_600)
                    + TimeDelta::nanoseconds(i64::from(time.nanosecond()));
                return time - past;
            }
            Self::Day => date,
            Self::Week => date - TimeDelta::days(i64::from(date.weekday().num_days_from_monday())),
            Self::Month => date.with_day(1).unwrap_or(date),
            Self::Year => date.with_ordinal(1).unwrap_or(date),
        };
        date.and_time(NaiveTime::MIN).and_utc()
    }

    fn next(self, start: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => start + TimeDelta::hours(1),
            Self::Day => start + TimeDelta::days(1),
            Self::Week => start + TimeDelta::weeks(1),
            Self::Month => start + Months::new(1),
            Self::Year => start + Months::new(12),
        }
    }

    fn back(self, end: DateTime<Utc>, n: u32) -> DateTime<Utc> {
        let days = i64::from(n);
        match self {
            Self::Hour => end - TimeDelta::hours(days),
            Self::Day => end - TimeDelta::days(days),
            Self::Week => end - TimeDelta::weeks(days),
            Self::Month => end.checked_sub_months(Months::new(n)).unwrap_or(end),
            Self::Year => end
                .checked_sub_months(Months::new(n.saturating_mul(12)))
                .unwrap_or(end),
        }
    }
}
