//! The file that `--dataset_config` names: which pictures, in which sizes, with which captions.
//!
//! Every switch that would change what is trained on is written out, also where sd-scripts' default is the same: a
//! value that is absent falls through to the command line, and from there to a default that may change. Prefix and suffix
//! are not here: they are in the caption files, since sd-scripts leaves them out where it caches text encodings.

use std::collections::BTreeMap;

use dataset::caption::rules::CaptionRules;
use serde::Serialize;

use super::{Plan, Request, limits};

#[derive(Serialize)]
struct DatasetFile<'a> {
    datasets: [Dataset<'a>; 1],
}

#[derive(Serialize)]
struct Dataset<'a> {
    resolution: u32,
    batch_size: u16,
    enable_bucket: bool,
    min_bucket_reso: u32,
    max_bucket_reso: u32,
    bucket_reso_steps: u32,
    bucket_no_upscale: bool,
    subsets: Vec<Subset<'a>>,
}

/// Empty separators are those that there are not.
#[derive(Serialize)]
struct Subset<'a> {
    image_dir: String,
    num_repeats: u32,
    is_reg: bool,
    alpha_mask: bool,
    caption_extension: &'static str,
    caption_separator: &'a str,
    shuffle_caption: bool,
    keep_tokens: usize,
    keep_tokens_separator: &'a str,
    secondary_separator: &'a str,
    enable_wildcard: bool,
    caption_dropout_rate: f64,
    caption_dropout_every_n_epochs: u32,
    caption_tag_dropout_rate: f64,
    token_warmup_min: u16,
    token_warmup_step: u32,
    color_aug: bool,
    flip_aug: bool,
    random_crop: bool,
}

/// Tags of a caption that the warm-up has got to when a run goes on, which begins it anew. sd-scripts takes one number for a
/// folder: that of the average caption.
fn warm_tags(plan: &Plan, folder: &str, rules: &CaptionRules) -> Option<u16> {
    let pictures = plan.pictures.iter().filter(|picture| picture.folder() == folder);
    let captions = pictures.filter_map(|picture| picture.caption.as_deref());
    let counts: Vec<usize> = captions
        .filter_map(|caption| rules.n_warm_tags(caption, plan.n_before))
        .collect();
    let mean = counts.iter().sum::<usize>().checked_div(counts.len())?;
    u16::try_from(mean).ok()
}

pub(super) fn write(request: &Request<'_>, plan: &Plan) -> String {
    let p = request.recipe.parameters();
    let limits = limits(request);
    let subjects = CaptionRules::of(request.recipe);
    let others = subjects.without_trigger_word();
    // Pictures of one folder are shown equally often.
    let folders: BTreeMap<(bool, u32), String> = plan
        .pictures
        .iter()
        .map(|picture| ((picture.is_regularization, picture.repeats), picture.folder()))
        .collect();
    let subset = |((is_regularization, num_repeats), folder): ((bool, u32), String)| {
        let rules = if is_regularization { &others } else { &subjects };
        let is_warming = plan.n_before > 0 && plan.n_before < p.token_warmup_steps;
        let begun_tags = is_warming.then(|| warm_tags(plan, &folder, rules)).flatten();
        let image_dir = match folder.as_str() {
            "" => plan.picture_folder.clone(),
            folder => plan.picture_folder.join(folder),
        };
        Subset {
            image_dir: image_dir.display().to_string(),
            num_repeats,
            is_reg: is_regularization,
            alpha_mask: p.masked_loss,
            caption_extension: ".txt",
            caption_separator: rules.separator(),
            shuffle_caption: p.shuffle_tags,
            keep_tokens: rules.n_kept_tags(),
            keep_tokens_separator: &p.keep_tokens_separator,
            secondary_separator: &p.secondary_separator,
            enable_wildcard: p.wildcards,
            caption_dropout_rate: p.caption_dropout,
            caption_dropout_every_n_epochs: p.caption_dropout_every_n_epochs,
            caption_tag_dropout_rate: p.tag_dropout,
            token_warmup_min: begun_tags.unwrap_or(p.token_warmup_min),
            // It counts the steps of a run, not those before.
            token_warmup_step: p.token_warmup_steps.saturating_sub(plan.n_before),
            color_aug: p.color_jitter,
            flip_aug: p.random_flip,
            random_crop: p.random_crop,
        }
    };
    let file = DatasetFile {
        datasets: [Dataset {
            resolution: p.resolution,
            batch_size: request.memory.batches(p).0,
            enable_bucket: true,
            min_bucket_reso: limits.min_side,
            max_bucket_reso: limits.max_side,
            bucket_reso_steps: limits.step,
            bucket_no_upscale: !limits.enlarges,
            subsets: folders.into_iter().map(subset).collect(),
        }],
    };
    toml::to_string(&file).expect("numbers, texts and lists of tables are TOML")
}
