//! The choices among words that hyperparameters offer.

use super::define::words;

words! {
    /// How the learning rate moves over the steps, after warm-up.
    pub enum LrSchedule {
        /// The same learning rate at every step.
        Constant = "constant",
        /// Straight down to zero.
        Linear = "linear",
        /// Half a cosine from the learning rate down to zero.
        #[default]
        Cosine = "cosine",
        /// The same several times over; each time it starts at the learning rate again.
        CosineWithRestarts = "cosine_with_restarts",
        /// A power of the share of the steps that are left.
        Polynomial = "polynomial",
        /// Falls with the square root of the steps that are done.
        InverseSqrt = "inverse_sqrt",
        /// Slow at first and fast at the end: REX (Chen et al. 2021, arXiv 2107.04197).
        Rex = "rex",
    }
}

words! {
    /// How the weights move against their gradients.
    pub enum Optimizer {
        /// Adam with decoupled weight decay.
        #[default]
        Adamw = "adamw",
        /// The same with its state in 8 bits.
        Adamw8bit = "adamw_8bit",
        /// Adam with a state of rows and columns, which takes less memory.
        Adafactor = "adafactor",
        /// The sign of a running mean.
        Lion = "lion",
        /// AdamW that finds its own learning rate.
        Prodigy = "prodigy",
        /// Prodigy without a schedule.
        ProdigyScheduleFree = "prodigy_schedule_free",
        /// Adam that finds its own learning rate, by the older method.
        DAdaptation = "d_adaptation",
        /// AdamW without a schedule.
        AdamwScheduleFree = "adamw_schedule_free",
        /// Adafactor that trusts its steps the less, the more they differ.
        Came = "came",
    }
}

words! {
    /// What a difference between the prediction and its target costs.
    pub enum LossKind {
        /// Its square.
        #[default]
        L2 = "l2",
        /// Its size.
        L1 = "l1",
        /// A square near zero and a straight line beyond, so that single large differences count less.
        Huber = "huber",
        /// The same, divided by the width of the square.
        SmoothL1 = "smooth_l1",
    }
}

words! {
    /// How the width of the square part of a Huber loss depends on the timestep.
    pub enum HuberSchedule {
        /// Not at all.
        Constant = "constant",
        /// It falls exponentially towards noise.
        Exponential = "exponential",
        /// It follows the signal-to-noise ratio.
        #[default]
        Snr = "snr",
    }
}

words! {
    /// A kind of LoRA.
    pub enum LoraKind {
        /// Two low-rank matrices beside each adapted weight.
        #[default]
        Lora = "lora",
        /// The same, with a learned length of every row.
        Dora = "dora",
        /// An elementwise product of two low-rank products.
        Loha = "loha",
        /// A Kronecker product.
        Lokr = "lokr",
        /// A LoRA whose rank shrinks towards noise.
        TLora = "t_lora",
    }
}

words! {
    /// How pictures are scaled.
    pub enum Interpolation {
        /// By area where a picture shrinks, and Lanczos where it grows.
        #[default]
        Auto = "auto",
        /// A windowed sinc, as wide as three pixels.
        Lanczos = "lanczos",
        /// Cubic curves through four pixels.
        Bicubic = "bicubic",
        /// Straight lines between two pixels.
        Bilinear = "bilinear",
        /// The mean over the area that a pixel covers; straight lines where a picture grows.
        Area = "area",
        /// The nearest pixel.
        Nearest = "nearest",
    }
}

words! {
    /// How often each timestep is trained.
    pub enum TimestepDistribution {
        /// All the same.
        #[default]
        Uniform = "uniform",
        /// The middle more often: a normal distribution through a sigmoid.
        LogitNormal = "logit_normal",
        /// The ends more often, or the middle: the mode sampling of Stable Diffusion 3.
        Mode = "mode",
        /// The middle a little more often: the cosine map of Stable Diffusion 3.
        CosineMap = "cosine_map",
    }
}

impl LrSchedule {
    /// Its name in sd-scripts, whose `constant` takes no warm-up; REX is unknown there.
    pub fn kohya(self, n_warmup_steps: u32) -> &'static str {
        match self {
            Self::Constant if n_warmup_steps > 0 => "constant_with_warmup",
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::CosineWithRestarts => "cosine_with_restarts",
            Self::Polynomial => "polynomial",
            Self::InverseSqrt => "inverse_sqrt",
            Self::Rex => "rex",
        }
    }
}

impl Optimizer {
    /// Whether it finds its own learning rate; what a recipe says is a factor, usually 1.
    pub fn is_adaptive(self) -> bool {
        matches!(
            self,
            Self::Prodigy | Self::ProdigyScheduleFree | Self::DAdaptation
        )
    }

    /// Whether it averages the weights instead of lowering the learning rate.
    pub fn is_schedule_free(self) -> bool {
        matches!(self, Self::ProdigyScheduleFree | Self::AdamwScheduleFree)
    }
}
