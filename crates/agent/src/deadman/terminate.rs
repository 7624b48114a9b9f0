//! How a machine ends itself at its provider: every way that is known, again and again until it is gone.
//!
//! An answer is not believed. That it worked shows in that nothing here runs any more.

use std::{process::Command, time::Duration};

use protocol::{
    problem::chain,
    spend::{self, env},
};
use reqwest::{Certificate, Client, Method, StatusCode, Url, redirect};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::{Environment, Scale, children::Children};

/// Each way is tried so often in a round.
const N_TRIES: u32 = 3;
/// Between two tries at first; it doubles.
const TRY_PAUSE: Duration = Duration::from_secs(1);
/// Between two rounds.
pub(super) const ROUND_PAUSE: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// This machine, as its provider knows it.
pub(super) struct Machine {
    id: Option<String>,
    key: Option<String>,
    url: Url,
    /// Whether the provider is the usual one, not a simulated one.
    is_usual: bool,
    scale: Scale,
}

/// Ways to end a machine, in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Delete,
    Action,
    GraphQl,
    /// The provider's own program, which it puts into each machine.
    Cli,
}

const WAYS: [Way; 4] = [Way::Delete, Way::Action, Way::GraphQl, Way::Cli];

impl Machine {
    /// What the environment says. Whatever is wrong with it, there is a machine to end.
    pub(super) fn from_env() -> Self {
        let lookup = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let usual: Url = spend::RUNPOD_URL.parse().expect("the provider's address is one");
        let named = lookup(env::PROVIDER_URL).and_then(|url| match url.parse::<Url>() {
            Ok(url) => Some(url),
            Err(err) => {
                tracing::error!(error = %err, "{} is no address, taking the usual one", env::PROVIDER_URL);
                None
            }
        });
        let id = lookup("RUNPOD_POD_ID").filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
        Self {
            id,
            key: lookup("RUNPOD_API_KEY"),
            is_usual: named.is_none(),
            url: named.unwrap_or(usual),
            scale: Environment::scale(lookup).unwrap_or_default(),
        }
    }

    /// What tells this machine from others.
    pub(super) fn name(&self) -> &str {
        self.id.as_deref().unwrap_or("unknown")
    }

    /// Ends the machine. It returns only by the machine's end.
    pub(super) async fn end(&self, children: &mut Option<Children>) -> ! {
        let mut n_rounds = 0_u64;
        loop {
            n_rounds += 1;
            let is_accepted = self.round(n_rounds > 1, children).await;
            tracing::warn!(
                machine.id = self.name(),
                round = n_rounds,
                is_accepted,
                "waiting for this machine's end"
            );
            self.pause(ROUND_PAUSE, children).await;
        }
    }

    /// Tries one way after the other, until one is accepted; all of them when an accepted one has not helped before.
    async fn round(&self, tries_all: bool, children: &mut Option<Children>) -> bool {
        let mut is_accepted = false;
        for way in WAYS {
            for n_tries in 0..N_TRIES {
                match self.try_to_end(way, children).await {
                    Ok(()) => {
                        tracing::info!(
                            machine.id = self.name(),
                            ?way,
                            "the provider takes this machine's end"
                        );
                        is_accepted = true;
                        break;
                    }
                    Err(Failure::Impossible(why)) => {
                        tracing::debug!(?way, why, "no way to end this machine");
                        break;
                    }
                    Err(Failure::Refused(why)) => {
                        tracing::warn!(
                            machine.id = self.name(),
                            ?way,
                            error = why,
                            "failed to end this machine"
                        );
                    }
                }
                if n_tries + 1 < N_TRIES {
                    self.pause(TRY_PAUSE * 2_u32.pow(n_tries), children).await;
                }
            }
            if is_accepted && !tries_all {
                break;
            }
        }
        is_accepted
    }

    async fn try_to_end(&self, way: Way, children: &mut Option<Children>) -> Result<(), Failure> {
        let Some(id) = &self.id else {
            return Err(Failure::Refused(
                "RUNPOD_POD_ID is not set, or is no id".to_owned(),
            ));
        };
        let pod = format!("v2/pods/{id}");
        let ended = |status: StatusCode| {
            status.is_success() || [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&status)
        };
        match way {
            Way::Delete => refused_unless(ended, self.send(Method::DELETE, &pod, None).await?),
            Way::Action => {
                let body = json!({"action": "terminate"});
                let answer = self
                    .send(Method::POST, &format!("{pod}/action"), Some(body))
                    .await?;
                refused_unless(ended, answer)
            }
            Way::GraphQl if self.is_usual => {
                let query = format!("mutation {{ podTerminate(input: {{podId: \"{id}\"}}) }}");
                let answer = self
                    .send(Method::POST, "graphql", Some(json!({"query": query})))
                    .await?;
                // It says 200 to everything.
                match &answer.body["errors"] {
                    Value::Null => refused_unless(|status| status.is_success(), answer),
                    errors => Err(Failure::Refused(errors.to_string().chars().take(300).collect())),
                }
            }
            Way::GraphQl => Err(Failure::Impossible("this provider has none")),
            Way::Cli => {
                let children = children.as_mut().ok_or(Failure::Impossible("no processes"))?;
                let mut command = Command::new("runpodctl");
                command.args(["remove", "pod", id]);
                match children.run(&mut command, ANSWER_TIMEOUT).await {
                    Ok(Some(status)) if status.exit_status() == Some(0) => Ok(()),
                    Ok(Some(_)) => Err(Failure::Refused("runpodctl failed".to_owned())),
                    Ok(None) => Err(Failure::Refused("runpodctl did not end".to_owned())),
                    Err(_) => Err(Failure::Impossible("there is no runpodctl")),
                }
            }
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, Failure> {
        let Some(key) = &self.key else {
            return Err(Failure::Refused("RUNPOD_API_KEY is not set".to_owned()));
        };
        let refused = |err: reqwest::Error| Failure::Refused(chain(&err.without_url()));
        // A new one each time: whatever was wrong with the last one's connections is forgotten.
        let client = client().map_err(refused)?;
        let address = format!("{}/{path}", self.url.as_str().trim_end_matches('/'));
        let mut request = client.request(method, address).bearer_auth(key);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(refused)?;
        let status = answer.status();
        let body = answer.json().await.unwrap_or_default();
        Ok(Answer { status, body })
    }

    /// Waits by the provider's clock, and reaps what ends meanwhile.
    async fn pause(&self, time: Duration, children: &mut Option<Children>) {
        let end = Instant::now() + self.scale.real(time);
        loop {
            let ended = async {
                match children {
                    Some(children) => drop(children.next_end().await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = ended => {}
                () = sleep_until(end) => return,
            }
        }
    }
}

/// An answer of the provider.
struct Answer {
    status: StatusCode,
    body: Value,
}

/// Why a try did nothing.
enum Failure {
    /// Trying again may help.
    Refused(String),
    /// There is no such way here.
    Impossible(&'static str),
}

fn refused_unless(is_good: impl Fn(StatusCode) -> bool, answer: Answer) -> Result<(), Failure> {
    if is_good(answer.status) {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "the provider answered {}",
        answer.status
    )))
}

/// Brings its own list of authorities: an image without one could not end its machine.
fn client() -> reqwest::Result<Client> {
    let authorities = webpki_root_certs::TLS_SERVER_ROOT_CERTS
        .iter()
        .filter_map(|certificate| Certificate::from_der(certificate).ok());
    Client::builder()
        .user_agent(concat!("morpheus-agent/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(redirect::Policy::none())
        .tls_certs_merge(authorities)
        .build()
}
