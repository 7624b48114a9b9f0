//! How much of its time a training gives to judging what it makes.

use agent::engine::JudgeShare;

/// Flags of every command that trains.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct JudgeFlags {
    /// Percent of a training's time in which its checkpoints and its result are judged by their pictures; the result may take
    /// up to 5 minutes in any case; 0 to judge nothing
    #[arg(
        long,
        env = "MORPHEUS_JUDGE_SHARE",
        value_name = "PERCENT",
        value_parser = clap::value_parser!(u8).range(0..=100),
        default_value_t = JudgeShare::DEFAULT_PERCENT
    )]
    judge_share: u8,
}

impl JudgeFlags {
    /// The share.
    pub(crate) fn share(self) -> JudgeShare {
        JudgeShare::percent(self.judge_share)
    }
}
