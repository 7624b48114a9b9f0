//! Records of how pictures were made, and pictures that carry them.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use diffusion::{
    base::{BaseHashes, BaseInfo, BaseModel},
    device::Device,
    pipeline::PictureRequest,
    schedulers,
};
use image::RgbImage;
use prompt::Reading;
use protocol::{
    generation::Sampler,
    made::{self, Made, MadeBase, MadeLora, a1111, comfyui},
    text,
};
use sha2::{Digest as _, Sha256};

/// The program, as records name it.
pub const PROGRAM: &str = concat!("Morpheus ", env!("CARGO_PKG_VERSION"));

/// Between the program and an engine that is not its own.
const WITH: &str = " with ";

/// The program, as records of pictures name it that another engine has computed for it.
pub fn program_with(engine: &str) -> String {
    format!("{PROGRAM}{WITH}{engine}")
}

/// Whether another engine than our own has computed a picture.
pub fn is_of_another_engine(made: &Made) -> bool {
    made.program.starts_with("Morpheus ") && made.program.contains(WITH)
}

/// Characters of a base model's or a LoRA's name.
const MAX_NAME_CHARS: usize = 200;

/// Hashes of a LoRA file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoraHashes {
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of what follows the header, in hexadecimal: A1111's hash (AutoV3).
    pub data_sha256: String,
}

impl LoraHashes {
    /// Reads a whole safetensors file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix)?;
        let mut whole = Sha256::new();
        whole.update(prefix);
        let mut header_left = u64::from_le_bytes(prefix);
        let mut data = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n_bytes = file.read(&mut buffer)?;
            if n_bytes == 0 {
                break;
            }
            let read = &buffer[..n_bytes];
            whole.update(read);
            let n_header = header_left.min(n_bytes as u64);
            header_left -= n_header;
            data.update(&read[n_header as usize..]);
        }
        Ok(Self {
            sha256: hex::encode(whole.finalize()),
            data_sha256: hex::encode(data.finalize()),
        })
    }
}

/// The base model of a record, by the name of its file. Reads all of its weights.
pub fn base<D: Device>(base: &BaseModel<D>) -> MadeBase {
    base_of(&base.info, base.hashes())
}

/// The same of a base model that need not be loaded.
pub fn base_of(info: &BaseInfo, hashes: BaseHashes) -> MadeBase {
    MadeBase {
        name: plain_name(&info.name),
        fingerprint: hashes.fingerprint,
        sha256: hashes.file_sha256,
        prediction: Some(info.predicts.prediction),
    }
}

/// A name on one line; never empty.
pub fn plain_name(name: &str) -> String {
    match text::shown(name, MAX_NAME_CHARS) {
        name if name.is_empty() => "unnamed".to_owned(),
        name => name,
    }
}

/// The record of a picture that starts from its seed's noise.
pub fn record(base: MadeBase, request: &PictureRequest, loras: Vec<MadeLora>) -> Made {
    Made {
        version: made::VERSION,
        program: PROGRAM.to_owned(),
        base,
        prompt: request.prompt.clone(),
        negative_prompt: request.negative.clone(),
        literal: request.reading == Reading::Literal,
        max_tokens: request.length.n_tokens() as u32,
        loras,
        seed: request.seed,
        n_steps: request.n_steps.get() as u32,
        guidance: request.guidance,
        width: request.size.width(),
        height: request.size.height(),
        sampler: sampler_in_protocol(request.sampler),
        initial_noise: None,
    }
}

/// A picture as a PNG file that carries its record, for us, A1111 and ComfyUI.
pub fn png(picture: &RgbImage, made: &Made) -> Vec<u8> {
    let mut png = dataset::picture::encode_png(picture);
    add_to(&mut png, made);
    png
}

/// Has a PNG file carry a record, for us, A1111 and ComfyUI.
pub fn add_to(png: &mut Vec<u8>, made: &Made) {
    let texts = [
        (a1111::KEYWORD, a1111::write(made)),
        (comfyui::PROMPT, comfyui::prompt(made)),
        (comfyui::WORKFLOW, comfyui::workflow(made)),
        (made::KEYWORD, made.to_json()),
    ];
    dataset::picture::add_texts(png, &texts);
}

/// The sampler that computes what a request names.
pub fn sampler(named: Sampler) -> schedulers::Sampler {
    match named {
        Sampler::Euler => schedulers::Sampler::Euler,
        Sampler::EulerA => schedulers::Sampler::EulerA,
        Sampler::Ddim => schedulers::Sampler::Ddim,
        Sampler::Dpmpp2m => schedulers::Sampler::Dpmpp2m,
    }
}

/// The other way round.
fn sampler_in_protocol(sampler: schedulers::Sampler) -> Sampler {
    match sampler {
        schedulers::Sampler::Euler => Sampler::Euler,
        schedulers::Sampler::EulerA => Sampler::EulerA,
        schedulers::Sampler::Ddim => Sampler::Ddim,
        schedulers::Sampler::Dpmpp2m => Sampler::Dpmpp2m,
    }
}

#[cfg(test)]
mod tests;
