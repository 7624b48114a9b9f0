//! How a pod ends itself, with the key that is good for it alone.

use std::process::Command;

use async_trait::async_trait;
use protocol::{problem::chain, spend::env};
use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};

use super::DEFAULT_URL;
use crate::{Key, OwnEnd, Refused, children::Children, http_client, seam::ANSWER_TIMEOUT};

const DELETE: &str = "Delete";
const ACTION: &str = "Action";
const GRAPHQL: &str = "GraphQl";
/// The provider's own program, which it puts into each machine.
const CLI: &str = "Cli";

/// This pod.
#[derive(Debug)]
pub(super) struct PodEnd {
    id: Option<String>,
    key: Option<Key>,
    url: Url,
    /// Whether the provider is the usual one, not a simulated one.
    is_usual: bool,
}

impl PodEnd {
    pub(super) fn read(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        let usual: Url = DEFAULT_URL.parse().expect("the provider's address is one");
        let named = lookup(env::PROVIDER_URL).and_then(|url| match url.parse::<Url>() {
            Ok(url) => Some(url),
            Err(err) => {
                let name = env::PROVIDER_URL;
                tracing::error!(error = %err, "{name} is not a valid URL, using the default");
                None
            }
        });
        let id = lookup("RUNPOD_POD_ID").filter(|id| {
            id.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        });
        Self {
            id,
            key: lookup("RUNPOD_API_KEY").map(Key::new),
            is_usual: named.is_none(),
            url: named.unwrap_or(usual),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, Refused> {
        let Some(key) = &self.key else {
            return Err(Refused::Now("RUNPOD_API_KEY is not set".to_owned()));
        };
        let refused = |err: reqwest::Error| Refused::Now(chain(&err.without_url()));
        let client = http_client().map_err(refused)?;
        let address = format!("{}/{path}", self.url.as_str().trim_end_matches('/'));
        let mut request = client.request(method, address).bearer_auth(key.secret());
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.map_err(refused)?;
        let status = answer.status();
        let body = answer.json().await.unwrap_or_default();
        Ok(Answer { status, body })
    }
}

#[async_trait]
impl OwnEnd for PodEnd {
    fn machine(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn ways(&self) -> &'static [&'static str] {
        &[DELETE, ACTION, GRAPHQL, CLI]
    }

    async fn try_to_end(&self, way: &str, children: &mut Option<Children>) -> Result<(), Refused> {
        let Some(id) = &self.id else {
            return Err(Refused::Now(
                "RUNPOD_POD_ID is not set or not a valid id".to_owned(),
            ));
        };
        let pod = format!("v2/pods/{id}");
        let ended = |status: StatusCode| {
            status.is_success() || [StatusCode::NOT_FOUND, StatusCode::GONE].contains(&status)
        };
        match way {
            DELETE => refused_unless(ended, self.send(Method::DELETE, &pod, None).await?),
            ACTION => {
                let body = json!({"action": "terminate"});
                let answer = self
                    .send(Method::POST, &format!("{pod}/action"), Some(body))
                    .await?;
                refused_unless(ended, answer)
            }
            GRAPHQL if self.is_usual => {
                let query = format!("mutation {{ podTerminate(input: {{podId: \"{id}\"}}) }}");
                let answer = self
                    .send(Method::POST, "graphql", Some(json!({"query": query})))
                    .await?;
                // It returns 200 for everything.
                match &answer.body["errors"] {
                    Value::Null => refused_unless(|status| status.is_success(), answer),
                    errors => Err(Refused::Now(errors.to_string().chars().take(300).collect())),
                }
            }
            GRAPHQL => Err(Refused::Always("this provider has none")),
            CLI => {
                let children = children.as_mut().ok_or(Refused::Always("no processes"))?;
                let mut command = Command::new("runpodctl");
                command.args(["remove", "pod", id]);
                match children.run(&mut command, ANSWER_TIMEOUT).await {
                    Ok(Some(status)) if status.exit_status() == Some(0) => Ok(()),
                    Ok(Some(_)) => Err(Refused::Now("runpodctl failed".to_owned())),
                    Ok(None) => Err(Refused::Now("runpodctl did not end".to_owned())),
                    Err(_) => Err(Refused::Always("runpodctl is not installed")),
                }
            }
            _ => Err(Refused::Always("there is no such way")),
        }
    }
}

/// An answer of the provider.
struct Answer {
    status: StatusCode,
    body: Value,
}

fn refused_unless(is_good: impl Fn(StatusCode) -> bool, answer: Answer) -> Result<(), Refused> {
    if is_good(answer.status) {
        return Ok(());
    }
    Err(Refused::Now(format!(
        "the provider responded with status {}",
        answer.status
    )))
}
