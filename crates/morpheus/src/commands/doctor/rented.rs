//! The check of rented machines: whether a provider lets us in, and what it has. It orders nothing, unless it is told to.

use anyhow::Context as _;
use protocol::{problem::chain, spend::RentalWish};
use rental::{CallError, CallFault, Kind};
use server::RentalConfig;

use super::Finding;
use crate::{output, settings, signals};

pub(super) fn check(config: &RentalConfig) -> Finding {
    let kind = config.landlord.kind();
    let name = kind.name();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return Finding::problem(name, err.to_string(), "free some memory"),
    };
    let looked = runtime.block_on(async {
        let landlord = &config.landlord;
        let wish = RentalWish::default();
        Ok::<_, CallError>((landlord.list().await?, landlord.offers(&wish, 0).await?))
    });
    match looked {
        Ok((listed, offers)) => Finding::ok(
            name,
            format!(
                "{} machines in the account, {} kinds of machines available",
                listed.machines.len(),
                offers.len()
            ),
        ),
        Err(err) => Finding::problem(name, chain(&err), fix(kind, &err.fault)),
    }
}

/// What a person can do about it.
fn fix(kind: &dyn Kind, fault: &CallFault) -> String {
    match fault {
        CallFault::Unauthorized(_) | CallFault::Forbidden(_) => format!(
            "set {} to a key that may read, order and end machines",
            kind.keys()[0]
        ),
        CallFault::NoFunds(_) => "put money into the account".to_owned(),
        CallFault::Unreachable(_) => {
            let url = settings::variable(kind, "url");
            format!("check the network, and {url} if you set it")
        }
        _ => "try again in a moment".to_owned(),
    }
}

/// Rents a machine to learn how the provider behaves, and prints what was seen.
pub(super) fn examine(config: &RentalConfig, json: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let answers = runtime.block_on(
        config
            .landlord
            .examine(config.time_scale, Box::pin(signals::asked_to_end())),
    )?;
    if json {
        return output::json(&serde_json::json!({ "answers": answers }));
    }
    for answer in &answers {
        output::line(format_args!("{}\n    {}", answer.question, answer.seen));
    }
    Ok(())
}
