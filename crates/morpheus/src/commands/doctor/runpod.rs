//! The check of rented machines: whether the provider lets us in, and what it has. It orders nothing.

use orchestrator::providers::runpod::{CallError, Client};
use protocol::problem::chain;
use server::RunPodConfig;

use super::Finding;

const NAME: &str = "runpod";

/// Nothing when no machines are rented.
pub(super) fn check(config: Option<&RunPodConfig>) -> Option<Finding> {
    let config = config?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(err) => return Some(Finding::problem(NAME, err.to_string(), "free some memory")),
    };
    let looked = runtime.block_on(async {
        let client = Client::new(config.client.clone())?;
        Ok::<_, CallError>((client.list().await?, client.offers(1).await?))
    });
    Some(match looked {
        Ok((listing, offers)) => Finding::ok(
            NAME,
            format!(
                "{} machines in the account, {} GPU types on offer",
                listing.pods.len(),
                offers.len()
            ),
        ),
        Err(err) => {
            let fix = match &err {
                CallError::Unauthorized(_) | CallError::Forbidden(_) => {
                    "set MORPHEUS_RUNPOD_KEY to a key that may read and write pods"
                }
                CallError::NoFunds(_) => "put money into the account",
                CallError::Unreachable(_) => "check the network, and --runpod-url if you set it",
                _ => "try again in a moment",
            };
            Finding::problem(NAME, chain(&err), fix)
        }
    })
}
