//! What an agent says of its machine: what it is, what it can do, and which messages it understands.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, IntoDeserializer as _, value},
};
use utoipa::ToSchema;

pub use crate::parameters::LoraKind;
use crate::recipe::Engine;

/// The versions of the messages between agents and servers that a program understands.
///
/// A field that the reader does not know is ignored, so a new one that may be ignored needs no new version. Whatever
/// an older program would get wrong raises `version`; what a newer one cannot read any more raises `oldest`. A
/// hyperparameter states the version that it came with, so that older agents get no job that uses it.
///
/// | version | |
/// |---|---|
/// | 1 | said by nobody: agents of this version do not tell it. They refuse a recipe with a field that is new to them |
/// | 2 | claims carry the version and what the machine can do; unknown fields are ignored |
/// | 3 | prompts of pictures are chunks of 75 tokens with emphasis; before, the rest was cut and brackets were letters |
/// | 4 | hyperparameters for all that sd-scripts can do: targets, kinds, optimizers, schedules, losses, noise, captions. Previews may have settings of their own, and pictures repeats. A VAE in place of a base model's own, and what its U-Net predicts, whatever its files say |
/// | 5 | hyperparameters for the sides of buckets and how pictures are scaled to them, and for intervals in epochs |
/// | 6 | a training ends with a result before its last step: `finish` in the work, and as an order |
/// | 7 | hyperparameters for random crops, colors and backgrounds |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Protocol {
    /// The newest version that it understands, which it speaks.
    pub version: u32,
    /// The oldest version that it understands.
    pub oldest: u32,
}

impl Protocol {
    /// Of this program.
    pub const CURRENT: Self = Self {
        version: 7,
        oldest: 2,
    };

    /// The first version that reads prompts as [`CreateGeneration`](crate::generation::CreateGeneration) says.
    pub const READS_PROMPTS: u32 = 3;

    /// The first version that shows pictures as often as their repeats say, and knows regularization pictures.
    pub const READS_REPEATS: u32 = 4;

    /// The first version that reads previews as objects; before, each was a prompt.
    pub const READS_SAMPLES: u32 = 4;

    /// The first version that heeds [`KnownOfBase`](crate::agent::KnownOfBase).
    pub const KNOWS_OF_BASES: u32 = 4;

    /// The first version that begins with the LoRA that a recipe names.
    pub const STARTS_FROM_LORAS: u32 = 4;

    /// The first version that ends a training with a result before its last step.
    pub const FINISHES_EARLY: u32 = 6;

    /// Of a program that does not say it.
    pub const UNSAID: Self = Self {
        version: 1,
        oldest: 1,
    };

    fn unsaid() -> Self {
        Self::UNSAID
    }

    /// Why a server that understands `self` and an agent that understands `agent` cannot work together.
    pub fn check(self, agent: Self) -> Result<(), ProtocolMismatch> {
        if agent.version < self.oldest {
            Err(ProtocolMismatch::AgentTooOld {
                speaks: agent.version,
                needed: self.oldest,
            })
        } else if agent.oldest > self.version {
            Err(ProtocolMismatch::AgentTooNew {
                needed: agent.oldest,
                speaks: self.version,
            })
        } else {
            Ok(())
        }
    }
}

/// Why an agent and a server cannot work together; the agent is the subject of the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolMismatch {
    /// The agent does not understand what the server says.
    #[error(
        "runs a version of morpheus that is too old (it speaks version {speaks} of the agent protocol, and this server \
         needs at least {needed}): update morpheus there"
    )]
    AgentTooOld {
        /// The agent's version.
        speaks: u32,
        /// The oldest that the server understands.
        needed: u32,
    },
    /// The server does not understand what the agent says.
    #[error(
        "runs a version of morpheus that is too new (it needs at least version {needed} of the agent protocol, and this \
         server speaks {speaks}): update the server"
    )]
    AgentTooNew {
        /// The oldest that the agent understands.
        needed: u32,
        /// The server's version.
        speaks: u32,
    },
}

/// What an engine computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// A GPU with CUDA.
    Cuda,
}

/// A machine, as its agent describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Machine {
    /// Its name, from 1 to 80 characters; another machine with the same token has another one.
    #[schema(min_length = 1, max_length = 80)]
    pub name: String,
    /// What jobs may ask for, at most 16.
    #[schema(max_items = 16)]
    pub labels: Vec<String>,
    /// Its first GPU, as its driver calls it; absent when it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<String>,
    /// Memory of that GPU, in GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<u32>,
    /// What it can train with.
    #[serde(deserialize_with = "known")]
    pub engines: Vec<Engine>,
    /// What its engines can compute on.
    #[serde(default, deserialize_with = "known")]
    pub devices: Vec<DeviceKind>,
    /// The kinds of LoRA that it can train.
    #[serde(default, deserialize_with = "known")]
    pub lora_kinds: Vec<LoraKind>,
    /// Whether it has diffusers, which draws pictures on its GPU; absent if its agent does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_diffusers: Option<bool>,
    /// Which messages its agent understands.
    #[serde(default = "Protocol::unsaid")]
    pub protocol: Protocol,
}

/// Reads a list of words and leaves out those that are new to this program.
pub(crate) fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let words: Vec<String> = Vec::deserialize(deserializer)?;
    let read = |word: String| {
        let word = word.into_deserializer();
        let word: value::StringDeserializer<value::Error> = word;
        T::deserialize(word).ok()
    };
    Ok(words.into_iter().filter_map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::{Protocol, ProtocolMismatch};

    #[test]
    fn two_programs_work_together_when_each_understands_the_other() {
        let of = |oldest, version| Protocol { version, oldest };
        let server = of(3, 5);
        for agent in [of(3, 3), of(1, 3), of(5, 7), of(4, 4), of(1, 9)] {
            assert_eq!(server.check(agent), Ok(()), "{agent:?}");
        }
        let too_old = ProtocolMismatch::AgentTooOld { speaks: 2, needed: 3 };
        assert_eq!(server.check(of(1, 2)), Err(too_old));
        let too_new = ProtocolMismatch::AgentTooNew { needed: 6, speaks: 5 };
        assert_eq!(server.check(of(6, 6)), Err(too_new));
    }
}
