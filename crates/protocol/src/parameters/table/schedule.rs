//! Length of a training, its learning rate over the steps, and how large a step is.

macro_rules! schedule {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// Optimizer steps.
    n_steps: u32 {
        default: 1600,
        range: Range::whole(1, 1_000_000),
        // Of the preset's views, at its batch size.
        presets: {
            (Tiny, Character | Concept) => 465,
            (Tiny, Style) => 400,
            (Sdxl, Concept) => 1500,
            (Sdxl, Style) => 3000,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, Style) => 1000,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 400,
        },
        // As many as it takes to see the pictures so often.
        follows: |preset, now| match now.n_views {
            0 => preset.n_steps,
            n_views => n_views.div_ceil(now.pictures_per_step()),
        },
        about: {
            group: Group::Basic,
            unit: "steps",
            effect: Effect::Schedule,
            metadata: &["ss_max_train_steps"],
            why: "Follows from the views, the batch size and the gradient accumulation.",
            when: "Set it instead of the views if you copy settings that are given in steps.",
        },
    }

    /// Views: how many pictures the training sees, each picture counted again every time.
    n_views: u32 {
        // Recipes from before give their steps.
        default: 0,
        range: Range::whole(0, 100_000_000),
        presets: {
            (Tiny, Character | Concept) => 3720,
            (Tiny, Style) => 3200,
            (Sdxl, Character) => 1600,
            (Sdxl, Concept) => 1500,
            (Sdxl, Style) => 3000,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, Style) => 4000,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 1600,
        },
        follows: |preset, now| {
            let per_step = now.pictures_per_step();
            if preset.n_views.div_ceil(per_step) == now.n_steps {
                preset.n_views
            } else {
                now.n_steps.saturating_mul(per_step)
            }
        },
        rule: |p| {
            let n_steps = p.n_views.div_ceil(p.pictures_per_step());
            (p.n_views > 0 && n_steps != p.n_steps).then(|| format!(
                "takes {n_steps} steps of {} pictures, and n_steps is {}: leave one of the two out",
                p.pictures_per_step(), p.n_steps
            ))
        },
        beside: [n_steps, batch_size, gradient_accumulation],
        about: {
            group: Group::Basic,
            unit: "views",
            // The steps tell trainings apart, and are all that an agent needs.
            effect: Effect::None,
            since: 0,
            why: "What was found to be enough for the preset; it means the same at every batch size.",
            when: "More if the LoRA is too weak at the end, fewer if it is overcooked before the end.",
        },
    }

    /// How fast the U-Net learns, at the highest point of the schedule. An optimizer that finds its own rate multiplies
    /// it by this.
    learning_rate: f64 {
        default: 1e-4,
        range: Range::above(0.0, 1.0),
        presets: {
            (Tiny, Character | Concept) => 1e-3,
            (Tiny, Style) => 2e-3,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, _) => 3e-4,
            (Pony, _) => 1.0,
        },
        follows: |preset, now| match (preset.optimizer.is_adaptive(), now.optimizer.is_adaptive()) {
            (false, true) => 1.0,
            (true, false) => 1e-4,
            _ => preset.learning_rate,
        },
        about: {
            group: Group::Basic,
            kohya: Some("learning_rate"),
            metadata: &["ss_learning_rate", "ss_unet_lr"],
            why: "sd-scripts' guide for SDXL. It is 1 for Prodigy and D-Adaptation, which find their own.",
            when: "Half of it if samples get overcooked early; up to 3e-4 at larger batches. Lion needs about a tenth.",
        },
    }

    /// How the learning rate moves over the steps.
    lr_schedule: LrSchedule {
        default: LrSchedule::Cosine,
        range: Range::words::<LrSchedule>(),
        // These optimizers take the place of a schedule.
        follows: |preset, now| {
            if now.optimizer.is_schedule_free() { LrSchedule::Constant } else { preset.lr_schedule }
        },
        rule: |p| (p.optimizer.is_schedule_free() && p.lr_schedule != LrSchedule::Constant).then(|| format!(
            "must be `constant` for the optimizer `{}`, which takes the place of a schedule", p.optimizer.word()
        )),
        beside: [optimizer],
        about: {
            group: Group::Schedule,
            only: &[("rex", NATIVE)],
            newer: &[
                ("linear", 4), ("cosine_with_restarts", 4), ("polynomial", 4), ("inverse_sqrt", 4), ("rex", 4),
            ],
            why: "A cosine settles at the end, so that the last checkpoints differ little.",
            when: "Constant if you do not know the length yet and pick a checkpoint; restarts or REX as some guides say.",
        },
    }

    /// Steps over which the learning rate rises from zero. Must be less than the number of steps.
    n_warmup_steps: u32 {
        default: 0,
        range: Range::whole(0, 1_000_000),
        // A twentieth of the preset's steps.
        presets: {
            (Sdxl, Character) => 80,
            (Sdxl, Concept) => 75,
            (Sdxl, Style) => 150,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, Style) => 50,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, _) => 20,
        },
        // The preset's warm-up shrinks with a shorter run. One optimizer has none of its own.
        follows: |preset, now| {
            if now.optimizer == Optimizer::ProdigyScheduleFree {
                return 0;
            }
            let scaled = u64::from(preset.n_warmup_steps) * u64::from(now.n_steps) / u64::from(preset.n_steps);
            scaled.min(u64::from(u32::MAX)) as u32
        },
        rule: |p| (p.n_warmup_steps >= p.n_steps)
            .then(|| format!("must be less than n_steps ({}), not {}", p.n_steps, p.n_warmup_steps)),
        beside: [n_steps],
        about: {
            group: Group::Schedule,
            unit: "steps",
            effect: Effect::Schedule,
            metadata: &["ss_lr_warmup_steps"],
            why: "A twentieth of the steps, as most guides for SDXL have it: the first gradients are the noisiest.",
            when: "More, up to a tenth, if the loss jumps at the start.",
        },
    }

    /// How often a cosine with restarts starts.
    n_cycles: u16 {
        default: 1,
        range: Range::whole(1, 1000),
        about: {
            group: Group::Schedule,
            since: 4,
            why: "One is the same as a cosine without restarts.",
            when: "3 is in use with cosine_with_restarts. Other schedules ignore it.",
        },
    }

    /// The power of a polynomial schedule.
    polynomial_power: f64 {
        default: 1.0,
        range: Range::above(0.0, 10.0),
        about: {
            group: Group::Schedule,
            since: 4,
            why: "1 is a straight line.",
            when: "Above 1 it falls fast at first, below 1 late. Other schedules ignore it.",
        },
    }

    /// The schedule ends at this share of the learning rate instead of zero.
    min_lr_ratio: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        about: {
            group: Group::Schedule,
            since: 4,
            why: "Zero lets the weights come to rest.",
            when: "0.1 if the last part of a training should still learn. A constant schedule ignores it.",
        },
    }

    /// Pictures in one forward pass.
    batch_size: u16 {
        default: 1,
        range: Range::whole(1, 64),
        presets: {
            (Tiny, _) => 8,
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 4,
        },
        about: {
            group: Group::Basic,
            unit: "pictures",
            why: "One fits into every GPU that can train SDXL.",
            when: "2 to 4 on a GPU with 24 GB or more: smoother steps, and faster for each picture.",
        },
    }

    /// Forward passes that are averaged into one step.
    gradient_accumulation: u16 {
        default: 1,
        range: Range::whole(1, 256),
        about: {
            group: Group::Memory,
            metadata: &["ss_gradient_accumulation_steps"],
            why: "More passes take more time for each step.",
            when: "Set it to 4 for the effect of a four times larger batch without its memory.",
        },
    }
    } };
}

pub(in super::super) use schedule;
