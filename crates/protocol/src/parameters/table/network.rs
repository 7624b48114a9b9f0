//! What is trained: the kind of LoRA, its size and its place, and the text encoders.

macro_rules! network {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// Rank of the LoRA matrices: how much it can learn, and how large the file gets.
    rank: u16 {
        default: 16,
        range: Range::whole(1, 256),
        presets: {
            (Sdxl, _) => 32,
            (Pony, _) => 32,
        },
        about: {
            group: Group::Basic,
            kohya: Some("network_dim"),
            metadata: &["ss_network_dim"],
            why: "Enough for a figure with its outfits.",
            when: "8 for a single simple figure, 64 for a style with many pictures. A larger one also overcooks sooner.",
        },
    }

    /// Alpha: the LoRA's output is scaled by alpha / rank. Equal to rank means a scale of 1.
    alpha: f64 {
        default: 16.0,
        range: Range::above(0.0, 512.0),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, _) => 8.0,
            (Pony, _) => 32.0,
        },
        // A changed rank keeps the preset's scale alpha / rank.
        follows: |preset, now| preset.alpha / f64::from(preset.rank) * f64::from(now.rank),
        about: {
            kohya: Some("network_alpha"),
            metadata: &["ss_network_alpha"],
            why: "Half of the rank is what most settings for SDXL use; a changed rank keeps the ratio.",
            when: "Equal to the rank with Prodigy, or if the settings that you follow say so.",
        },
    }

    /// The kind of LoRA.
    kind: LoraKind {
        default: LoraKind::Lora,
        range: Range::words::<LoraKind>(),
        about: {
            only: &[("dora", NATIVE), ("loha", NATIVE), ("lokr", NATIVE), ("t_lora", NATIVE)],
            since: 4,
            why: "Every program reads a plain LoRA, and it is the fastest to train.",
            when: "DoRA learns closer to full training and costs more time; LoKr makes small files; T-LoRA is for one to \
                   five pictures.",
        },
    }

    /// How a LoKr divides each weight: the smaller part of the Kronecker product has at most this many rows. 0 divides it
    /// as evenly as possible.
    lokr_factor: u16 {
        default: 8,
        range: Range::whole(0, 1024),
        about: {
            engines: NATIVE,
            since: 4,
            why: "In use for characters: a file of a few megabytes.",
            when: "4 learns more and makes a larger file, 16 less. Other kinds ignore it.",
        },
    }

    /// The rank that a T-LoRA has left at the noisiest timestep.
    t_lora_min_rank: u16 {
        default: 8,
        range: Range::whole(1, 256),
        follows: |preset, now| {
            if now.kind == LoraKind::TLora { (now.rank / 2).max(1) } else { preset.t_lora_min_rank }
        },
        rule: |p| (p.kind == LoraKind::TLora && p.t_lora_min_rank > p.rank)
            .then(|| format!("must be at most the rank ({}), not {}", p.rank, p.t_lora_min_rank)),
        beside: [kind, rank],
        about: {
            engines: NATIVE,
            since: 4,
            why: "Half of the rank, as its paper has it.",
            when: "Lower if the LoRA copies the poses and places of its few pictures. Other kinds ignore it.",
        },
    }

    /// How fast the rank of a T-LoRA falls towards noise: the power of the share of timesteps that are left.
    t_lora_power: f64 {
        default: 1.0,
        range: Range::above(0.0, 10.0),
        about: {
            engines: NATIVE,
            since: 4,
            why: "A straight line, as its paper has it.",
            when: "Above 1 the rank falls sooner. Other kinds ignore it.",
        },
    }

    /// Rank of the U-Net's 3×3 convolutions; 0 leaves them alone.
    conv_rank: u16 {
        default: 0,
        range: Range::whole(0, 256),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, Style) => 16,
        },
        about: {
            since: 4,
            why: "Figures do well without, and the file stays small.",
            when: "8 or 16 for a style: textures and lines are in the convolutions.",
        },
    }

    /// Alpha of the convolutions: their output is scaled by this / conv_rank.
    conv_alpha: f64 {
        default: 1.0,
        range: Range::above(0.0, 512.0),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, Style) => 8.0,
        },
        // With the scale of the rest, unless the preset has one for them.
        follows: |preset, now| match (now.conv_rank, preset.conv_rank) {
            (0, _) => 1.0,
            (rank, 0) => now.alpha / f64::from(now.rank) * f64::from(rank),
            (rank, of_preset) => preset.conv_alpha / f64::from(of_preset) * f64::from(rank),
        },
        about: {
            since: 4,
            why: "The same scale as that of the rest.",
            when: "If the settings that you follow give it.",
        },
    }

    /// The only blocks of the U-Net that are trained, by name: `IN04`, `MID`, `OUT00`, or as diffusers has them,
    /// `up_blocks.0.attentions.0`. `b_lora_content` and `b_lora_style` stand for the blocks of B-LoRA. None trains all.
    trained_blocks: Vec<String> {
        default: &[],
        range: Range::List { max_items: 32, max_chars: 64 },
        rule: |p| blocks::wrong_names(&p.trained_blocks),
        beside: [trained_blocks],
        about: {
            since: 4,
            why: "All blocks learn together what belongs together.",
            when: "b_lora_content for a figure and b_lora_style for a style, if the two are to be combined freely.",
        },
    }

    /// Ranks of single blocks: `OUT00=64`. 0 leaves a block out.
    block_ranks: Vec<String> {
        default: &[],
        range: Range::List { max_items: 32, max_chars: 64 },
        rule: |p| blocks::wrong_numbers(&p.block_ranks, blocks::RANKS),
        beside: [block_ranks],
        about: {
            since: 4,
            why: "One rank for all is what almost all LoRAs have.",
            when: "If a resized LoRA shows that some blocks need little.",
        },
    }

    /// Factors of the learning rate of single blocks: `IN04=0.5`. 0 leaves a block out.
    block_learning_rates: Vec<String> {
        default: &[],
        range: Range::List { max_items: 32, max_chars: 64 },
        rule: |p| blocks::wrong_numbers(&p.block_learning_rates, blocks::RATES),
        beside: [block_learning_rates],
        about: {
            since: 4,
            why: "All blocks learn alike.",
            when: "Lower for the input blocks if the LoRA takes over compositions.",
        },
    }

    /// Chance that a value inside the LoRA is ignored, at each step.
    network_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 0.95),
        rule: |p| (p.network_dropout > 0.0 && !matches!(p.kind, LoraKind::Lora | LoraKind::TLora))
            .then(|| format!("only the kinds lora and t_lora have it, not {}: use module_dropout", p.kind.word())),
        beside: [kind],
        about: {
            since: 4,
            off: Some(Value::Number(0.0)),
            kohya: Some("network_dropout"),
            metadata: &["ss_network_dropout"],
            why: "Most LoRAs are trained without.",
            when: "0.1 to 0.3 against overcooking with very few pictures.",
        },
    }

    /// Chance that a rank of the LoRA is ignored, for each picture at each step.
    rank_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 0.95),
        rule: |p| (p.rank_dropout > 0.0 && !matches!(p.kind, LoraKind::Lora | LoraKind::TLora))
            .then(|| format!("only the kinds lora and t_lora have it, not {}: use module_dropout", p.kind.word())),
        beside: [kind],
        about: {
            since: 4,
            why: "Most LoRAs are trained without.",
            when: "0.1 against overcooking, in place of network_dropout.",
        },
    }

    /// Chance that the LoRA of a layer is ignored, at each step.
    module_dropout: f64 {
        default: 0.0,
        range: Range::number(0.0, 0.95),
        about: {
            since: 4,
            why: "Most LoRAs are trained without.",
            when: "0.1 against overcooking, in place of network_dropout.",
        },
    }

    /// After each step, the change of a layer is scaled down to this size (norm) if it is larger. 0 is off.
    max_weight_norm: f64 {
        default: 0.0,
        range: Range::number(0.0, 100.0),
        about: {
            since: 4,
            off: Some(Value::Number(0.0)),
            kohya: Some("scale_weight_norms"),
            metadata: &["ss_scale_weight_norms"],
            why: "A LoRA that is not overcooked stays below such a limit anyway.",
            when: "1 if a LoRA does not go together with others, or breaks pictures at a weight of 1.",
        },
    }

    /// How many times faster the second matrix of a LoRA learns than the first (LoRA+, Hayou et al. 2024). 1 trains
    /// both alike.
    lora_plus_ratio: f64 {
        default: 1.0,
        range: Range::number(1.0, 100.0),
        rule: |p| (p.lora_plus_ratio != 1.0 && matches!(p.kind, LoraKind::Loha | LoraKind::Lokr))
            .then(|| format!("only the kinds lora, dora and t_lora have it, not {}", p.kind.word())),
        beside: [kind],
        about: {
            since: 5,
            why: "The learning rates of presets and guides are for matrices that learn alike.",
            when: "16 is its paper's value, with a lower learning rate, if a LoRA learns too slowly.",
        },
    }

    /// Learning rate of the first text encoder (CLIP-L). 0 freezes it.
    text_encoder_1_learning_rate: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, Character | Concept) => 3e-5,
            (Pony, Character | Concept) => 1.0,
        },
        follows: |preset, now| beside_learning_rate(preset.text_encoder_1_learning_rate, preset, now),
        about: {
            group: Group::TextEncoders,
            since: 4,
            why: "Frozen text encoders keep understanding everything else, and cost no time.",
            when: "About a tenth of the learning rate if a new trigger word is not learned, mostly for characters.",
        },
    }

    /// Learning rate of the second text encoder (OpenCLIP bigG). 0 freezes it.
    text_encoder_2_learning_rate: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, Character | Concept) => 3e-5,
            (Pony, Character | Concept) => 1.0,
        },
        follows: |preset, now| beside_learning_rate(preset.text_encoder_2_learning_rate, preset, now),
        about: {
            group: Group::TextEncoders,
            since: 4,
            why: "Frozen text encoders keep understanding everything else, and cost no time.",
            when: "The same as the first, which is all that the kohya engine can do.",
        },
    }
    } };
}

pub(in super::super) use network;
