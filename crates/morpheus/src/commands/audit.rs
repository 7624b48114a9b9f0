//! `morpheus audit`: who did what, when, from where.

use anyhow::Context as _;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use protocol::audit::{AuditCategory, AuditEntry};
use store::audit::{self, Filter};

use crate::{
    output,
    settings::{Flags, Settings},
};

/// Entries per page.
const PAGE: u64 = 500;

/// See [`crate::Command::Audit`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Flags,
    /// Show only entries since then: 24h, 7d, a date such as 2026-11-29, or a time such as 2026-11-29T20:00:00Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<Since>,
    /// Show only one category: access, data, work, models, money or installation
    #[arg(long, value_name = "CATEGORY", value_parser = category)]
    category: Option<AuditCategory>,
    /// Maximum number of entries to show, newest first
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: u64,
    /// Print one JSON object per entry
    #[arg(long)]
    json: bool,
}

/// A point in time or a duration before now.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Since {
    Ago(TimeDelta),
    At(DateTime<Utc>),
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(show(args))
}

async fn show(args: Args) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    let store = settings.store().open().await?;
    let mut filter = Filter {
        category: args.category,
        since: args.since.map(|since| match since {
            Since::Ago(ago) => store::now() - ago,
            Since::At(time) => time,
        }),
        ..Filter::default()
    };
    let mut left = args.limit;
    while left > 0 {
        let page = audit::list(&store, store.default_owner(), &filter, left.min(PAGE)).await?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.id);
        left -= page.len() as u64;
        for entry in &page {
            if args.json {
                output::json(entry)?;
            } else {
                output::line(line(entry));
            }
        }
    }
    Ok(())
}

fn line(entry: &AuditEntry) -> String {
    let mut line = format!("{}  {}", entry.at.format("%Y-%m-%d %H:%M:%S"), entry.label);
    if entry.n > 1 {
        line += &format!(" ({} times)", entry.n);
    }
    if let Some(subject) = &entry.subject {
        line += &format!(": {subject}");
    }
    if let Some(detail) = &entry.detail {
        line += &format!(" ({detail})");
    }
    line += &format!(" · {}", entry.actor);
    if let Some(address) = &entry.address {
        line += &format!(" from {address}");
    }
    line
}

fn since(text: &str) -> Result<Since, String> {
    let ago = |text: &str, unit: fn(i64) -> Option<TimeDelta>| text.parse().ok().and_then(unit);
    let found = if let Some(hours) = text.strip_suffix('h') {
        ago(hours, TimeDelta::try_hours).map(Since::Ago)
    } else if let Some(days) = text.strip_suffix('d') {
        ago(days, TimeDelta::try_days).map(Since::Ago)
    } else if let Ok(date) = text.parse::<NaiveDate>() {
        Some(Since::At(date.and_time(NaiveTime::MIN).and_utc()))
    } else {
        text.parse().ok().map(Since::At)
    };
    // Longer ago than any time that there is.
    let found = found.filter(|since| !matches!(since, Since::Ago(ago) if ago.num_days() > 365_000));
    found.ok_or_else(|| "write 24h, 7d, 2026-11-29 or 2026-11-29T20:00:00Z".to_owned())
}

fn category(text: &str) -> Result<AuditCategory, String> {
    serde_json::from_value(text.into())
        .map_err(|_| "use access, data, work, models, money or installation".to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{Since, since};

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(since("24h").unwrap(), Since::Ago(TimeDelta::hours(24)));
        assert_eq!(since("7d").unwrap(), Since::Ago(TimeDelta::days(7)));
        let midnight = Since::At("2026-11-29T00:00:00Z".parse().unwrap());
        assert_eq!(since("2026-11-29").unwrap(), midnight);
        assert_eq!(since("2026-11-29T00:00:00Z").unwrap(), midnight);
        for wrong in ["", "d", "yesterday", "-", "99999999999999d", "2026-13-01"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }
}
