//! What the answer to a claim holds. A server may be of a newer version: work that cannot be read is refused by name,
//! not asked for again and again.

use protocol::{
    AttemptId,
    agent::{Assignment, DrawingLease, EditWork, Finish, GenerateWork, TrainWork, Work},
    machine::Protocol,
    phase::Outcome,
    spend::RentalTerms,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Client, ClientError, Patience};

/// The answer to a claim.
#[derive(Debug)]
pub(crate) struct Claimed {
    /// The work, if there is any.
    pub(crate) work: Option<Result<Assignment, UnreadableWork>>,
    /// See [`protocol::agent::ClaimReply::stay`].
    pub(crate) stay: bool,
    /// See [`protocol::agent::ClaimReply::drawing`].
    pub(crate) drawing: Option<DrawingLease>,
}

/// Work that this program does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the agent (morpheus {}, version {} of the agent protocol) cannot read its assignment: {problem}; bring agent and \
     server to the same version",
    env!("CARGO_PKG_VERSION"),
    Protocol::CURRENT.version
)]
pub(crate) struct UnreadableWork {
    pub(crate) attempt_id: AttemptId,
    fence: i64,
    /// Which part, and what is wrong with it.
    problem: String,
}

/// What every version must be able to read: enough to refuse the rest.
#[derive(Deserialize)]
struct Envelope {
    assignment: Option<Head>,
    #[serde(default)]
    stay: bool,
    #[serde(default)]
    drawing: Option<DrawingLease>,
}

#[derive(Deserialize)]
struct Head {
    attempt_id: AttemptId,
    fence: i64,
    lease_seconds: u32,
    #[serde(default)]
    terms: Value,
    #[serde(default)]
    work: Value,
}

impl<'de> Deserialize<'de> for Claimed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Envelope {
            assignment,
            stay,
            drawing,
        } = Envelope::deserialize(deserializer)?;
        let work = assignment.map(|head| {
            let (attempt_id, fence) = (head.attempt_id, head.fence);
            head.read().map_err(|problem| UnreadableWork {
                attempt_id,
                fence,
                problem,
            })
        });
        Ok(Self { work, stay, drawing })
    }
}

impl Head {
    fn read(self) -> Result<Assignment, String> {
        let kind = self.work["kind"].as_str().unwrap_or_default();
        let work = match kind {
            "train" => Work::Train(Box::new(part::<TrainWork>("work", self.work)?)),
            "generate" => Work::Generate(part::<GenerateWork>("work", self.work)?),
            "edit" => Work::Edit(Box::new(part::<EditWork>("work", self.work)?)),
            other => {
                return Err(format!(
                    "work.kind: `{other}` is not a kind of work that it knows"
                ));
            }
        };
        Ok(Assignment {
            attempt_id: self.attempt_id,
            fence: self.fence,
            lease_seconds: self.lease_seconds,
            terms: part::<Option<RentalTerms>>("terms", self.terms)?,
            work,
        })
    }
}

fn part<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|err| match err.path().to_string().as_str() {
        "." => format!("{name}: {}", err.inner()),
        path => format!("{name}.{path}: {}", err.inner()),
    })
}

impl UnreadableWork {
    /// Ends the attempt: no other try would read it.
    pub(crate) async fn refuse(&self, client: &Client) -> Result<(), ClientError> {
        let finish = Finish {
            fence: self.fence,
            outcome: Outcome::Failed,
            detail: Some(self.to_string()),
            result: None,
            picture: None,
            edited: None,
            disk_fault: false,
        };
        client.finish(self.attempt_id, &finish, Patience::WORKING).await
    }
}

#[cfg(test)]
mod tests;
