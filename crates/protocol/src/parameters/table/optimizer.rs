//! How the weights move against their gradients.

macro_rules! optimizer {
    ({ $next:ident $($rest:ident)* } $($before:tt)*) => { $next! { { $($rest)* } $($before)*
    /// The optimizer.
    optimizer: Optimizer {
        default: Optimizer::Adamw,
        range: Range::words::<Optimizer>(),
        presets: {
            (Pony, _) => Optimizer::Prodigy,
        },
        about: {
            group: Group::Optimizer,
            since: 4,
            why: "AdamW is the best understood, and the state of a LoRA is small.",
            when: "Prodigy if you do not want to choose a learning rate; 8-bit AdamW or Adafactor to save memory.",
        },
    }

    /// How long the optimizer remembers earlier gradients: closer to 1 is longer.
    beta1: f64 {
        default: 0.9,
        range: Range::number(0.0, 0.9999),
        about: {
            group: Group::Optimizer,
            since: 4,
            why: "The default of all these optimizers. Adafactor has one among its own arguments.",
            when: "If the settings that you follow give it.",
        },
    }

    /// How long the optimizer remembers how large the gradients were: closer to 1 is longer.
    beta2: f64 {
        default: 0.999,
        range: Range::number(0.0, 0.999_999),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow | Pony, _) => 0.99,
        },
        follows: |preset, now| {
            let is_lion = now.optimizer == Optimizer::Lion && preset.optimizer != Optimizer::Lion;
            if is_lion { 0.99 } else { preset.beta2 }
        },
        about: {
            group: Group::Optimizer,
            since: 4,
            why: "The default of Adam and its like; Lion's is 0.99.",
            when: "0.99 for short trainings, as many settings for SDXL have it.",
        },
    }

    /// A tiny number that keeps the optimizer from dividing by zero.
    epsilon: f64 {
        default: 1e-8,
        range: Range::above(0.0, 0.1),
        about: {
            group: Group::Optimizer,
            since: 4,
            why: "The default of Adam and its like. Lion, Adafactor and CAME do not use it.",
            when: "1e-6 if a training in low precision becomes unstable.",
        },
    }

    /// How strongly each step pulls the weights back toward zero.
    weight_decay: f64 {
        default: 0.01,
        range: Range::number(0.0, 1.0),
        presets: {
            (Illustrious | Noobai | NoobaiV | NoobaiFlow, _) => 0.1,
            (Pony, _) => 0.5,
        },
        about: {
            group: Group::Optimizer,
            why: "PyTorch's default.",
            when: "0.1 to hold back overcooking, as many settings for SDXL have it.",
        },
    }

    /// Settings that only this optimizer has, each as `name=value`: `d_coef=2` for Prodigy.
    optimizer_arguments: Vec<String> {
        default: &[],
        range: Range::List { max_items: 32, max_chars: 80 },
        rule: |p| optimizers::wrong(p.optimizer, &p.optimizer_arguments),
        beside: [optimizer, optimizer_arguments],
        about: {
            group: Group::Optimizer,
            items: Some(optimizers::described),
            since: 4,
            why: "The defaults of the authors, but for Adafactor, which takes its learning rate from the recipe.",
            when: "If the settings that you follow give them.",
        },
    }

    /// Limits the gradients of a step: longer ones are scaled down to this norm. 0 is off.
    max_gradient_norm: f64 {
        default: 1.0,
        range: Range::number(0.0, 100.0),
        about: {
            group: Group::Optimizer,
            kohya: Some("max_grad_norm"),
            metadata: &["ss_max_grad_norm"],
            why: "One odd picture cannot throw the training off. sd-scripts' default.",
            when: "0 with Adafactor, which has a limit of its own.",
        },
    }

    /// Saves a running average of the weights instead of those of the last step. Closer to 1 averages over more steps;
    /// 0 is off.
    ema_decay: f64 {
        default: 0.0,
        range: Range::number(0.0, 0.999_99),
        rule: |p| (p.ema_decay > 0.0 && p.optimizer.is_schedule_free()).then(|| format!(
            "must be 0 for the optimizer `{}`, which averages the weights itself", p.optimizer.word()
        )),
        beside: [optimizer],
        about: {
            group: Group::Optimizer,
            engines: NATIVE,
            since: 4,
            why: "A learning rate that falls to zero has the same effect.",
            when: "0.99 to 0.999 with a constant learning rate.",
        },
    }

    /// Takes less memory and more time, with the same numbers: values are computed again instead of kept. The native
    /// engine switches it on when the memory is too small without; the kohya engine always uses it.
    gradient_checkpointing: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Memory,
            since: 4,
            effect: Effect::None,
            why: "It takes about a third more time, and is switched on when it is needed.",
            when: "On if other programs will need memory of this machine while it trains.",
        },
    }

    /// Keeps the frozen U-Net in eight bits (fp8) from the start. Without it, the kohya engine does so when the memory of
    /// the GPU is full.
    eight_bit_base: bool {
        default: false,
        range: Range::Switch,
        about: {
            group: Group::Memory,
            engines: KOHYA,
            since: 5,
            kohya: Some("fp8_base_unet"),
            metadata: &["ss_fp8_base_unet"],
            why: "Eight bits round the weights that the LoRA is learned beside.",
            when: "If the GPU has too little memory without, so that no time is lost with a try that fails. It needs mixed precision.",
        },
    }
    } };
}

pub(in super::super) use optimizer;
