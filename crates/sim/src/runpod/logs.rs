//! `GET /v2/pods/{id}/logs`: lines as server-sent events, old ones first, then as they come.

use std::{collections::HashMap, convert::Infallible, sync::Arc};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
};
use chrono::{DateTime, Utc};
use futures::stream::{self, StreamExt as _};
use serde_json::json;

use super::{
    Inner,
    pod::{Line, Log, Source, timestamp},
    problem::{Answer, Problem},
};

const DEFAULT_TAIL: usize = 100;
const MOST_TAIL: usize = 5_000;

/// Which lines a reader wants.
struct Wanted {
    source: Option<Source>,
    since: Option<Cursor>,
    tail: usize,
}

/// A place in a log: a time, and a line of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    at: DateTime<Utc>,
    number: u64,
}

/// Streams a pod's log until the pod is gone.
pub(super) fn stream(
    inner: &Arc<Inner>,
    account: usize,
    id: String,
    parameters: &HashMap<String, String>,
    headers: &HeaderMap,
) -> Answer<Response> {
    let wanted = Wanted::parse(parameters, headers)?;
    let changes = inner.changes();
    let first = inner.with(|world| world.pod(account, &id).map(|pod| wanted.first(&pod.log)))?;
    let seen = first.last().map_or(0, |line| line.number);
    let source = wanted.source;
    let start = (Arc::clone(inner), changes, first, seen);
    let lines = stream::unfold(start, move |(inner, mut changes, lines, mut seen)| {
        let id = id.clone();
        async move {
            if !lines.is_empty() {
                return Some((lines, (inner, changes, Vec::new(), seen)));
            }
            loop {
                let more = inner.look(|world| {
                    let pod = world.pod(account, &id).ok()?;
                    let new = pod.log.lines().filter(|line| line.number > seen);
                    Some(new.filter(|line| fits(source, line)).cloned().collect::<Vec<_>>())
                })?;
                if let Some(last) = more.last() {
                    seen = last.number;
                    return Some((more, (inner, changes, Vec::new(), seen)));
                }
                changes.changed().await.ok()?;
            }
        }
    });
    let events =
        lines.flat_map(|lines| stream::iter(lines.into_iter().map(|line| Ok::<_, Infallible>(event(&line)))));
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive"));
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
    Ok(response)
}

fn fits(source: Option<Source>, line: &Line) -> bool {
    source.is_none_or(|source| source == line.source)
}

fn event(line: &Line) -> Event {
    let at = timestamp(line.at);
    let data = json!({"ts": at, "source": line.source, "line": line.text});
    Event::default()
        .id(format!("{at}/{:012}", line.number))
        .data(data.to_string())
}

impl Wanted {
    fn parse(parameters: &HashMap<String, String>, headers: &HeaderMap) -> Answer<Self> {
        let source = match parameters.get("source").map(String::as_str) {
            None => None,
            Some("container") => Some(Source::Container),
            Some("system") => Some(Source::System),
            Some(_) => return Err(Problem::bad_request("source must be one of container, system")),
        };
        let tail = match parameters.get("tail").map(|tail| tail.parse()) {
            None => DEFAULT_TAIL,
            Some(Ok(tail)) if tail <= MOST_TAIL => tail,
            Some(_) => return Err(Problem::bad_request("tail must be between 0 and 5000")),
        };
        let last_id = headers.get("last-event-id").and_then(|id| id.to_str().ok());
        let since = last_id.or(parameters.get("since").map(String::as_str));
        let since = since.map(Cursor::parse).transpose()?;
        Ok(Self { source, since, tail })
    }

    /// The lines that are there already.
    fn first(&self, log: &Log) -> Vec<Line> {
        let fitting = log.lines().filter(|line| fits(self.source, line));
        if let Some(cursor) = self.since {
            return fitting
                .filter(|line| Cursor::of(line) > cursor)
                .cloned()
                .collect();
        }
        let mut lines: Vec<Line> = fitting.rev().take(self.tail).cloned().collect();
        lines.reverse();
        lines
    }
}

impl Cursor {
    fn parse(text: &str) -> Answer<Self> {
        let (at, number) = text.split_once('/').unwrap_or((text, "0"));
        let wrong = || Problem::bad_request("since must be an RFC 3339 time");
        Ok(Self {
            at: DateTime::parse_from_rfc3339(at)
                .map_err(|_| wrong())?
                .with_timezone(&Utc),
            number: number.parse().map_err(|_| wrong())?,
        })
    }

    /// Ids have whole seconds, so lines are compared by them.
    fn of(line: &Line) -> Self {
        Self {
            at: DateTime::from_timestamp(line.at.timestamp(), 0).unwrap_or(line.at),
            number: line.number,
        }
    }
}
