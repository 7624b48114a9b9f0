//! Which pictures are trained on, how they are cut, and when files are written.

macro_rules! pictures {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// Regularization pictures that the base model draws of `prior_prompt` before the training, so that other figures
    /// stay as they are.
    n_prior_pictures: u16 {
        default: 0,
        range: Range::whole(0, 1000),
        rule: |p| (p.n_prior_pictures > 0 && p.prior_prompt.trim().is_empty())
            .then(|| "must be 0 without a prior_prompt, which says what they show".to_owned()),
        beside: [prior_prompt],
        about: {
            group: Group::Pictures,
            engines: NATIVE,
            since: 4,
            unit: "pictures",
            why: "Regularization pictures take half of the training's time.",
            when: "As many as there are pictures, if other figures begin to look like the one that is trained.",
        },
    }

    /// What the regularization pictures show: the kind of figure, without the trigger word.
    prior_prompt: String {
        default: "",
        range: Range::Text { max_chars: 500 },
        rule: |p| text::check_line(&p.prior_prompt).err().map(|unfit| unfit.to_string()),
        beside: [prior_prompt],
        about: {
            group: Group::Pictures,
            engines: NATIVE,
            since: 4,
            why: "It has no effect without n_prior_pictures.",
            when: "`1girl, solo` for a girl, for instance.",
        },
    }

    /// How much a regularization picture counts beside the others.
    prior_loss_weight: f64 {
        default: 1.0,
        range: Range::number(0.0, 100.0),
        about: {
            group: Group::Pictures,
            since: 4,
            kohya: Some("prior_loss_weight"),
            metadata: &["ss_prior_loss_weight"],
            why: "It has no effect without regularization pictures; with them, they count as much as the others.",
            when: "Less if the LoRA learns too little beside them.",
        },
    }

    /// Learns only where a picture's mask picture is white; without a mask picture, only where the picture is not
    /// transparent.
    masked_loss: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            since: 4,
            kohya: Some("masked_loss"),
            why: "It has no effect on opaque pictures without a mask picture. Transparent areas are white, which is learned too.",
            when: "If backgrounds or other figures were cut out, made transparent, or painted black in a mask picture so that they are not learned.",
        },
    }

    /// How much the masked parts of a picture still count: 0 not at all, 1 as much as the rest.
    unmasked_weight: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        about: {
            group: Group::Pictures,
            since: 4,
            why: "As in sd-scripts, what is masked out does not count at all.",
            when: "0.1, OneTrainer's default, if figures grow parts where nothing was ever learned.",
        },
    }

    /// Mirrors each picture, with its mask, half of the time.
    random_flip: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            since: 4,
            kohya: Some("flip_aug"),
            why: "A character loses what is on one side: a scar, a parting, an emblem. Letters are mirrored, too.",
            when: "For styles, and for subjects that look the same from both sides: it is like twice the pictures.",
        },
    }

    /// Cuts a picture at a random place instead of around its center.
    random_crop: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            since: 7,
            kohya: Some("random_crop"),
            why: "The center is where the subject mostly is. At its edges a picture loses what its caption names.",
            when: "For styles with large pictures, where each part is an example too. sd-scripts then encodes every picture anew in each step, which is slower.",
        },
    }

    /// Up to how much a picture is enlarged before it is cut at a random place.
    crop_zoom: f64 {
        default: 1.0,
        range: Range::number(1.0, 4.0),
        about: {
            group: Group::Pictures,
            engines: NATIVE,
            since: 7,
            why: "At 1, random_crop moves within what the bucket would cut off, which is little.",
            when: "1.5 to 2 to show close-ups of large pictures, each with its own crop told to SDXL. Captions must fit the parts as well.",
        },
    }

    /// Changes the colors of a third of the views a little: the hue by up to 16 degrees, or gamma by up to 5 %.
    color_jitter: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            since: 7,
            kohya: Some("color_aug"),
            why: "Colors belong to a character and to a style, and are learned with them.",
            when: "If all pictures have the same tint, from one scanner for instance, and it must not be learned. sd-scripts then encodes every picture anew in each step, which is slower.",
        },
    }

    /// Lays pictures with a transparent background on random colors instead of white.
    random_background: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            engines: NATIVE,
            since: 7,
            why: "White is what the caption can name (`white background`), so that it stays changeable.",
            when: "If cut-out figures are always drawn on white although the prompt says otherwise.",
        },
    }

    /// Looks of each picture that are prepared and shown in turns, where random_crop, color_jitter or random_background draw
    /// them.
    n_looks: u16 {
        default: 8,
        range: Range::whole(1, 64),
        about: {
            group: Group::Pictures,
            engines: NATIVE,
            since: 7,
            unit: "looks",
            why: "Each is encoded once before the training, which takes time and a little memory.",
            when: "More for few pictures that are shown in many epochs.",
        },
    }

    /// Training size: pictures keep their shape, with about as many pixels as a square with this side.
    resolution: u32 {
        default: 1024,
        // The VAE halves a picture three times.
        range: Range::multiples(8, 64, 2048),
        presets: { (Tiny, _) => 128 },
        about: {
            group: Group::Basic,
            unit: "pixels",
            why: "What the base model was trained with.",
            when: "768 to save time and memory for a first try; it costs detail.",
        },
    }

    /// Pictures are sorted into buckets by their shape. The sides of a bucket are multiples of this.
    bucket_step: u32 {
        default: 64,
        // The VAE halves a picture three times, the U-Net twice more.
        range: Range::multiples(32, 32, 256),
        presets: { (Tiny, _) => 32 },
        about: {
            group: Group::Pictures,
            unit: "pixels",
            why: "The step of SDXL's own sizes.",
            when: "32 cuts less off, and makes more buckets with fewer pictures in each.",
        },
    }

    /// Shortest side of a bucket, in pixels. 0 is a quarter of the resolution.
    min_bucket_side: u32 {
        default: 0,
        range: Range::multiples(32, 0, 2048),
        rule: |p| wrong_bucket_side(p, p.min_bucket_side, p.min_bucket_side > p.resolution, "at most"),
        beside: [bucket_step, resolution],
        about: {
            group: Group::Pictures,
            since: 5,
            unit: "pixels",
            why: "A quarter of the resolution, 256 of 1024, is what SDXL was trained with.",
            when: "Higher if very long pictures are to be cut instead of shown as narrow strips. bucket_no_upscale ignores it.",
        },
    }

    /// Longest side of a bucket, in pixels. 0 is twice the resolution.
    max_bucket_side: u32 {
        default: 0,
        range: Range::multiples(32, 0, 4096),
        rule: |p| wrong_bucket_side(p, p.max_bucket_side, p.max_bucket_side < p.resolution, "at least"),
        beside: [bucket_step, resolution],
        about: {
            group: Group::Pictures,
            since: 5,
            unit: "pixels",
            why: "Twice the resolution, 2048 of 1024, is what SDXL was trained with.",
            when: "Lower if your settings say so: sd-scripts' own 1024 cuts off what is left and right of wide pictures. \
                   bucket_no_upscale ignores it.",
        },
    }

    /// Trains a picture that is smaller than the training size at its own size, rounded down to the step, instead of
    /// enlarging it.
    bucket_no_upscale: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Pictures,
            since: 5,
            why: "SDXL draws badly at sizes that it was hardly trained with.",
            when: "If some pictures are small and their blur must not be learned. It makes more buckets with fewer pictures in each.",
        },
    }

    /// How pictures are scaled to their buckets.
    resize_interpolation: Interpolation {
        default: Interpolation::Auto,
        range: Range::words::<Interpolation>(),
        about: {
            group: Group::Pictures,
            since: 5,
            off: Some(Value::Text("auto")),
            kohya: Some("resize_interpolation"),
            metadata: &["ss_resize_interpolation"],
            why: "Averaging over areas loses nothing when a picture shrinks, and Lanczos is the sharpest when it grows.",
            when: "nearest for pixel art; others if the settings that you follow give them.",
        },
    }

    /// Steps between two checkpoints. 0 stores only the last.
    checkpoint_every_n_steps: u32 {
        default: 200,
        range: Range::whole(0, 1_000_000),
        presets: {
            (Tiny, _) => 100,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 100,
        },
        // Epochs that were chosen take their place.
        follows: |preset, now| if now.checkpoint_every_n_epochs > 0 { 0 } else { preset.checkpoint_every_n_steps },
        about: {
            group: Group::Samples,
            unit: "steps",
            effect: Effect::None,
            why: "Little is lost with a machine, and there are several to choose from.",
            when: "A smaller number for a short training, a larger one if storage is short.",
        },
    }

    /// Epochs between two checkpoints. 0 counts in steps.
    checkpoint_every_n_epochs: u32 {
        default: 0,
        range: Range::whole(0, 100_000),
        // Steps that were chosen take the place of a preset's epochs.
        follows: |preset, now| match now.checkpoint_every_n_steps {
            0 => preset.checkpoint_every_n_epochs,
            _ => 0,
        },
        rule: |p| twice(
            p.checkpoint_every_n_epochs, "checkpoint_every_n_steps", p.checkpoint_every_n_steps,
        ),
        beside: [checkpoint_every_n_steps],
        about: {
            group: Group::Samples,
            since: 5,
            unit: "epochs",
            effect: Effect::None,
            why: "Steps mean the same time between two checkpoints, whatever the pictures.",
            when: "1 if you compare epochs, as many guides do. It takes the place of the steps.",
        },
    }

    /// Steps between two rows of sample pictures. 0 renders none.
    sample_every_n_steps: u32 {
        default: 200,
        range: Range::whole(0, 1_000_000),
        presets: {
            (Tiny, _) => 100,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 100,
        },
        follows: |preset, now| if now.sample_every_n_epochs > 0 { 0 } else { preset.sample_every_n_steps },
        about: {
            group: Group::Samples,
            unit: "steps",
            effect: Effect::None,
            why: "Often enough to see where it begins to overcook.",
            when: "A larger number if rendering takes too much of the time.",
        },
    }

    /// Epochs between two rows of sample pictures. 0 counts in steps.
    sample_every_n_epochs: u32 {
        default: 0,
        range: Range::whole(0, 100_000),
        follows: |preset, now| match now.sample_every_n_steps {
            0 => preset.sample_every_n_epochs,
            _ => 0,
        },
        rule: |p| twice(p.sample_every_n_epochs, "sample_every_n_steps", p.sample_every_n_steps),
        beside: [sample_every_n_steps],
        about: {
            group: Group::Samples,
            since: 5,
            unit: "epochs",
            effect: Effect::None,
            why: "Steps mean the same time between two rows of previews, whatever the pictures.",
            when: "1 if you compare epochs, as many guides do. It takes the place of the steps.",
        },
    }

    /// Steps between two measurements of the validation loss, on the pictures that are held out. 0 measures it with
    /// every checkpoint.
    validate_every_n_steps: u32 {
        default: 0,
        range: Range::whole(0, 1_000_000),
        follows: |preset, now| if now.validate_every_n_epochs > 0 { 0 } else { preset.validate_every_n_steps },
        about: {
            group: Group::Samples,
            engines: NATIVE,
            since: 5,
            unit: "steps",
            effect: Effect::None,
            why: "A checkpoint is what you would choose by it.",
            when: "A smaller number for a finer curve. Each measurement takes five passes over the held-out pictures.",
        },
    }

    /// Epochs between two measurements of the validation loss. 0 counts in steps.
    validate_every_n_epochs: u32 {
        default: 0,
        range: Range::whole(0, 100_000),
        follows: |preset, now| match now.validate_every_n_steps {
            0 => preset.validate_every_n_epochs,
            _ => 0,
        },
        rule: |p| twice(p.validate_every_n_epochs, "validate_every_n_steps", p.validate_every_n_steps),
        beside: [validate_every_n_steps],
        about: {
            group: Group::Samples,
            engines: NATIVE,
            since: 5,
            unit: "epochs",
            effect: Effect::None,
            why: "It is measured with every checkpoint.",
            when: "1 for a curve that has a point for each epoch.",
        },
    }

    /// Also renders the sample pictures before the first step, which shows the base model alone.
    sample_at_start: bool {
        default: false,
        range: Range::Switch,
        presets: {
            _ => true,
        },
        follows: |preset, now| {
            let has_samples = now.sample_every_n_steps > 0 || now.sample_every_n_epochs > 0;
            preset.sample_at_start && has_samples
        },
        about: {
            group: Group::Samples,
            // An agent that does not know it leaves these previews out, which is no reason to keep a job from it.
            effect: Effect::None,
            why: "They show what the training changes. Without previews there are none before it either.",
            when: "Switch it off where a preview takes long and you know what the base model draws.",
        },
    }
    } };
}

pub(in super::super) use pictures;
