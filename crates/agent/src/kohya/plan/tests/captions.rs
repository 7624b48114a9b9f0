//! What sd-scripts is told of captions.

use super::*;

/// The lines of a dataset file that are not those of a recipe without choices.
fn new_lines(plan: &Plan) -> String {
    let plain = super::plan(&recipe(|_| ()));
    let before: Vec<&str> = plain.dataset_toml.lines().collect();
    let is_new = |line: &&str| !before.contains(line) && !line.starts_with("image_dir");
    plan.dataset_toml
        .lines()
        .filter(is_new)
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_cached(plan: &Plan) -> bool {
    plan.args.iter().any(|arg| arg == "--cache_text_encoder_outputs")
}

#[test]
fn shuffled_captions_keep_the_trigger_word_in_front() {
    let plan = plan(&recipe(|r| {
        r.overrides.shuffle_tags = Some(true);
        r.overrides.tag_dropout = Some(0.25);
        r.overrides.secondary_separator = Some(";;".into());
        r.overrides.caption_prefix = Some("best quality,".into());
        r.overrides.caption_suffix = Some("line art".into());
    }));
    expect![[r#"
        shuffle_caption = true
        keep_tokens = 1
        secondary_separator = ";;"
        caption_tag_dropout_rate = 0.25"#]]
    .assert_eq(&new_lines(&plan));
    let captions: Vec<_> = plan
        .pictures
        .iter()
        .filter_map(|picture| picture.caption.as_deref())
        .collect();
    assert_eq!(
        captions,
        [
            "zora, best quality, a woman by a window line art",
            "zora asleep line art, best quality"
        ]
    );
    assert!(!is_cached(&plan));
}

#[test]
fn each_line_of_a_caption_with_wildcards_is_its_own() {
    let plan = plan(&recipe(|r| r.overrides.wildcards = Some(true)));
    assert_eq!(new_lines(&plan), "enable_wildcard = true");
    assert_eq!(plan.pictures[1].caption.as_deref(), Some("zora\nzora, asleep"));
    assert!(!is_cached(&plan));
}

#[test]
fn prefix_and_suffix_are_cached_with_the_caption() {
    let plan = plan(&recipe(|r| r.overrides.caption_suffix = Some("line art".into())));
    assert_eq!(new_lines(&plan), "");
    assert_eq!(plan.pictures[1].caption.as_deref(), Some("zora asleep line art"));
    assert!(is_cached(&plan));
}

#[test]
fn a_resumed_run_counts_the_warm_up_from_its_own_first_step() {
    let recipe = recipe(|r| r.overrides.token_warmup_steps = Some(500));
    let manifest = manifest();
    let after = |step| {
        let state = Path::new("/run/resume/state");
        let resume = (step > 0).then_some(Resume { state, step });
        new_lines(
            &Plan::new(&Request {
                resume,
                ..request(&recipe, &manifest)
            })
            .unwrap(),
        )
    };
    assert_eq!(after(0), "keep_tokens = 1\ntoken_warmup_step = 500");
    assert_eq!(after(200), "keep_tokens = 1\ntoken_warmup_step = 300");
    assert_eq!(after(600), "keep_tokens = 1");
}

/// By sd-scripts' formula, of seven tags four are used at half the warm-up, and of three tags two.
#[test]
fn a_resumed_run_goes_on_with_as_many_tags_as_the_average_caption_had() {
    let recipe = recipe(|r| r.overrides.token_warmup_steps = Some(500));
    let mut manifest = manifest();
    manifest.items[0].caption = "a, b, c, d, e, f, g".into();
    manifest.items[2].caption = "zora, h, i, j".into();
    let state = Path::new("/run/resume/state");
    let resume = Some(Resume { state, step: 250 });
    let plan = Plan::new(&Request {
        resume,
        ..request(&recipe, &manifest)
    });
    assert_eq!(
        new_lines(&plan.unwrap()),
        "keep_tokens = 1\ntoken_warmup_min = 3\ntoken_warmup_step = 250"
    );
}

/// sd-scripts repeats regularization pictures by itself until they are as many as the others.
#[test]
fn pictures_with_other_repeats_lie_in_folders_of_their_own() {
    let mut manifest = manifest();
    manifest.items[0].showing.repeats = 10;
    let mut other = manifest.items[2].clone();
    other.caption = "a woman".into();
    other.showing.regularization = true;
    other.sha256 = hex::encode([4; 32]);
    manifest.items.push(other);
    let recipe = recipe(|r| {
        r.overrides.shuffle_tags = Some(true);
        r.overrides.prior_loss_weight = Some(0.5);
    });
    let plan = Plan::new(&request(&recipe, &manifest)).unwrap();
    let file: toml::Table = plan.dataset_toml.parse().unwrap();
    let subsets: Vec<String> = file["datasets"][0]["subsets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subset| {
            let folder = Path::new(subset["image_dir"].as_str().unwrap());
            let folder = folder
                .strip_prefix(&plan.picture_folder)
                .unwrap()
                .display()
                .to_string();
            let of = |key: &str| subset[key].to_string();
            format!(
                "{folder}: {} {} {}",
                of("num_repeats"),
                of("is_reg"),
                of("keep_tokens")
            )
        })
        .collect();
    assert_eq!(
        subsets,
        [
            ": 1 false 1",
            "10_pictures: 10 false 1",
            "1_regularization: 1 true 0"
        ]
    );
    let captions: Vec<_> = plan
        .pictures
        .iter()
        .filter_map(|picture| picture.caption.as_deref())
        .collect();
    assert_eq!(captions, ["zora, a woman by a window", "zora asleep", "a woman"]);
    let weight = plan
        .args
        .iter()
        .position(|arg| arg == "--prior_loss_weight")
        .unwrap();
    assert_eq!(plan.args[weight + 1], "0.5");
    // Another number of repeats has other folders, and so another place.
    let usual = super::plan(&recipe);
    assert_ne!(usual.picture_folder, plan.picture_folder);
}

#[test]
fn masks_are_the_alpha_of_the_pictures_and_have_caches_of_their_own() {
    let masked = plan(&recipe(|r| r.overrides.masked_loss = Some(true)));
    assert_eq!(new_lines(&masked), "alpha_mask = true");
    assert!(masked.args.iter().any(|arg| arg == "--masked_loss"));
    assert_ne!(masked.picture_folder, plan(&recipe(|_| ())).picture_folder);
}

#[test]
fn what_is_masked_out_counts_by_the_alpha_that_is_written() {
    let of = |masked_loss| {
        plan(&recipe(|r| {
            r.overrides.masked_loss = Some(masked_loss);
            r.overrides.unmasked_weight = Some(0.1);
        }))
    };
    let masked = plan(&recipe(|r| r.overrides.masked_loss = Some(true)));
    assert_eq!(
        [of(true), of(false), masked.clone()].map(|plan| plan.least_alpha),
        [26, 0, 0]
    );
    assert_ne!(of(true).picture_folder, masked.picture_folder);
}

#[test]
fn pictures_that_change_each_time_are_not_cached() {
    for (of, line) in [
        ("random_crop", "random_crop = true"),
        ("color_jitter", "color_aug = true"),
    ] {
        let plan = plan(&recipe(|r| match of {
            "random_crop" => r.overrides.random_crop = Some(true),
            _ => r.overrides.color_jitter = Some(true),
        }));
        assert_eq!(new_lines(&plan), line);
        assert!(plan.args.iter().all(|arg| !arg.starts_with("--cache_latents")));
    }
}

#[test]
fn mirrored_pictures_have_caches_of_their_own() {
    let mirrored = plan(&recipe(|r| r.overrides.random_flip = Some(true)));
    assert_eq!(new_lines(&mirrored), "flip_aug = true");
    // It is cached as a second encoding of each picture.
    assert!(mirrored.args.iter().any(|arg| arg == "--cache_latents"));
    assert_ne!(mirrored.picture_folder, plan(&recipe(|_| ())).picture_folder);
}
