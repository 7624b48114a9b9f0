//! Judgements between programs: as an agent reports them, and as the API shows them.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::judgement::{Judgement, Recommendation};

/// Reads a judgement, or leaves it out if this program cannot read it: it is never worth losing the result for.
pub(crate) fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Judgement>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// A picture that shows what a stamp says, stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EvidencePicture {
    /// Its name in the judgement.
    pub name: String,
    /// Signed URL, valid for one hour.
    pub url: String,
}

/// What was found out about the results of a job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobJudgements {
    /// Of its result; absent if there is none, or nothing judged it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<JudgedStep>,
    /// Of its stored checkpoints, in the order of their steps.
    pub checkpoints: Vec<JudgedStep>,
    /// The checkpoint to use; absent if none was found good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<Recommendation>,
}

/// What was found out about a LoRA of so many steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JudgedStep {
    /// Optimizer steps done.
    pub step: u32,
    /// What it was found to be.
    pub judgement: Judgement,
    /// The stored pictures of the evidence.
    pub pictures: Vec<EvidencePicture>,
}
