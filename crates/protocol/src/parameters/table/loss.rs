//! What the network is compared with, how much a difference counts, and the noise that it is trained with.

macro_rules! loss {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// How the error of a prediction is measured.
    loss: LossKind {
        default: LossKind::L2,
        range: Range::words::<LossKind>(),
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("loss_type"),
            metadata: &["ss_loss_type"],
            why: "What the base model was trained with.",
            when: "Huber or smooth L1 if single odd pictures spoil a style.",
        },
    }

    /// For the Huber and smooth L1 losses: errors below this count squared, larger ones only in proportion.
    huber_c: f64 {
        default: 0.1,
        range: Range::above(0.0, 10.0),
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("huber_c"),
            metadata: &["ss_huber_c"],
            why: "sd-scripts' default.",
            when: "Lower it so that single odd pictures count less. Other losses ignore it.",
        },
    }

    /// How `huber_c` changes with the noise of a step.
    huber_schedule: HuberSchedule {
        default: HuberSchedule::Snr,
        range: Range::words::<HuberSchedule>(),
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("huber_schedule"),
            metadata: &["ss_huber_schedule"],
            why: "sd-scripts' default: wide where there is little noise, and details count.",
            when: "If the settings that you follow give it. Other losses ignore it.",
        },
    }

    /// Multiplies `huber_c`, for the constant and the exponential schedule.
    huber_scale: f64 {
        default: 1.0,
        range: Range::above(0.0, 100.0),
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("huber_scale"),
            metadata: &["ss_huber_scale"],
            why: "sd-scripts' default.",
            when: "If the settings that you follow give it. Other losses ignore it.",
        },
    }

    /// Limits the loss weight of nearly noise-free timesteps (Hang et al. 2023). 0 switches it off; 5 is usual.
    min_snr_gamma: f64 {
        default: 5.0,
        range: Range::number(0.0, 20.0),
        presets: {
            (NoobaiV | NoobaiFlow | Pony, _) => 0.0,
        },
        about: {
            group: Group::Loss,
            off: Some(Value::Number(0.0)),
            kohya: Some("min_snr_gamma"),
            metadata: &["ss_min_snr_gamma"],
            why: "Its paper's value: the training converges faster and more evenly.",
            when: "0 for Pony and for bases that predict v, where the guides leave it out. Rectified flow has no such weights.",
        },
    }

    /// Weights the loss by the noise, so that noisy timesteps count as much as others (debiased estimation).
    debiased: bool {
        default: false,
        range: Range::Switch,
        presets: {
            (NoobaiV, _) => true,
        },
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("debiased_estimation_loss"),
            metadata: &["ss_debiased_estimation"],
            why: "Min-SNR serves the same purpose.",
            when: "For bases that predict v, in place of min-SNR. Rectified flow has no such weights.",
        },
    }

    /// Weights the loss of a base that predicts v as if it predicted noise.
    scale_v_loss: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Loss,
            since: 4,
            kohya: Some("scale_v_pred_loss_like_noise_pred"),
            why: "Only bases that predict v have a use for it.",
            when: "For such a base, if structure is learned and detail is not; in place of the debiased loss.",
        },
    }

    /// Adds this much of a loss as if the base predicted v, for a base that predicts noise. 0 adds nothing.
    v_like_loss: f64 {
        default: 0.0,
        range: Range::number(0.0, 10.0),
        about: {
            group: Group::Loss,
            since: 4,
            off: Some(Value::Number(0.0)),
            kohya: Some("v_pred_like_loss"),
            why: "Few settings use it.",
            when: "If the settings that you follow give it.",
        },
    }

    /// Keeps pictures without the trigger word as the base model draws them: how much a change there counts. 0 is off;
    /// otherwise a step takes about twice as long.
    output_preservation: f64 {
        default: 0.0,
        range: Range::number(0.0, 10.0),
        about: {
            group: Group::Loss,
            engines: NATIVE,
            since: 4,
            why: "It doubles the time of a step.",
            when: "1 if other figures begin to look like the trained one.",
        },
    }

    /// The lowest timestep that is trained. Low timesteps are the last steps of drawing, which add fine detail.
    min_timestep: u32 {
        default: 0,
        range: Range::whole(0, 999),
        about: {
            group: Group::Loss,
            since: 4,
            off: Some(Value::Whole(0)),
            kohya: Some("min_timestep"),
            why: "All timesteps are needed for a picture.",
            when: "Raise it to learn composition, and leave fine detail to the base model.",
        },
    }

    /// Timesteps from this one on are not trained. High timesteps are the first steps of drawing, which decide the
    /// composition.
    max_timestep: u32 {
        default: 1000,
        range: Range::whole(1, 1000),
        rule: |p| (p.max_timestep <= p.min_timestep)
            .then(|| format!("must be more than min_timestep ({}), not {}", p.min_timestep, p.max_timestep)),
        beside: [min_timestep],
        about: {
            group: Group::Loss,
            since: 4,
            off: Some(Value::Whole(1000)),
            kohya: Some("max_timestep"),
            why: "All timesteps are needed for a picture.",
            when: "Lower it to learn lines and surfaces, and leave composition to the base model.",
        },
    }

    /// Which timesteps are trained more often than others.
    timestep_distribution: TimestepDistribution {
        default: TimestepDistribution::Uniform,
        range: Range::words::<TimestepDistribution>(),
        about: {
            group: Group::Loss,
            engines: NATIVE,
            since: 4,
            why: "SDXL was trained with all timesteps equally often.",
            when: "logit_normal for a base with rectified flow, as Stable Diffusion 3 was trained.",
        },
    }

    /// Middle of the logit-normal distribution of timesteps: above 0 favors noisy ones, below 0 those of fine detail.
    timestep_bias: f64 {
        default: 0.0,
        range: Range::number(-5.0, 5.0),
        about: {
            group: Group::Loss,
            engines: NATIVE,
            since: 4,
            why: "As in the paper on Stable Diffusion 3.",
            when: "Above 0 for composition, below 0 for detail. Other distributions ignore it.",
        },
    }

    /// Width of the logit-normal distribution of timesteps (smaller stays closer to its middle), or the scale of
    /// `mode`.
    timestep_scale: f64 {
        default: 1.0,
        range: Range::number(-1.0, 5.0),
        about: {
            group: Group::Loss,
            engines: NATIVE,
            since: 4,
            why: "As in the paper on Stable Diffusion 3.",
            when: "If the settings that you follow give it. Other distributions ignore it.",
        },
    }

    /// Moves all timesteps toward noise by this factor, as larger pictures need it. 1 changes nothing.
    timestep_shift: f64 {
        default: 1.0,
        range: Range::number(0.1, 20.0),
        about: {
            group: Group::Loss,
            engines: NATIVE,
            since: 4,
            why: "As SDXL was trained.",
            when: "2.5 or 3 for a base with rectified flow, if its authors say so.",
        },
    }

    /// Noise offset: lets the model learn pictures that are darker or brighter than average. 0 is off.
    noise_offset: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        presets: {
            (Pony, _) => 0.03,
        },
        about: {
            group: Group::Noise,
            off: Some(Value::Number(0.0)),
            kohya: Some("noise_offset"),
            metadata: &["ss_noise_offset"],
            why: "It shifts the brightness of everything that is drawn.",
            when: "0.03 to 0.1 for night scenes and flat white; never for bases with zero terminal SNR.",
        },
    }

    /// Uses a random noise offset for each picture, between 0 and `noise_offset`.
    noise_offset_random: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Noise,
            since: 4,
            kohya: Some("noise_offset_random_strength"),
            metadata: &["ss_noise_offset_random_strength"],
            why: "sd-scripts' default.",
            when: "If a noise offset makes all pictures too contrasty.",
        },
    }

    /// Adds this share of a picture's own average (of its latents) to its noise offset.
    adaptive_noise_scale: f64 {
        default: 0.0,
        range: Range::number(-1.0, 1.0),
        rule: |p| (p.adaptive_noise_scale != 0.0 && p.noise_offset == 0.0)
            .then(|| format!("must be 0 without a noise offset, not {}", p.adaptive_noise_scale)),
        beside: [noise_offset],
        about: {
            group: Group::Noise,
            since: 4,
            off: Some(Value::Number(0.0)),
            kohya: Some("adaptive_noise_scale"),
            metadata: &["ss_adaptive_noise_scale"],
            why: "Few settings use it.",
            when: "About a tenth of the noise offset, if the settings that you follow give it.",
        },
    }

    /// Levels of coarser noise that are mixed into the noise (multi-resolution noise). 0 mixes in none.
    multires_noise_iterations: u16 {
        default: 0,
        range: Range::whole(0, 32),
        about: {
            group: Group::Noise,
            since: 4,
            off: Some(Value::Whole(0)),
            kohya: Some("multires_noise_iterations"),
            metadata: &["ss_multires_noise_iterations"],
            why: "It changes the brightness and the large shapes of everything that is drawn.",
            when: "6 to 10 in place of a noise offset.",
        },
    }

    /// How much of each coarser level of noise is mixed in, as a factor from one level to the next.
    multires_noise_discount: f64 {
        default: 0.3,
        range: Range::number(0.0, 1.0),
        about: {
            group: Group::Noise,
            since: 4,
            kohya: Some("multires_noise_discount"),
            metadata: &["ss_multires_noise_discount"],
            why: "sd-scripts' default.",
            when: "If the settings that you follow give it. Ignored without levels of noise.",
        },
    }

    /// Adds this much extra noise to the input that the model is not asked to remove, against memorizing (Ning et al.
    /// 2023). 0 is off.
    input_perturbation: f64 {
        default: 0.0,
        range: Range::number(0.0, 1.0),
        about: {
            group: Group::Noise,
            since: 4,
            off: Some(Value::Number(0.0)),
            kohya: Some("ip_noise_gamma"),
            metadata: &["ss_ip_noise_gamma"],
            why: "Most LoRAs are trained without.",
            when: "0.05 to 0.1 against overcooking.",
        },
    }

    /// Uses a random input perturbation at each step, between 0 and its value.
    input_perturbation_random: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Noise,
            since: 4,
            kohya: Some("ip_noise_gamma_random_strength"),
            metadata: &["ss_ip_noise_gamma_random_strength"],
            why: "sd-scripts' default.",
            when: "If the settings that you follow give it.",
        },
    }

    /// Seed of everything random in the training.
    seed: u32 {
        default: 42,
        range: Range::whole(0, u32::MAX as i64),
        about: {
            group: Group::Noise,
            kohya: Some("seed"),
            metadata: &["ss_seed"],
            why: "The same seed gives the same training again.",
            when: "Change it to see whether a result was luck.",
        },
    }
    } };
}

pub(in super::super) use loss;
