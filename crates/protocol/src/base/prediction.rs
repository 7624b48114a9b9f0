//! What the U-Net of a base model predicts: as words, and as it was measured.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{parameters::Parameters, recipe::Engine};

/// What the U-Net of a base model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Prediction {
    /// The noise that was added.
    Epsilon,
    /// Velocity, on the usual noise schedule.
    V,
    /// Velocity, on a noise schedule that ends in pure noise (zero terminal SNR).
    VZeroSnr,
    /// Velocity along a straight line: rectified flow.
    Flow,
}

impl Prediction {
    /// Every prediction.
    pub const ALL: [Self; 4] = [Self::Epsilon, Self::V, Self::VZeroSnr, Self::Flow];

    /// The word for it in options and files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::V => "v",
            Self::VZeroSnr => "v-zero-snr",
            Self::Flow => "flow",
        }
    }

    /// Whether a model that was measured to predict this may be what is said to predict `taken`: how the noise of a
    /// model of velocity ends is not always clear.
    pub fn agrees(self, taken: Self) -> bool {
        self == taken || (self, taken) == (Self::V, Self::VZeroSnr)
    }

    /// Why a base that predicts this cannot be trained so: fields of the recipe, with what is wrong about each.
    pub fn misfits(self, engine: Engine, p: &Parameters) -> Vec<Misfit> {
        let mut misfits = Vec::new();
        if (self, engine) == (Self::Flow, Engine::Kohya) {
            misfits.push(Misfit {
                field: "base_model",
                reason: "predicts rectified flow: sd-scripts' SDXL script trains on noise or v-prediction only, which would \
                         destroy what the base has learned; choose a base that predicts one of them, or the native engine",
            });
        }
        match self {
            Self::Epsilon if p.scale_v_loss => misfits.push(Misfit {
                field: "parameters.scale_v_loss",
                reason: "is for base models that predict v, and this one predicts noise: switch it off",
            }),
            Self::V | Self::VZeroSnr if p.v_like_loss > 0.0 => misfits.push(Misfit {
                field: "parameters.v_like_loss",
                reason: "is for base models that predict noise, and this one predicts v: set it to 0",
            }),
            _ => {}
        }
        misfits
    }

    /// Its name in messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Epsilon => "epsilon",
            Self::V => "v-prediction",
            Self::VZeroSnr => "v-prediction with zero terminal SNR",
            Self::Flow => "rectified flow",
        }
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that no prediction has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown prediction `{0}`, expected epsilon, v, v-zero-snr or flow")]
pub struct UnknownPrediction(String);

impl FromStr for Prediction {
    type Err = UnknownPrediction;

    fn from_str(word: &str) -> Result<Self, UnknownPrediction> {
        Self::ALL
            .into_iter()
            .find(|prediction| prediction.word() == word)
            .ok_or_else(|| UnknownPrediction(word.to_owned()))
    }
}

/// A field of a recipe that contradicts what the base predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit {
    /// The field.
    pub field: &'static str,
    /// What is wrong, and what would be right; the field is the subject.
    pub reason: &'static str,
}

/// The loss of the same picture and noise, had the U-Net been trained to predict this.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReadingLoss {
    /// What it would predict.
    pub prediction: Prediction,
    /// Mean squared error over the mean square of what it should answer: 0 is perfect, 1 is as good as answering nothing.
    pub loss: f64,
}

/// What the U-Net of a base model does, measured once on the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// Version of the method; what an older one measured is measured again.
    pub method: u32,
    /// The loss under each reading.
    pub losses: Vec<ReadingLoss>,
    /// What it predicts, if that is clear. `v` where it predicts velocity and how its noise ends is not clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is: Option<Prediction>,
}

impl Measured {
    /// The present method.
    pub const METHOD: u32 = 3;

    /// A sentence, if the U-Net clearly does something else than it is `taken` to do, as `said_by` says (none if nothing
    /// does, and epsilon is assumed). A person decides: what is said counts.
    pub fn contradiction(&self, taken: Prediction, said_by: Option<&str>) -> Option<String> {
        let is = self.is.filter(|is| !is.agrees(taken))?;
        let taken = taken.describe();
        let statement = match said_by {
            Some(by) => format!("{by} says {taken}"),
            None => "nothing says what the U-Net predicts".to_owned(),
        };
        Some(format!(
            "{statement}, but it behaves like {}; it is taken as {taken}",
            is.describe()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::{Engine, Measured, Parameters, Prediction};
    use crate::{
        preset::BaseClass,
        recipe::{Recipe, RecipeRequest},
    };

    fn measured(is: Option<Prediction>) -> Measured {
        Measured {
            method: Measured::METHOD,
            losses: Vec::new(),
            is,
        }
    }

    #[test]
    fn what_contradicts_a_base_is_named_by_its_field() {
        let fields = |prediction: Prediction, engine, parameters: &Parameters| {
            let misfits = prediction.misfits(engine, parameters).into_iter();
            misfits.map(|misfit| misfit.field).collect::<Vec<_>>()
        };
        let request = RecipeRequest {
            base_model: "sdxl".to_owned(),
            name: "zora".to_owned(),
            ..RecipeRequest::default()
        };
        let recipe = Recipe::resolve(request, BaseClass::Sdxl).unwrap();
        let plain = recipe.parameters().clone();
        for prediction in Prediction::ALL {
            assert_eq!(
                fields(prediction, Engine::Native, &plain),
                [""; 0],
                "{prediction}"
            );
        }
        assert_eq!(fields(Prediction::Flow, Engine::Kohya, &plain), ["base_model"]);
        let scaled = Parameters {
            scale_v_loss: true,
            ..plain.clone()
        };
        let like_v = Parameters {
            v_like_loss: 0.5,
            ..plain.clone()
        };
        let (scale, like) = (["parameters.scale_v_loss"], ["parameters.v_like_loss"]);
        assert_eq!(fields(Prediction::Epsilon, Engine::Kohya, &scaled), scale);
        assert_eq!(fields(Prediction::VZeroSnr, Engine::Kohya, &scaled), [""; 0]);
        assert_eq!(fields(Prediction::V, Engine::Kohya, &like_v), like);
        assert_eq!(fields(Prediction::Epsilon, Engine::Kohya, &like_v), [""; 0]);
    }

    #[test]
    fn only_what_is_clear_contradicts() {
        use Prediction::{Epsilon, Flow, V, VZeroSnr};
        for (is, taken, contradicts) in [
            (Some(Epsilon), Epsilon, false),
            (Some(Epsilon), V, true),
            (Some(Epsilon), Flow, true),
            (Some(V), Epsilon, true),
            (Some(V), V, false),
            (Some(V), VZeroSnr, false),
            (Some(VZeroSnr), VZeroSnr, false),
            (Some(VZeroSnr), V, true),
            (Some(Flow), V, true),
            (Some(Flow), Flow, false),
            (None, V, false),
        ] {
            let said = measured(is).contradiction(taken, Some("its header"));
            assert_eq!(said.is_some(), contradicts, "{is:?} taken as {taken:?}: {said:?}");
        }
        assert_eq!(
            measured(Some(V)).contradiction(Epsilon, None).as_deref(),
            Some(
                "nothing says what the U-Net predicts, but it behaves like v-prediction; it is taken as epsilon"
            )
        );
    }
}
