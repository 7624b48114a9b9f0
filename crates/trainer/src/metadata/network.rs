//! What is said of the network, as sd-scripts says it.

use protocol::{parameters::LoraKind, recipe::Parameters};
use serde_json::{Map, Value as Json};

use super::python::float;

/// The module of sd-scripts that makes such a file.
pub(super) fn module(p: &Parameters) -> &'static str {
    match p.kind {
        // The file of a T-LoRA is a plain one.
        LoraKind::Lora | LoraKind::TLora => "networks.lora",
        LoraKind::Dora | LoraKind::Loha | LoraKind::Lokr => "lycoris.kohya",
    }
}

/// The arguments of that module, which sd-scripts keeps as it got them: texts.
pub(super) fn args(p: &Parameters) -> Option<Json> {
    let mut args = Map::new();
    if p.conv_rank > 0 {
        args.insert("conv_dim".into(), p.conv_rank.to_string().into());
        args.insert("conv_alpha".into(), float(p.conv_alpha).into());
    }
    if p.lora_plus_ratio != 1.0 {
        args.insert("loraplus_lr_ratio".into(), float(p.lora_plus_ratio).into());
    }
    match p.kind {
        LoraKind::Lora | LoraKind::TLora => {}
        LoraKind::Dora => {
            args.insert("algo".into(), "lora".into());
            args.insert("dora_wd".into(), "True".into());
        }
        LoraKind::Loha => {
            args.insert("algo".into(), "loha".into());
        }
        LoraKind::Lokr => {
            args.insert("algo".into(), "lokr".into());
            let factor = match p.lokr_factor {
                0 => "-1".to_owned(),
                factor => factor.to_string(),
            };
            args.insert("factor".into(), factor.into());
        }
    }
    if args.is_empty() {
        return None;
    }
    // sd-scripts adds it to what a person wrote.
    args.insert("dropout".into(), Json::Null);
    Some(Json::Object(args))
}

/// One rate where both encoders have the same, as sd-scripts has it, or a list of both.
pub(super) fn text_encoder_rates(p: &Parameters) -> String {
    match [p.text_encoder_1_learning_rate, p.text_encoder_2_learning_rate] {
        [0.0, 0.0] => "None".to_owned(),
        [first, second] if first == second => float(first),
        [first, second] => format!("[{}, {}]", float(first), float(second)),
    }
}
