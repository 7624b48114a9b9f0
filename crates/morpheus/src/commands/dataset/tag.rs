//! `morpheus dataset tag`: captions of tags, by a tagger on this machine.

use dataset::{
    caption::proposals::{Choice, Found, Origin},
    picture,
};
use diffusion::vit::{Channels, ScoredTag, TagKind, Tagger};

use super::{proposals::Flags, tagger_files};

/// Tags that are about the picture as a file or its author are no words of a caption.
const KINDS: [TagKind; 2] = [TagKind::General, TagKind::Character];

#[derive(clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Folder of a tagger (model.safetensors, config.json, selected_tags.csv), or the name of its repository on Hugging Face,
    /// which is downloaded once
    #[arg(
        long,
        value_name = "DIR|OWNER/NAME",
        default_value = "SmilingWolf/wd-vit-tagger-v3"
    )]
    tagger: String,
    /// Least score of a tag
    #[arg(long, value_name = "0..1", default_value_t = 0.35, value_parser = score)]
    threshold: f32,
    /// Least score of a character's name
    #[arg(long, value_name = "0..1", default_value_t = 0.85, value_parser = score)]
    character_threshold: f32,
    /// Tag that is never proposed. May be repeated
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    exclude: Vec<String>,
    /// The tagger takes red, green and blue in this order. SmilingWolf's take blue first, which is the default
    #[arg(long)]
    rgb: bool,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let mut folder = args.flags.open()?;
    let channels = match args.rgb {
        true => Channels::Rgb,
        false => Channels::Bgr,
    };
    let tagger = Tagger::open(&tagger_files::find(&args.tagger)?, channels)?;
    let choice = Choice {
        threshold: args.threshold,
        character_threshold: args.character_threshold,
        exclude: args.exclude,
    };
    let writer = (Origin::Tagger, args.tagger.as_str());
    args.flags
        .propose(&mut folder, writer, &mut |folder, picture, rules| {
            let square = picture::squared(&folder.pixels(picture)?, tagger.side());
            let tags = choice.tags(&found(tagger.tags(&square)?));
            let of = (picture.file_name.as_str(), picture.caption.as_str());
            Ok(Some(rules.of_tags(folder.memory(), of, &tags)))
        })
}

fn found(tags: Vec<ScoredTag>) -> Vec<Found> {
    let words = tags.into_iter().filter(|tag| KINDS.contains(&tag.kind));
    words
        .map(|tag| Found {
            is_character: tag.kind == TagKind::Character,
            name: tag.name,
            score: tag.score,
        })
        .collect()
}

fn score(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(score) if (0.0..=1.0).contains(&score) => Ok(score),
        _ => Err("must be a number from 0 to 1".to_owned()),
    }
}
