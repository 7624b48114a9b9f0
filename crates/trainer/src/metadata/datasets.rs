//! What the metadata say about the pictures: `ss_tag_frequency`, `ss_dataset_dirs` and `ss_datasets`, as sd-scripts writes
//! them for folders of pictures that are shown equally often.

use std::collections::BTreeMap;

use dataset::{
    buckets::Size,
    caption::{self, rules::CaptionRules},
};
use protocol::{
    dataset::{ManifestItem, Shown, Split},
    parameters::Interpolation,
};
use serde_json::{Map, Value as Json, json};

use super::Facts;

/// Numbers of pictures, times their repeats.
pub(super) struct Counts {
    pub(super) trained: u32,
    pub(super) regularization: u32,
    /// Pictures that are held out; they have no repeats.
    pub(super) held_out: usize,
}

pub(super) fn counts(facts: &Facts<'_>) -> Counts {
    let views = |of: fn(&ManifestItem) -> bool| {
        let items = facts.items.iter().filter(|item| of(item));
        items.map(|item| item.showing.repeats).sum::<u32>()
    };
    let is_held_out = |item: &&ManifestItem| item.split == Split::HeldOut;
    Counts {
        trained: views(ManifestItem::is_subject),
        regularization: views(ManifestItem::is_regularization)
            + u32::from(facts.recipe.parameters().n_prior_pictures),
        held_out: facts.items.iter().filter(is_held_out).count(),
    }
}

/// Pictures that sd-scripts would have in one folder.
struct Folder<'a> {
    name: String,
    repeats: u32,
    is_regularization: bool,
    items: Vec<&'a ManifestItem>,
}

/// The folders by what tells them apart; their names are as sd-scripts' users give them: repeats, then the class.
fn folders<'a>(facts: &Facts<'a>) -> Vec<Folder<'a>> {
    let recipe = facts.recipe;
    let mut folders: BTreeMap<(bool, &str, u32), Vec<&ManifestItem>> = BTreeMap::new();
    for item in facts.items.iter().filter(|item| item.split == Split::Train) {
        let showing = &item.showing;
        let key = (showing.regularization, showing.group.as_str(), showing.repeats);
        folders.entry(key).or_default().push(item);
    }
    let folder =
        |((is_regularization, group, repeats), items): ((bool, &str, u32), Vec<&'a ManifestItem>)| {
            let class = match (group, is_regularization) {
                ("", false) => recipe.trigger_word().unwrap_or(recipe.name()),
                ("", true) => "regularization",
                (group, _) => group,
            };
            Folder {
                name: format!("{repeats}_{class}"),
                repeats,
                is_regularization,
                items,
            }
        };
    folders.into_iter().map(folder).collect()
}

pub(super) fn tag_frequency(facts: &Facts<'_>) -> Json {
    let trigger = facts.recipe.trigger_word().unwrap_or_default();
    let mut all: Map<String, Json> = Map::new();
    for folder in folders(facts) {
        let mut tags = Map::new();
        let trigger = if folder.is_regularization { "" } else { trigger };
        for item in &folder.items {
            for tag in caption::tags(&caption::with_trigger(&item.caption, trigger)) {
                let count = tags.get(&tag).and_then(Json::as_u64).unwrap_or(0);
                tags.insert(tag, json!(count + 1));
            }
        }
        all.insert(folder.name, tags.into());
    }
    all.into()
}

pub(super) fn dataset_dirs(facts: &Facts<'_>) -> Json {
    let dir = |folder: Folder<'_>| {
        let facts = json!({ "n_repeats": folder.repeats, "img_count": folder.items.len() });
        (folder.name, facts)
    };
    folders(facts).into_iter().map(dir).collect::<Map<_, _>>().into()
}

pub(super) fn dataset(facts: &Facts<'_>) -> Json {
    let p = facts.recipe.parameters();
    let limits = facts.buckets.limits();
    let counts = counts(facts);
    let subjects = CaptionRules::of(facts.recipe);
    let others = subjects.without_trigger_word();
    // Python's `None` for what is not given.
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let interpolation = Some(p.resize_interpolation).filter(|chosen| *chosen != Interpolation::Auto);
    let subset = |folder: &Folder<'_>| {
        let rules = if folder.is_regularization {
            &others
        } else {
            &subjects
        };
        json!({
            "img_count": folder.items.len(),
            "num_repeats": folder.repeats,
            "color_aug": p.color_jitter,
            "flip_aug": p.random_flip,
            "random_crop": p.random_crop,
            "shuffle_caption": p.shuffle_tags,
            "keep_tokens": rules.n_kept_tags(),
            "keep_tokens_separator": p.keep_tokens_separator,
            "secondary_separator": given(&p.secondary_separator),
            "enable_wildcard": p.wildcards,
            "caption_prefix": given(&p.caption_prefix),
            "caption_suffix": given(&p.caption_suffix),
            "resize_interpolation": interpolation,
            "image_dir": folder.name,
            "class_tokens": null,
            "is_reg": folder.is_regularization,
        })
    };
    json!({
        "is_dreambooth": true,
        "batch_size_per_device": p.batch_size,
        "num_train_images": counts.trained,
        "num_reg_images": counts.regularization,
        "resolution": [p.resolution, p.resolution],
        "enable_bucket": true,
        "min_bucket_reso": limits.min_side,
        "max_bucket_reso": limits.max_side,
        "tag_frequency": tag_frequency(facts),
        "bucket_info": bucket_info(facts),
        "resize_interpolation": interpolation,
        "subsets": folders(facts).iter().map(subset).collect::<Vec<_>>(),
    })
}

fn bucket_info(facts: &Facts<'_>) -> Json {
    let mut counts: BTreeMap<Size, u32> = BTreeMap::new();
    let mut error = 0.0;
    let shown = Shown::of(facts.items, facts.recipe.parameters().n_prior_pictures);
    for (item, repeats) in &shown.items {
        let placement = facts.buckets.place(Size::new(item.width, item.height));
        *counts.entry(placement.bucket).or_default() += repeats;
        error += (placement.bucket.aspect_ratio() - placement.original.aspect_ratio()).abs();
    }
    if !shown.drawn.is_empty() {
        *counts.entry(facts.buckets.square()).or_default() += shown.drawn.iter().sum::<u32>();
    }
    let buckets: Map<String, Json> = counts
        .iter()
        .enumerate()
        .map(|(index, (size, count))| {
            (
                index.to_string(),
                json!({ "resolution": [size.width, size.height], "count": count }),
            )
        })
        .collect();
    json!({ "buckets": buckets, "mean_img_ar_error": error / shown.items.len().max(1) as f64 })
}
