//! `morpheus doctor`: checks this machine and the settings, and says how to fix what is wrong.

mod checks;
mod live;
mod objects;
mod runpod;
mod sd_scripts;

use serde::Serialize;

use crate::{
    kohya::KohyaFlags,
    output,
    settings::{Flags, Settings},
};

/// See [`crate::Command::Doctor`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Flags,
    #[command(flatten)]
    kohya: KohyaFlags,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    part: Option<Part>,
}

/// One part alone.
#[derive(clap::Subcommand)]
enum Part {
    /// Check the account at RunPod
    Runpod {
        /// Rent one small machine for some minutes, for at most one dollar, and tell how the provider behaves
        #[arg(long)]
        live: bool,
    },
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was checked.
    name: String,
    health: Health,
    /// What was seen.
    detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Ok,
    /// Morpheus runs, less well.
    Warning,
    /// Morpheus does not run.
    Problem,
}

impl Finding {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            health: Health::Ok,
            detail: detail.into(),
            fix: None,
        }
    }

    fn warning(name: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            health: Health::Warning,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }

    fn problem(name: impl Into<String>, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            health: Health::Problem,
            detail: detail.into(),
            fix: Some(fix.into()),
        }
    }
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let settings = Settings::resolve(args.settings)?;
    if let Some(Part::Runpod { live }) = args.part {
        let Some(config) = &settings.runpod else {
            anyhow::bail!("no machines are rented: set MORPHEUS_RUNPOD_KEY and MORPHEUS_RUNPOD_IMAGE");
        };
        if live {
            return live::run(config, args.json);
        }
        return report(
            &runpod::check(Some(config)).into_iter().collect::<Vec<_>>(),
            args.json,
        );
    }
    let mut findings = vec![
        checks::processor(),
        checks::memory(),
        checks::data_folder(&settings.data),
        checks::privacy(&settings),
        checks::disk(&settings.data, settings.min_free_bytes),
        checks::port(settings.listen),
        checks::decoding(),
    ];
    findings.push(checks::database(&settings)?);
    findings.extend(checks::queue(&settings)?);
    findings.extend(objects::check(&settings));
    findings.extend(checks::bases(&settings));
    findings.extend(sd_scripts::check(&args.kohya));
    findings.extend(runpod::check(settings.runpod.as_ref()));
    report(&findings, args.json)
}

fn report(findings: &[Finding], json: bool) -> anyhow::Result<()> {
    let n_problems = findings
        .iter()
        .filter(|finding| finding.health == Health::Problem)
        .count();
    if json {
        output::json(&serde_json::json!({ "ok": n_problems == 0, "findings": findings }))?;
    } else {
        findings.iter().for_each(show);
    }
    anyhow::ensure!(
        n_problems == 0,
        "{n_problems} of {} checks found a problem",
        findings.len()
    );
    Ok(())
}

fn show(finding: &Finding) {
    let mark = match finding.health {
        Health::Ok => "ok      ",
        Health::Warning => "warning ",
        Health::Problem => "PROBLEM ",
    };
    output::line(format_args!("{mark} {:14} {}", finding.name, finding.detail));
    if let Some(fix) = &finding.fix {
        output::line(format_args!("{:24}{fix}", ""));
    }
}
