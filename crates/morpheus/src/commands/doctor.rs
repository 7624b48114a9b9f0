//! `morpheus doctor`: checks this machine and the settings, and says how to fix problems.

mod checks;
mod copies;
mod diffusers;
mod objects;
mod rented;
mod sd_scripts;

use rental::{Kind, providers};
use serde::Serialize;

use crate::{
    diffusers::DiffusersFlags,
    kohya::KohyaFlags,
    output,
    settings::{Flags, Settings, variable},
};

/// See [`crate::Command::Doctor`].
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Flags,
    #[command(flatten)]
    kohya: KohyaFlags,
    #[command(flatten)]
    diffusers: DiffusersFlags,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Check the account at this provider of rented machines alone
    #[arg(value_name = "PROVIDER", value_parser = provider)]
    provider: Option<&'static dyn Kind>,
    /// Rent one small machine there for some minutes, for at most one dollar, and tell how the provider behaves
    #[arg(long, requires = "provider")]
    live: bool,
}

/// A provider by its name, as an argument.
pub(super) fn provider(name: &str) -> Result<&'static dyn Kind, String> {
    providers::find(name).ok_or_else(|| {
        let names: Vec<&str> = providers::REGISTERED.iter().map(|kind| kind.name()).collect();
        format!("there is no such provider; use `{}`", names.join("` or `"))
    })
}

/// The result of one check.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was checked.
    name: String,
    health: Health,
    /// What the check found.
    detail: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Health {
    Ok,
    /// Morpheus runs with limitations.
    Warning,
    /// Morpheus cannot run.
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
    if let Some(kind) = args.provider {
        let found = settings
            .rentals
            .iter()
            .find(|rental| rental.name() == kind.name());
        let Some(rental) = found else {
            anyhow::bail!(
                "no machines are rented from {}: set {} and {}",
                kind.title(),
                kind.keys()[0],
                variable(kind, "image")
            );
        };
        if args.live {
            return rented::examine(rental, args.json);
        }
        return report(&[rented::check(rental)], args.json);
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
    findings.extend(copies::check(&settings));
    findings.extend(sd_scripts::check(&args.kohya));
    findings.extend(diffusers::check(&args.diffusers));
    findings.extend(settings.rentals.iter().map(rented::check));
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
