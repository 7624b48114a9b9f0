//! The file that `--dataset_config` names: which pictures, in which sizes, with which captions.
//!
//! Every switch that would change what is trained on is written out, also where sd-scripts' default is the same: a
//! value that is absent falls through to the command line, and from there to a default that may change.

use serde::Serialize;

use super::{Plan, Request, limits};

#[derive(Serialize)]
struct DatasetFile {
    datasets: [Dataset; 1],
}

#[derive(Serialize)]
struct Dataset {
    resolution: u32,
    batch_size: u16,
    enable_bucket: bool,
    min_bucket_reso: u32,
    max_bucket_reso: u32,
    bucket_reso_steps: u32,
    bucket_no_upscale: bool,
    subsets: [Subset; 1],
}

#[derive(Serialize)]
struct Subset {
    image_dir: String,
    num_repeats: u32,
    caption_extension: &'static str,
    shuffle_caption: bool,
    keep_tokens: u32,
    enable_wildcard: bool,
    caption_dropout_rate: f64,
    caption_dropout_every_n_epochs: u32,
    caption_tag_dropout_rate: f64,
    color_aug: bool,
    flip_aug: bool,
    random_crop: bool,
}

pub(super) fn write(request: &Request<'_>, plan: &Plan) -> String {
    let p = request.recipe.parameters();
    let limits = limits(request);
    let file = DatasetFile {
        datasets: [Dataset {
            resolution: p.resolution,
            batch_size: request.memory.batches(p).0,
            enable_bucket: true,
            min_bucket_reso: limits.min_side,
            max_bucket_reso: limits.max_side,
            bucket_reso_steps: limits.step,
            bucket_no_upscale: false,
            subsets: [Subset {
                image_dir: plan.picture_folder.display().to_string(),
                num_repeats: 1,
                caption_extension: ".txt",
                shuffle_caption: false,
                keep_tokens: 0,
                enable_wildcard: false,
                caption_dropout_rate: p.caption_dropout,
                caption_dropout_every_n_epochs: 0,
                caption_tag_dropout_rate: 0.0,
                color_aug: false,
                flip_aug: false,
                random_crop: false,
            }],
        }],
    };
    toml::to_string(&file).expect("numbers, texts and lists of tables are TOML")
}
