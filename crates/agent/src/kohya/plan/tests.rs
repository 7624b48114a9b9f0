//! Plans against sd-scripts' own table of options, against the types of its dataset file, and as a whole.

mod captions;
mod options;
mod table;

use expect_test::expect;
use protocol::{
    DatasetVersionId, ItemId,
    base::Prediction,
    preset::{BaseClass, Preset},
    recipe::{Engine, RecipeRequest},
};

use self::table::Table;
use super::*;

fn recipe(change: impl FnOnce(&mut RecipeRequest)) -> Recipe {
    recipe_for(BaseClass::Sdxl, change)
}

fn recipe_for(class: BaseClass, change: impl FnOnce(&mut RecipeRequest)) -> Recipe {
    let mut request = RecipeRequest {
        engine: Engine::Kohya,
        base_model: "sdxl".into(),
        name: "zora".into(),
        trigger_word: Some("zora".into()),
        sample_prompts: vec!["zora reads --n a book".into(), "# zora, \"quoted\"".into()],
        ..RecipeRequest::default()
    };
    change(&mut request);
    Recipe::resolve(request, class).unwrap()
}

fn manifest() -> Manifest {
    let item = |n: u8, caption: &str, split| ManifestItem {
        id: ItemId(uuid::Uuid::from_u128(n.into())),
        sha256: hex::encode([n; 32]),
        width: 1024,
        height: 768,
        caption: caption.into(),
        split,
        showing: protocol::dataset::Showing::default(),
    };
    Manifest {
        id: DatasetVersionId::new(),
        items: vec![
            item(1, "a woman by a window", Split::Train),
            item(2, "a cat", Split::HeldOut),
            item(3, "zora\n\n  asleep ", Split::Train),
        ],
    }
}

fn request<'a>(recipe: &'a Recipe, manifest: &'a Manifest) -> Request<'a> {
    Request {
        recipe,
        manifest,
        base: Path::new("/bases/sdxl.safetensors"),
        vae: None,
        prediction: Prediction::Epsilon,
        base_hash: "the weights",
        folder: Path::new("/run"),
        tokenizers: Path::new("/tokenizers"),
        precision: Precision::Bf16,
        memory: Memory::Planned,
        start_from: None,
        resume: None,
        is_start_drawn: false,
    }
}

#[track_caller]
fn plan(recipe: &Recipe) -> Plan {
    Plan::new(&request(recipe, &manifest())).unwrap()
}

#[track_caller]
fn refused(request: &Request<'_>) -> String {
    Plan::new(request).unwrap_err().to_string()
}

/// Arguments on lines, an option with its values on each.
fn lines(args: &[String]) -> String {
    args.join(" ").replace(" --", "\n--")
}

#[test]
fn a_whole_command_line() {
    expect![[r#"
        --pretrained_model_name_or_path /bases/sdxl.safetensors
        --tokenizer_cache_dir /tokenizers
        --dataset_config /run/dataset.toml
        --resolution 1024,1024
        --cache_latents
        --cache_latents_to_disk
        --cache_text_encoder_outputs
        --cache_text_encoder_outputs_to_disk
        --max_data_loader_n_workers 2
        --persistent_data_loader_workers
        --network_module networks.lora
        --network_train_unet_only
        --learning_rate 0.0001
        --network_dim 32
        --network_alpha 16.0
        --max_grad_norm 1.0
        --loss_type l2
        --huber_c 0.1
        --huber_schedule snr
        --huber_scale 1.0
        --min_snr_gamma 5.0
        --multires_noise_discount 0.3
        --seed 42
        --prior_loss_weight 1.0
        --optimizer_type AdamW
        --optimizer_args weight_decay=0.01 betas=0.9,0.999 eps=1e-8
        --lr_scheduler cosine
        --lr_warmup_steps 80
        --max_train_steps 1600
        --gradient_accumulation_steps 1
        --mixed_precision bf16
        --no_half_vae
        --sdpa
        --gradient_checkpointing
        --output_dir /run/output
        --output_name zora
        --save_model_as safetensors
        --save_precision fp16
        --save_every_n_steps 200
        --save_last_n_steps 200
        --save_last_n_steps_state 200
        --save_state
        --sample_prompts /run/prompts.json
        --sample_every_n_steps 10
        --sample_sampler euler
        --sample_at_first
        --metadata_trigger_phrase zora
        --logging_dir /run/logs
        --log_with tensorboard
        --console_log_simple"#]]
    .assert_eq(&lines(&plan(&recipe(|_| ())).args));
}

#[test]
fn samples_come_at_steps_of_the_training_and_when_they_are_asked_for() {
    let plan = |every, step| {
        let (recipe, manifest) = (
            recipe(|r| r.overrides.sample_every_n_steps = Some(every)),
            manifest(),
        );
        let state = Path::new("/run/resume/state");
        let plan = Plan::new(&Request {
            resume: (step > 0).then_some(Resume { state, step }),
            ..request(&recipe, &manifest)
        });
        plan.unwrap()
    };
    for (every, step, looks_every) in [
        (200, 0, 10),
        (200, 600, 10),
        (250, 600, 10),
        (30, 40, 10),
        (33, 0, 11),
        (0, 600, 10),
        // Too often to keep up with, or as often as it looks anyway.
        (33, 600, 33),
        (250, 1, 250),
        (7, 0, 7),
        (4, 0, 4),
    ] {
        let args = plan(every, step).args;
        let at = args
            .iter()
            .position(|arg| arg == "--sample_every_n_steps")
            .unwrap();
        assert_eq!(
            args[at + 1],
            looks_every.to_string(),
            "every {every} after {step}"
        );
    }

    // It looks after steps 50, 60, 70, …, and samples belong to 60, 90 and 120.
    let resumed = plan(30, 40);
    let steps = [40, 41, 49, 50, 51, 59, 60, 61, 70, 80, 81, 90, 91, 110, 111, 120];
    let with: Vec<_> = steps
        .into_iter()
        .filter(|step| resumed.wants_samples(*step))
        .collect();
    assert_eq!(with, [51, 59, 60, 81, 90, 111, 120]);
    assert_eq!([40, 49, 50].map(|step| resumed.next_look(step)), [50, 50, 60]);

    let without = plan(0, 0);
    assert!(!steps.into_iter().any(|step| without.wants_samples(step)));
    assert_eq!(without.next_look(3), 10);

    let unruly = plan(33, 600);
    assert!(unruly.wants_samples(601));
    assert_eq!(unruly.next_look(601), 633);
}

#[test]
fn a_run_can_begin_with_a_lora_unless_it_goes_on() {
    let (recipe, manifest) = (recipe(|_| ()), manifest());
    let state = Path::new("/run/resume/state");
    let with = |resume| {
        let plan = Plan::new(&Request {
            start_from: Some(Path::new("/loras/zora.safetensors")),
            resume,
            ..request(&recipe, &manifest)
        });
        lines(&plan.unwrap().args)
    };
    let begun = with(None);
    assert!(
        begun.contains("--network_weights /loras/zora.safetensors"),
        "{begun}"
    );
    let resumed = with(Some(Resume { state, step: 600 }));
    assert!(!resumed.contains("--network_weights"), "{resumed}");
}

#[test]
fn a_run_that_goes_on_trains_what_is_left_on_the_schedule_of_all_steps() {
    let arguments = |change: fn(&mut RecipeRequest), step| {
        let (recipe, manifest) = (recipe(change), manifest());
        let state = Path::new("/run/resume/state");
        let resume = Some(Resume { state, step });
        Plan::new(&Request {
            resume,
            ..request(&recipe, &manifest)
        })
        .unwrap()
    };
    let whole = plan(&recipe(|_| ()));
    let plan = arguments(|_| (), 600);
    let (whole, resumed) = (lines(&whole.args), lines(&plan.args));
    let changes: Vec<_> = resumed.lines().filter(|line| !whole.contains(line)).collect();
    expect![[r#"
        --lr_warmup_steps 0
        --lr_scheduler_type transformers.get_cosine_schedule_with_warmup
        --lr_scheduler_args num_warmup_steps=80 num_training_steps=1600
        --resume /run/resume/state
        --initial_step 0
        --max_train_steps 1000
        --output_dir /run/output-after-000600
        --logging_dir /run/logs-after-000600"#]]
    .assert_eq(&changes.join("\n"));
    if let Some(table) = Table::read() {
        table.parse(&plan.args).unwrap();
    }
    // A constant rate does not depend on how many steps there are.
    let constant = arguments(
        |request| request.overrides.lr_schedule = Some(protocol::recipe::LrSchedule::Constant),
        600,
    );
    let constant = lines(&constant.args);
    assert!(
        constant.contains("--lr_warmup_steps 80") && !constant.contains("--lr_scheduler_type"),
        "{constant}"
    );
}

#[test]
fn a_whole_dataset_file() {
    let plan = plan(&recipe(|_| ()));
    let key = plan.picture_folder.display().to_string();
    expect![[r#"
        [[datasets]]
        resolution = 1024
        batch_size = 1
        enable_bucket = true
        min_bucket_reso = 256
        max_bucket_reso = 2048
        bucket_reso_steps = 64
        bucket_no_upscale = false

        [[datasets.subsets]]
        image_dir = "PICTURES"
        num_repeats = 1
        is_reg = false
        alpha_mask = false
        caption_extension = ".txt"
        caption_separator = ","
        shuffle_caption = false
        keep_tokens = 0
        keep_tokens_separator = ""
        secondary_separator = ""
        enable_wildcard = false
        caption_dropout_rate = 0.0
        caption_dropout_every_n_epochs = 0
        caption_tag_dropout_rate = 0.0
        token_warmup_min = 1
        token_warmup_step = 0
        color_aug = false
        flip_aug = false
        random_crop = false
    "#]]
    .assert_eq(&plan.dataset_toml.replace(&key, "PICTURES"));
}

/// Recipes that use every option between them.
fn recipes() -> Vec<(Recipe, Prediction, Precision, Memory)> {
    let mut recipes = Vec::new();
    for preset in Preset::ALL {
        for class in [BaseClass::Sdxl, BaseClass::Tiny] {
            recipes.push(recipe_for(class, |request| request.preset = preset));
        }
    }
    let changes: [fn(&mut RecipeRequest); 8] = [
        |r| r.overrides.lr_schedule = Some(protocol::recipe::LrSchedule::Constant),
        |r| {
            r.overrides.lr_schedule = Some(protocol::recipe::LrSchedule::Constant);
            r.overrides.n_warmup_steps = Some(0);
        },
        |r| r.overrides.caption_dropout = Some(0.1),
        |r| r.overrides.masked_loss = Some(true),
        |r| r.overrides.min_snr_gamma = Some(0.0),
        |r| r.overrides.checkpoint_every_n_steps = Some(0),
        |r| r.overrides.sample_every_n_steps = Some(0),
        |r| {
            r.name = "-zora ü".into();
            r.overrides.learning_rate = Some(1e-7);
            r.overrides.gradient_accumulation = Some(4);
            r.overrides.batch_size = Some(6);
            r.trigger_word = None;
            r.sample_prompts.clear();
        },
    ];
    recipes.extend(changes.map(recipe));
    recipes.extend(options::recipes());
    let mut all = Vec::new();
    for recipe in recipes {
        let p = recipe.parameters();
        let all_predictions = [Prediction::Epsilon, Prediction::V, Prediction::VZeroSnr];
        let fits = |prediction: &Prediction| match prediction {
            Prediction::Epsilon => !p.scale_v_loss,
            _ => p.v_like_loss == 0.0,
        };
        for prediction in all_predictions.into_iter().filter(fits) {
            for precision in [Precision::Bf16, Precision::Fp16, Precision::Full] {
                let mut memory = Some(Memory::Planned);
                while let Some(setting) = memory {
                    all.push((recipe.clone(), prediction, precision, setting));
                    memory = setting.cheaper(recipe.parameters(), precision);
                }
            }
        }
    }
    all
}

#[test]
fn a_base_is_told_rightly() {
    let (recipe, manifest) = (recipe(|_| {}), manifest());
    let args = |prediction| {
        let request = Request {
            prediction,
            vae: Some(Path::new("/vaes/sdxl.safetensors")),
            ..request(&recipe, &manifest)
        };
        Plan::new(&request).map(|plan| plan.args)
    };
    for (prediction, expected) in [
        (Prediction::Epsilon, [false, false]),
        (Prediction::V, [true, false]),
        (Prediction::VZeroSnr, [true, true]),
    ] {
        let args = args(prediction).unwrap();
        let has = |option: &str| args.iter().any(|arg| arg == option);
        assert_eq!(
            [has("--v_parameterization"), has("--zero_terminal_snr")],
            expected,
            "{prediction}"
        );
        let at = args.iter().position(|arg| arg == "--vae").unwrap();
        assert_eq!(args[at + 1], "/vaes/sdxl.safetensors");
    }
    let refusal = args(Prediction::Flow).unwrap_err().to_string();
    assert!(
        refusal.starts_with("base_model: predicts rectified flow"),
        "{refusal}"
    );
}

#[test]
fn sd_scripts_takes_every_argument() {
    let Some(table) = Table::read() else { return };
    let mut used = std::collections::BTreeSet::new();
    for (recipe, prediction, precision, memory) in recipes() {
        let manifest = manifest();
        let request = Request {
            prediction,
            precision,
            memory,
            ..request(&recipe, &manifest)
        };
        let plan = Plan::new(&request).unwrap();
        let parsed = table
            .parse(&plan.args)
            .unwrap_or_else(|err| panic!("{err}\n{}", lines(&plan.args)));
        options::check_combinations(&parsed, &plan);
        used.extend(parsed.into_keys());
    }
    // Every option that a plan can hold was seen, those that depend on the recipe among them.
    let hyperparameters = Parameters::ALL.iter().filter_map(|definition| definition.kohya);
    let others = [
        "v_parameterization",
        "zero_terminal_snr",
        "fp8_base_unet",
        "sample_prompts",
        "sample_at_first",
        "text_encoder_lr",
        "network_args",
        "lr_scheduler_num_cycles",
        "lr_scheduler_power",
        "lr_scheduler_min_lr_ratio",
    ];
    for option in hyperparameters.chain(others) {
        assert!(used.contains(option), "{option}");
    }
}

#[test]
fn the_table_refuses_what_argparse_refuses() {
    let Some(table) = Table::read() else { return };
    let check = |args: &[&str], wanted: &str| {
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        let err = table.parse(&args).unwrap_err();
        assert!(err.contains(wanted), "{err}");
    };
    check(&["--max_token_length", "75"], "choose from");
    check(&["--network_dim", "16.0"], "not an int");
    check(&["--cache_latents", "true"], "unrecognized");
    check(&["--lerning_rate", "1"], "unrecognized");
    check(&["--output_name", "-zora"], "expects a value");
}

#[test]
fn the_dataset_file_has_the_types_that_sd_scripts_asks_for() {
    // Section 2.1 of the notes: an unknown key or another type is refused.
    let of_dataset = [
        ("resolution", "integer"),
        ("batch_size", "integer"),
        ("enable_bucket", "boolean"),
        ("min_bucket_reso", "integer"),
        ("max_bucket_reso", "integer"),
        ("bucket_reso_steps", "integer"),
        ("bucket_no_upscale", "boolean"),
        ("subsets", "array"),
    ];
    let of_subset = [
        ("image_dir", "string"),
        ("num_repeats", "integer"),
        ("is_reg", "boolean"),
        ("alpha_mask", "boolean"),
        ("caption_extension", "string"),
        ("caption_separator", "string"),
        ("shuffle_caption", "boolean"),
        ("keep_tokens", "integer"),
        ("keep_tokens_separator", "string"),
        ("secondary_separator", "string"),
        ("enable_wildcard", "boolean"),
        ("caption_dropout_rate", "float"),
        ("caption_dropout_every_n_epochs", "integer"),
        ("caption_tag_dropout_rate", "float"),
        ("token_warmup_min", "integer"),
        ("token_warmup_step", "integer"),
        ("color_aug", "boolean"),
        ("flip_aug", "boolean"),
        ("random_crop", "boolean"),
    ];
    let check = |table: &toml::Value, known: &[(&str, &str)]| {
        let found: Vec<_> = table
            .as_table()
            .unwrap()
            .iter()
            .map(|(key, value)| (key.as_str(), value.type_str()))
            .collect();
        assert!(found.iter().all(|entry| known.contains(entry)), "{found:?}");
        assert_eq!(found.len(), known.len());
    };
    for (recipe, prediction, ..) in recipes() {
        let manifest = manifest();
        let request = Request {
            prediction,
            ..request(&recipe, &manifest)
        };
        let file: toml::Table = Plan::new(&request).unwrap().dataset_toml.parse().unwrap();
        assert_eq!(file.len(), 1);
        check(&file["datasets"][0], &of_dataset);
        check(&file["datasets"][0]["subsets"][0], &of_subset);
    }
}

#[test]
fn only_trained_pictures_are_given_with_captions_of_one_line() {
    let plan = plan(&recipe(|_| ()));
    let captions: Vec<_> = plan
        .pictures
        .iter()
        .map(|picture| picture.caption.as_deref())
        .collect();
    assert_eq!(captions, [Some("zora, a woman by a window"), Some("zora asleep")]);
    assert_eq!(plan.pictures[1].sha256, hex::encode([3; 32]));
}

#[test]
fn an_empty_caption_gets_no_file() {
    let recipe = recipe(|request| request.trigger_word = None);
    let mut manifest = manifest();
    manifest.items[0].caption = "  \n".into();
    let plan = Plan::new(&request(&recipe, &manifest)).unwrap();
    assert_eq!(plan.pictures[0].caption, None);
}

#[test]
fn prompts_are_written_so_that_nothing_in_them_is_an_option() {
    let (_, prompts) = plan(&recipe(|_| ())).prompts.unwrap();
    let prompts: serde_json::Value = serde_json::from_str(&prompts).unwrap();
    assert_eq!(prompts[0]["prompt"], "zora reads --n a book");
    assert_eq!(prompts[1]["prompt"], "# zora, \"quoted\"");
    assert_eq!(
        (&prompts[1]["seed"], &prompts[1]["width"]),
        (&43.into(), &1024.into())
    );
}

#[test]
fn caches_have_a_folder_of_their_own_for_every_content() {
    let folder = |change: fn(&mut RecipeRequest)| plan(&recipe(change)).picture_folder;
    let usual = folder(|_| ());
    assert_eq!(
        usual,
        folder(|request| request.overrides.learning_rate = Some(1e-3))
    );
    assert_ne!(usual, folder(|request| request.overrides.resolution = Some(512)));
    assert_ne!(
        usual,
        folder(|request| request.trigger_word = Some("yara".into()))
    );
    let (recipe, mut other) = (recipe(|_| ()), manifest());
    other.items[0].sha256 = hex::encode([9; 32]);
    assert_ne!(
        usual,
        Plan::new(&request(&recipe, &other)).unwrap().picture_folder
    );
}

#[test]
fn less_memory_means_the_same_pictures_in_every_step() {
    let mut p = recipe(|_| ()).parameters().clone();
    for (batch_size, accumulation, expected) in
        [(8, 1, (4, 2)), (6, 4, (3, 8)), (3, 2, (1, 6)), (1, 2, (1, 2))]
    {
        (p.batch_size, p.gradient_accumulation) = (batch_size, accumulation);
        assert_eq!(Memory::SmallerBatches.batches(&p), expected);
    }
    p.batch_size = 2;
    assert_eq!(
        Memory::Planned.cheaper(&p, Precision::Full),
        Some(Memory::SmallerBatches)
    );
    assert_eq!(Memory::SmallerBatches.cheaper(&p, Precision::Full), None);
    assert_eq!(
        Memory::SmallerBatches.cheaper(&p, Precision::Bf16),
        Some(Memory::EightBitUnet)
    );
    assert_eq!(Memory::EightBitUnet.cheaper(&p, Precision::Bf16), None);
}

#[test]
fn what_sd_scripts_would_refuse_is_refused_with_its_field() {
    let recipe = recipe(|request| {
        request.overrides.resolution = Some(64);
        request.overrides.bucket_step = Some(128);
        request.name = "𝄞".repeat(75);
    });
    let mut manifest = manifest();
    manifest.items.retain(|item| item.split == Split::HeldOut);
    expect![
        "parameters.bucket_step: must be at most the resolution (64) for the kohya engine, not 128: otherwise the shortest side of a bucket would exceed the resolution; dataset: has no picture to train on: sd-scripts would exit silently without a file; name: has 300 bytes: the kohya engine uses it in names of checkpoints and allows at most 200 bytes"
    ]
    .assert_eq(&refused(&request(&recipe, &manifest)));
}

#[test]
fn a_path_that_is_no_text_is_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let (recipe, manifest) = (recipe(|_| ()), manifest());
    let base = Path::new(OsStr::from_bytes(b"/bases/\xff"));
    let request = Request {
        base,
        ..request(&recipe, &manifest)
    };
    let problem = refused(&request);
    assert!(problem.starts_with("base_model: is at"), "{problem}");
}
