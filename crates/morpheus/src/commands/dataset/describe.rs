//! `morpheus dataset describe`: captions by a model behind an OpenAI-compatible endpoint.

use std::time::Duration;

use anyhow::Context as _;
use dataset::{
    caption::{
        proposals::{Origin, filled},
        without_trigger,
    },
    picture,
};
use fetch::{
    Client, HubOptions, Range,
    chat::{Endpoint, Patience, Question},
};

use super::{AGENT, proposals::Flags};
use crate::output;

/// What a model is asked for if nothing else is said.
const PROMPT: &str = "Describe this picture in one or two plain sentences for training an image model: who or what is \
                      shown, clothes, pose, expression, background and framing. Only say what is visible. Do not begin \
                      with \"the picture shows\". Known tags: {tags}";

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Base URL of the endpoint with its version, such as http://localhost:11434/v1 of Ollama
    #[arg(long, env = "MORPHEUS_CAPTION_ENDPOINT", value_name = "URL")]
    endpoint: String,
    /// The model's name at the endpoint
    #[arg(long, env = "MORPHEUS_CAPTION_MODEL", value_name = "NAME")]
    model: String,
    /// Key for the endpoint. All accounts of the machine can read command-line arguments: set MORPHEUS_CAPTION_KEY instead
    #[arg(
        long,
        env = "MORPHEUS_CAPTION_KEY",
        value_name = "KEY",
        hide_env_values = true
    )]
    key: Option<String>,
    /// What the model is told. `{trigger}` becomes the trigger word, `{tags}` the caption that there is, `{name}` the file's
    /// name
    #[arg(long, value_name = "TEXT", default_value = PROMPT)]
    prompt: String,
    /// Range of private addresses that the endpoint may be in, in addition to public ones. For a model on this machine:
    /// 127.0.0.0/8. May be repeated
    #[arg(
        long = "allow-fetch-from",
        env = "MORPHEUS_ALLOW_FETCH_FROM",
        value_name = "RANGE",
        value_delimiter = ','
    )]
    fetch_from: Vec<Range>,
    /// Longest side at which a picture is sent, in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(64..=4096))]
    side: u32,
    /// Time for one answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let mut folder = args.flags.open()?;
    let client = Client::new(
        AGENT,
        HubOptions::default(),
        args.fetch_from.iter().copied().collect(),
    )?;
    let endpoint = Endpoint {
        base_url: args.endpoint,
        key: args.key.filter(|key| !key.is_empty()),
        model: args.model.clone(),
    };
    let patience = Patience {
        limit: Duration::from_secs(args.timeout),
        ..Patience::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let flags = &args.flags;
    let writer = (Origin::Model, args.model.as_str());
    let mut n_described = 0_usize;
    let outcome = flags.propose(&mut folder, writer, &mut |folder, picture, rules| {
        // Each answer takes time or money: what the model wrote before the command was interrupted is not asked for again.
        let memory = folder.memory();
        if memory.is_by(&picture.file_name, &picture.caption, writer) && !flags.replaces() {
            return Ok(None);
        }
        let small = picture::fitted(&folder.pixels(picture)?, args.side);
        let tags = without_trigger(&picture.caption, flags.trigger_word());
        let prompt = filled(&args.prompt, flags.trigger_word(), &tags, &picture.file_name);
        let question = Question {
            prompt: &prompt,
            picture: &picture::encode_png(&small),
            media_type: "image/png",
        };
        let text = runtime.block_on(endpoint.describe(&client, question, patience))?;
        n_described += 1;
        let of = (picture.file_name.as_str(), picture.caption.as_str());
        Ok(Some(rules.of_text(folder.memory(), of, &text)))
    });
    if outcome.is_err() && n_described > 0 {
        output::note("captions that were written before stay; run the command again to go on");
    }
    outcome.context("failed to describe the pictures")
}
