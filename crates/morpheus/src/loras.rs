//! What LoRA files from any program hold, for the server, which has no tensors.

use std::path::Path;

use diffusion::lora::Lora;
use protocol::{lora::LoraSummary, preset::BaseClass, problem::chain};

/// Width of the captions' encodings in every SDXL (`cross_attention_dim` of its `config.json`); those of the tiny ones
/// are narrower.
const SDXL_CONTEXT: usize = 2048;

/// Reads what a LoRA holds, and what of it base models of a class use.
pub(crate) fn read(path: &Path, class: BaseClass) -> Result<LoraSummary, String> {
    let lora = Lora::open(path).map_err(|err| without_path(&chain(&err), path))?;
    if lora.modules().is_empty() {
        return Err(
            "is a text embedding by itself, which the library does not keep: use it with `morpheus generate --lora FILE`"
                .to_owned(),
        );
    }
    check_class(&lora, class)?;
    Ok(lora.summary())
}

/// Refuses a LoRA for base models of another size, told by the width of what it reads of the caption.
fn check_class(lora: &Lora, class: BaseClass) -> Result<(), String> {
    let reads_captions = |name: &str| {
        name.starts_with("lora_unet_") && (name.ends_with("attn2_to_k") || name.ends_with("attn2_to_v"))
    };
    let found = lora.modules().iter().find_map(|(name, module)| {
        let (_, width) = module.change.as_ref()?.size();
        // An IA3 of the outputs and an OFT do not say how many inputs there are.
        (reads_captions(name) && width > 0).then_some((name, width))
    });
    let Some((name, width)) = found else { return Ok(()) };
    match (class, width == SDXL_CONTEXT) {
        (BaseClass::Sdxl, true) | (BaseClass::Tiny, false) => Ok(()),
        (BaseClass::Sdxl, false) => Err(format!(
            "is a LoRA for another model: its module `{name}` has {width} inputs, SDXL's has {SDXL_CONTEXT}"
        )),
        (BaseClass::Tiny, true) => Err("is a LoRA for a full SDXL: choose such a base model".to_owned()),
    }
}

/// What is wrong with a file that a user sent, without where it lies for the moment.
fn without_path(problem: &str, path: &Path) -> String {
    problem.replace(&format!("`{}` ", path.display()), "")
}
