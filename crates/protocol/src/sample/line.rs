//! Lines of sd-scripts' prompt files: a prompt, and behind it ` --w 832 --h 1216 --d 7 --l 5 --s 20 --n blurry`.

use super::SamplePrompt;
use crate::{generation::Sampler, seed};

/// A line that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptLine {
    /// The picture.
    pub sample: SamplePrompt,
    /// Options that have no counterpart here, as they were written.
    pub left_out: Vec<String>,
}

impl PromptLine {
    /// Reads a line; nothing for a blank one and for a comment.
    ///
    /// The rules are those of sd-scripts' `line_to_prompt_dict` (`library/train_util.py`): options begin at ` --`, their
    /// letters may be capital, and sides are rounded down to multiples of 8.
    ///
    /// # Errors
    /// With the option whose value cannot be read.
    pub fn read(line: &str) -> Result<Option<Self>, String> {
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(None);
        }
        let mut parts = line.trim().split(" --");
        let prompt = parts.next().unwrap_or_default().trim();
        let mut read = Self {
            sample: prompt.into(),
            left_out: Vec::new(),
        };
        for option in parts {
            let (name, value) = option.trim().split_once(' ').unwrap_or((option.trim(), ""));
            read.take(&name.to_lowercase(), value.trim(), option.trim())?;
        }
        Ok(Some(read))
    }

    fn take(&mut self, name: &str, value: &str, written: &str) -> Result<(), String> {
        let sample = &mut self.sample;
        match name {
            "n" => sample.negative_prompt = Some(value.to_owned()),
            "w" => sample.width = Some(side(value, written)?),
            "h" => sample.height = Some(side(value, written)?),
            "d" => {
                let seed = seed::parse(value).map_err(|err| format!("`--{written}`: {err}"))?;
                sample.seed = seed;
            }
            "s" => sample.n_steps = Some(number(value, written)?),
            "l" => sample.guidance = Some(number(value, written)?),
            "ss" => match sampler(value) {
                Some(sampler) => sample.sampler = Some(sampler),
                None => self.left_out.push(format!("--{written}")),
            },
            _ => self.left_out.push(format!("--{written}")),
        }
        Ok(())
    }
}

fn number<T: std::str::FromStr>(value: &str, written: &str) -> Result<T, String> {
    value
        .parse()
        .map_err(|_| format!("`--{written}` is not a number"))
}

fn side(value: &str, written: &str) -> Result<u32, String> {
    let side: u32 = number(value, written)?;
    Ok(side / 8 * 8)
}

fn sampler(name: &str) -> Option<Sampler> {
    match name {
        "euler" | "k_euler" => Some(Sampler::Euler),
        "euler_a" | "k_euler_a" => Some(Sampler::EulerA),
        "ddim" => Some(Sampler::Ddim),
        "dpmsolver++" | "dpmsolver" => Some(Sampler::Dpmpp2m),
        _ => None,
    }
}
