//! Names of LoRA modules in every program's files: one dictionary of all modules of SDXL, looked up in each spelling.
//!
//! | | module |
//! |---|---|
//! | kohya | `lora_unet_input_blocks_4_1_proj_in` |
//! | kohya, from diffusers | `lora_unet_down_blocks_1_attentions_0_proj_in` |
//! | LyCORIS | `lycoris_down_blocks_1_attentions_0_proj_in` |
//! | diffusers | `unet.down_blocks.1.attentions.0.proj_in` |
//! | PEFT | `base_model.model.down_blocks.1.attentions.0.proj_in` |
//! | ComfyUI | `diffusion_model.input_blocks.4.1.proj_in` |
//! | diffusers until 2023 | `unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.processor.to_q` |
//!
//! Dots and underscores mean the same, prefixes come off one by one, and what is left is either in the dictionary or not
//! a module of SDXL. In memory a module always has kohya's name, the first in the table.

use std::{collections::HashMap, sync::LazyLock};

use crate::weights::names::unet_to_diffusers;

/// Residual blocks of a down block in every SDXL model.
const N_LAYERS: usize = 2;
/// More places on each side of the U-Net than any SDXL model has.
const N_PLACES: usize = 12;
/// More transformer blocks at one place than any SDXL model has: 10 in SDXL itself.
const MAX_DEPTH: usize = 12;
/// More layers than either text encoder has: 12 and 32.
const MAX_TEXT_LAYERS: usize = 33;

/// A part of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Unet,
    First,
    Second,
}

impl Part {
    fn kohya(self) -> &'static str {
        match self {
            Self::Unet => "lora_unet_",
            Self::First => "lora_te1_",
            Self::Second => "lora_te2_",
        }
    }

    fn diffusers(self) -> &'static str {
        match self {
            Self::Unet => "unet.",
            Self::First => "text_encoder.",
            Self::Second => "text_encoder_2.",
        }
    }
}

/// What comes before a module's path, with underscores for dots, and the part that it says. Longer ones first where one
/// begins with another.
const PREFIXES: [(&str, Option<Part>); 38] = [
    ("lora_unet_", Some(Part::Unet)),
    ("lycoris_unet_", Some(Part::Unet)),
    ("model_diffusion_model_", Some(Part::Unet)),
    ("diffusion_model_", Some(Part::Unet)),
    ("unet_", Some(Part::Unet)),
    ("lora_te1_", Some(Part::First)),
    ("lora_te_1_", Some(Part::First)),
    ("lora_text_encoder_1_", Some(Part::First)),
    ("lycoris_te1_", Some(Part::First)),
    ("lora_te2_", Some(Part::Second)),
    ("lora_te_2_", Some(Part::Second)),
    ("lora_text_encoder_2_", Some(Part::Second)),
    ("lycoris_te2_", Some(Part::Second)),
    ("text_encoder_2_", Some(Part::Second)),
    ("text_encoder_1_", Some(Part::First)),
    ("text_encoder_", Some(Part::First)),
    ("te1_", Some(Part::First)),
    ("te_1_", Some(Part::First)),
    ("te2_", Some(Part::Second)),
    ("te_2_", Some(Part::Second)),
    ("text_encoders_clip_l_", Some(Part::First)),
    ("text_encoders_clip_g_", Some(Part::Second)),
    ("lora_clip_l_", Some(Part::First)),
    ("lora_clip_g_", Some(Part::Second)),
    ("clip_l_", Some(Part::First)),
    ("clip_g_", Some(Part::Second)),
    ("conditioner_embedders_0_", Some(Part::First)),
    ("conditioner_embedders_1_", Some(Part::Second)),
    ("base_model_model_", None),
    ("base_model_", None),
    ("_orig_mod_", None),
    ("lycoris_", None),
    ("lora_", None),
    ("transformer_", None),
    ("module_", None),
    ("model_", None),
    ("pipe_", None),
    ("text_model_", None),
];

/// One module of SDXL.
struct Module {
    /// Kohya's name without the part's prefix.
    kohya: String,
    /// diffusers' (and PEFT's) path without the part's prefix.
    diffusers: String,
}

/// All modules of a kind of part, and every spelling of each with underscores.
#[derive(Default)]
struct Dictionary {
    modules: Vec<Module>,
    by_spelling: HashMap<String, usize>,
}

impl Dictionary {
    fn add(&mut self, kohya: &str, diffusers: &str, others: &[String]) {
        let index = self.modules.len();
        let spellings = [kohya, diffusers]
            .into_iter()
            .chain(others.iter().map(String::as_str));
        for spelling in spellings {
            self.by_spelling
                .entry(spelling.replace('.', "_"))
                .or_insert(index);
        }
        self.modules.push(Module {
            kohya: kohya.replace('.', "_"),
            diffusers: diffusers.to_owned(),
        });
    }

    fn get(&self, spelling: &str) -> Option<&Module> {
        self.modules.get(*self.by_spelling.get(spelling)?)
    }
}

static UNET: LazyLock<Dictionary> = LazyLock::new(|| {
    let mut dictionary = Dictionary::default();
    let mut add = |path: String| {
        if let Some(theirs) = unet_to_diffusers(&path, N_LAYERS) {
            dictionary.add(&path, &theirs, &[]);
        }
    };
    for end in [
        "input_blocks.0.0",
        "time_embed.0",
        "time_embed.2",
        "label_emb.0.0",
        "label_emb.0.2",
        "out.0",
        "out.2",
    ] {
        add(end.to_owned());
    }
    let sides = ["input_blocks", "output_blocks"];
    let places = sides
        .iter()
        .flat_map(|side| (0..N_PLACES).map(move |i| format!("{side}.{i}")));
    for place in places {
        for module in RES_BLOCK {
            add(format!("{place}.0.{module}"));
        }
        transformer(&format!("{place}.1"), &mut add);
        add(format!("{place}.0.op"));
    }
    // The last place of a block doubles the picture.
    for i in (N_LAYERS..N_PLACES).step_by(N_LAYERS + 1) {
        add(format!("output_blocks.{i}.2.conv"));
    }
    for module in RES_BLOCK {
        add(format!("middle_block.0.{module}"));
        add(format!("middle_block.2.{module}"));
    }
    transformer("middle_block.1", &mut add);
    dictionary
});

const RES_BLOCK: [&str; 6] = [
    "in_layers.0",
    "in_layers.2",
    "emb_layers.1",
    "out_layers.0",
    "out_layers.3",
    "skip_connection",
];

const TRANSFORMER_BLOCK: [&str; 13] = [
    "attn1.to_q",
    "attn1.to_k",
    "attn1.to_v",
    "attn1.to_out.0",
    "attn2.to_q",
    "attn2.to_k",
    "attn2.to_v",
    "attn2.to_out.0",
    "ff.net.0.proj",
    "ff.net.2",
    "norm1",
    "norm2",
    "norm3",
];

fn transformer(place: &str, add: &mut impl FnMut(String)) {
    for module in ["norm", "proj_in", "proj_out"] {
        add(format!("{place}.{module}"));
    }
    for depth in 0..MAX_DEPTH {
        for module in TRANSFORMER_BLOCK {
            add(format!("{place}.transformer_blocks.{depth}.{module}"));
        }
    }
}

/// transformers' name and open_clip's.
const TEXT_LAYER: [(&str, Option<&str>); 8] = [
    ("self_attn.q_proj", None),
    ("self_attn.k_proj", None),
    ("self_attn.v_proj", None),
    ("self_attn.out_proj", Some("attn.out_proj")),
    ("mlp.fc1", Some("mlp.c_fc")),
    ("mlp.fc2", Some("mlp.c_proj")),
    ("layer_norm1", Some("ln_1")),
    ("layer_norm2", Some("ln_2")),
];

/// Names are without `text_model.`, which a prefix takes off: transformers has dropped it in version 5.
static TEXT: LazyLock<Dictionary> = LazyLock::new(|| {
    let mut dictionary = Dictionary::default();
    for layer in 0..MAX_TEXT_LAYERS {
        for (module, open_clip) in TEXT_LAYER {
            let path = format!("text_model.encoder.layers.{layer}.{module}");
            let mut others = vec![format!("encoder.layers.{layer}.{module}")];
            others.extend(open_clip.map(|module| format!("resblocks.{layer}.{module}")));
            dictionary.add(&path, &path, &others);
        }
    }
    let ends = [
        (
            "text_model.final_layer_norm",
            vec!["final_layer_norm", "ln_final"],
        ),
        (
            "text_model.embeddings.token_embedding",
            vec!["embeddings.token_embedding", "token_embedding"],
        ),
        (
            "text_model.embeddings.position_embedding",
            vec!["embeddings.position_embedding", "positional_embedding"],
        ),
        ("text_projection", vec![]),
    ];
    for (path, others) in ends {
        let others: Vec<String> = others.into_iter().map(str::to_owned).collect();
        dictionary.add(path, path, &others);
    }
    dictionary
});

/// What a module of a file is in SDXL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// One module, by kohya's name.
    One(String),
    /// open_clip's `attn.in_proj`: query, key and value in one.
    Thirds([String; 3]),
}

/// Finds a module that is named in any spelling. None if SDXL has no such module, or if it does not say which text
/// encoder it belongs to.
pub fn find(module: &str) -> Option<Found> {
    // Longer names only come from hostile files.
    if module.len() > 300 {
        return None;
    }
    let spelled = module.replace(['.', '/'], "_");
    let mut rest = spelled.as_str();
    let mut part = None;
    loop {
        if let Some(found) = look_up(part, rest) {
            return Some(found);
        }
        let (prefix, says) = PREFIXES
            .into_iter()
            .find(|(prefix, _)| rest.starts_with(prefix))?;
        rest = &rest[prefix.len()..];
        match (part, says) {
            // Two parts in one name are no module.
            (Some(part), Some(says)) if part != says => return None,
            (None, Some(says)) => part = Some(says),
            _ => {}
        }
    }
}

fn look_up(part: Option<Part>, rest: &str) -> Option<Found> {
    match part {
        // A bare path is the U-Net's; that of a text encoder does not say which one.
        None | Some(Part::Unet) => {
            let module = UNET.get(rest).or_else(|| UNET.get(&without_processor(rest)))?;
            Some(Found::One(format!("{}{}", Part::Unet.kohya(), module.kohya)))
        }
        Some(part) => {
            if let Some(layer) = rest
                .strip_prefix("resblocks_")
                .and_then(|rest| rest.strip_suffix("_attn_in_proj"))
            {
                let key = |module: &str| {
                    let module = TEXT.get(&format!("encoder_layers_{layer}_self_attn_{module}_proj"))?;
                    Some(format!("{}{}", part.kohya(), module.kohya))
                };
                return Some(Found::Thirds([key("q")?, key("k")?, key("v")?]));
            }
            let module = TEXT.get(rest).or_else(|| TEXT.get(&without_processor(rest)))?;
            Some(Found::One(format!("{}{}", part.kohya(), module.kohya)))
        }
    }
}

/// diffusers named attention processors rather than layers until 2023, and the text encoder's layers like the U-Net's.
fn without_processor(rest: &str) -> String {
    let rest = rest.replace("_processor_", "_");
    let old = [
        ("self_attn_to_q", "self_attn_q_proj"),
        ("self_attn_to_k", "self_attn_k_proj"),
        ("self_attn_to_v", "self_attn_v_proj"),
        ("self_attn_to_out", "self_attn_out_proj"),
        ("attn1_to_out", "attn1_to_out_0"),
        ("attn2_to_out", "attn2_to_out_0"),
    ];
    match old
        .iter()
        .find_map(|(old, new)| Some((rest.strip_suffix(old)?, new)))
    {
        Some((place, new)) => format!("{place}{new}"),
        None => rest,
    }
}

/// The diffusers (and PEFT) name of a module with kohya's name:
/// `lora_te1_text_model_encoder_layers_0_mlp_fc1` is `text_encoder.text_model.encoder.layers.0.mlp.fc1`.
pub fn kohya_to_diffusers(module: &str) -> Option<String> {
    let part = [Part::Unet, Part::First, Part::Second]
        .into_iter()
        .find(|part| module.starts_with(part.kohya()))?;
    let dictionary = match part {
        Part::Unet => &*UNET,
        _ => &*TEXT,
    };
    let rest = &module[part.kohya().len()..];
    let found = dictionary.get(rest).filter(|found| found.kohya == rest)?;
    Some(format!("{}{}", part.diffusers(), found.diffusers))
}

/// Whether Morpheus trains the module: the linear layers of transformers and text encoders.
pub fn is_trained(module: &str) -> bool {
    let leaf = |end: &&str| module.ends_with(&end.replace('.', "_"));
    let text = module.starts_with("lora_te") && TEXT_LAYER[..6].iter().any(|(end, _)| leaf(end));
    text || module.ends_with("_1_proj_in")
        || module.ends_with("_1_proj_out")
        || TRANSFORMER_BLOCK[..10]
            .iter()
            .any(|end| module.contains("_transformer_blocks_") && leaf(end))
}
