//! Prompts: how they are read, and which LoRAs of the library their tags name.

use prompt::{BadTag, LoraTag, Prompt, Reading};
use protocol::{
    ModelId, OwnerId,
    generation::{CreateGeneration, LoraWeight},
    limits::{MAX_LORAS, MAX_PROMPT_CHUNKS},
    model::{ModelVersion, Stage},
    problem::{FieldError, InvalidFields},
    prompt::{CountPrompts, CountedPrompt, PromptCount, PromptCounts, PromptLora},
    sample::SamplePrompt,
};
use store::{Read, models};

use crate::{Orchestrator, ServiceResult};

/// Weights that a LoRA of a picture may have; those of [`LoraWeight::weight`].
const WEIGHTS: std::ops::RangeInclusive<f64> = -4.0..=4.0;

impl Orchestrator {
    /// How prompts are read. Changes nothing.
    pub async fn count_prompts(&self, owner: OwnerId, request: CountPrompts) -> ServiceResult<PromptCounts> {
        request.validate()?;
        let library = Library::read(&self.store, owner).await?;
        let mut prompts = Vec::with_capacity(request.prompts.len());
        for counted in &request.prompts {
            let base = request.base_model.as_deref();
            prompts.push(count(&self.store, &library, base, counted).await?);
        }
        Ok(PromptCounts { prompts })
    }
}

/// Reads the prompts of a picture: their LoRA tags leave them and join its `loras`.
///
/// Returns what is wrong with them, by field.
pub(super) async fn resolve(
    db: &impl Read,
    owner: OwnerId,
    request: &mut CreateGeneration,
) -> ServiceResult<Vec<FieldError>> {
    let reading = Reading::of(request.literal);
    let prompt = Prompt::read(&request.prompt, reading);
    let negative = Prompt::read(&request.negative_prompt, reading);
    let mut errors = Vec::new();
    for (field, read) in [("prompt", &prompt), ("negative_prompt", &negative)] {
        if let Some(error) = too_long(read) {
            errors.push(FieldError::new(field, error));
        }
    }
    if let Some(tag) = negative.first_tag() {
        errors.push(FieldError::new(
            "negative_prompt",
            format!(
                "`{tag}` names a LoRA, and a LoRA is applied to the whole picture: move it to the prompt"
            ),
        ));
    }
    let bad = prompt.bad_tags.iter().map(ToString::to_string);
    errors.extend(bad.map(|message| FieldError::new("prompt", message)));
    if prompt.loras.is_empty() {
        return Ok(errors);
    }
    if prompt.loras.len() > MAX_LORAS {
        let n = prompt.loras.len();
        errors.push(FieldError::new(
            "prompt",
            format!("must name at most {MAX_LORAS} LoRAs, not {n}"),
        ));
        return Ok(errors);
    }
    let library = Library::read(db, owner).await?;
    for tag in &prompt.loras {
        match library.find(db, owner, Some(&request.base_model), tag).await? {
            Ok((version, weight)) => {
                let before = request
                    .loras
                    .iter_mut()
                    .find(|lora| lora.model_version_id == version.id);
                match before {
                    // Two weights of one LoRA add up.
                    Some(before) => before.weight += weight,
                    None => request.loras.push(LoraWeight {
                        model_version_id: version.id,
                        weight,
                        partial: false,
                    }),
                }
            }
            Err(bad) => errors.push(FieldError::new("prompt", bad.to_string())),
        }
    }
    if request.loras.len() > MAX_LORAS {
        let n = request.loras.len();
        errors.push(FieldError::new(
            "prompt",
            format!("its tags and `loras` must be at most {MAX_LORAS} LoRAs, not {n}"),
        ));
    }
    if let Some(lora) = request.loras.iter().find(|lora| !WEIGHTS.contains(&lora.weight)) {
        errors.push(FieldError::new(
            "prompt",
            format!(
                "the weights of a LoRA must add up to -4 to 4, not {}",
                lora.weight
            ),
        ));
    }
    if let Some(tag) = Prompt::read(&prompt.text, reading).first_tag() {
        errors.push(FieldError::new(
            "prompt",
            format!("`{tag}` appears when the other tags are taken out: write each tag by itself"),
        ));
    }
    request.prompt = prompt.text;
    Ok(errors)
}

/// Refuses preview prompts that cannot be drawn.
pub(super) fn check_prompts(samples: &[SamplePrompt]) -> ServiceResult<()> {
    let mut errors = Vec::new();
    for (index, sample) in samples.iter().enumerate() {
        let at = format!("sample_prompts[{index}]");
        let prompt = if sample.is_plain() {
            at.clone()
        } else {
            format!("{at}.prompt")
        };
        let texts = [
            (prompt, Some(&sample.prompt)),
            (format!("{at}.negative_prompt"), sample.negative_prompt.as_ref()),
        ];
        for (field, text) in texts {
            if let Some(message) = text.and_then(|text| undrawable(text)) {
                errors.push(FieldError::new(field, message));
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(InvalidFields(errors).into())
    }
}

fn undrawable(text: &str) -> Option<String> {
    let read = Prompt::read(text, Reading::Language);
    let tag = read.first_tag().map(|tag| {
        format!("`{tag}` names a LoRA, and previews show the LoRA that is trained alone: remove the tag")
    });
    tag.or_else(|| too_long(&read))
}

fn too_long(prompt: &Prompt) -> Option<String> {
    let n = prompt.chunks.len();
    (n > MAX_PROMPT_CHUNKS)
        .then(|| format!("has {n} chunks of at most 75 tokens; at most {MAX_PROMPT_CHUNKS} are possible"))
}

async fn count(
    db: &impl Read,
    library: &Library,
    base: Option<&str>,
    counted: &CountedPrompt,
) -> ServiceResult<PromptCount> {
    let text = &counted.prompt;
    let read = Prompt::read(text, Reading::of(counted.literal));
    let mut warnings: Vec<String> = too_long(&read).into_iter().collect();
    warnings.extend(read.bad_tags.iter().map(ToString::to_string));
    let mut loras = Vec::with_capacity(read.loras.len());
    if read.loras.len() > MAX_LORAS {
        let n = read.loras.len();
        warnings.push(format!("names {n} LoRAs; at most {MAX_LORAS} are possible"));
    }
    for tag in read.loras.iter().take(MAX_LORAS) {
        let mut lora = PromptLora {
            tag: tag.written.clone(),
            name: tag.name.clone(),
            weight: tag.unet,
            model_version_id: None,
            version: None,
        };
        if counted.takes_loras {
            match library.find(db, library.owner, base, tag).await? {
                Ok((version, weight)) => {
                    lora.name = version.name;
                    lora.weight = weight;
                    lora.model_version_id = Some(version.id);
                    lora.version = Some(version.version);
                }
                Err(bad) => warnings.push(bad.to_string()),
            }
        } else {
            warnings.push(format!(
                "`{}` names a LoRA, which cannot be applied here",
                tag.written
            ));
        }
        loras.push(lora);
    }
    warnings.extend(read.warnings.iter().map(ToString::to_string));
    if let Some(max_tokens) = counted.max_tokens
        && let Some(cut) = cut_at(&read, max_tokens as usize)
    {
        let (n, kept) = (read.n_tokens(), text[..cut].chars().count());
        warnings.push(format!(
            "has {n} tokens, and training reads {max_tokens}: what follows character {kept} is cut off"
        ));
    }
    let n_chars = |bytes: usize| text[..bytes].chars().count() as u32;
    Ok(PromptCount {
        n_tokens: read.n_tokens() as u32,
        chunks: read
            .chunks
            .iter()
            .map(|chunk| chunk.tokens.len() as u32)
            .collect(),
        borders: read.borders().into_iter().map(n_chars).collect(),
        loras,
        warnings,
    })
}

/// The byte where a text is cut that has more tokens than are read.
fn cut_at(prompt: &Prompt, max_tokens: usize) -> Option<usize> {
    let tokens = || prompt.chunks.iter().flat_map(|chunk| &chunk.tokens);
    tokens().nth(max_tokens)?;
    let last = max_tokens.checked_sub(1).and_then(|last| tokens().nth(last));
    Some(last.map_or(0, |token| token.end))
}

/// The names of an owner's models.
struct Library {
    owner: OwnerId,
    models: Vec<(ModelId, String)>,
}

impl Library {
    async fn read(db: &impl Read, owner: OwnerId) -> ServiceResult<Self> {
        Ok(Self {
            owner,
            models: models::names(db, owner).await?,
        })
    }

    /// The model version that a tag names, and its weight: the one that the owner chose, else the newest approved one, or
    /// else the newest that is not retired; each only if it is for the base. The error is for people.
    async fn find(
        &self,
        db: &impl Read,
        owner: OwnerId,
        base: Option<&str>,
        tag: &LoraTag,
    ) -> ServiceResult<Result<(ModelVersion, f64), BadTag>> {
        let bad = |why: String| {
            let written = tag.written.clone();
            Ok(Err(BadTag { written, why }))
        };
        let weight = match tag.weight() {
            Ok(weight) if WEIGHTS.contains(&weight) => weight,
            Ok(weight) => return bad(format!("has the weight {weight}; it must be from -4 to 4")),
            Err(err) => return Ok(Err(err)),
        };
        let id = match self.named(&tag.name) {
            Ok(id) => id,
            Err(why) => return bad(why),
        };
        let name = &tag.name;
        let model = models::get(db, owner, id).await?;
        let pinned = model.current_version_id.filter(|_| model.is_pinned);
        let offered: Vec<&ModelVersion> = model
            .versions
            .iter()
            .filter(|version| version.stage != Stage::Retired)
            .collect();
        if offered.is_empty() {
            return bad(format!("names `{name}`, of which every version is retired"));
        }
        // An imported one is for every base model of its size; whoever makes the picture knows the size.
        let fits = |version: &&&ModelVersion| {
            version.imported.is_some() || base.is_none_or(|base| version.base_model == base)
        };
        // The newest version is first.
        let fitting = || offered.iter().filter(fits);
        let chosen = fitting().find(|version| Some(version.id) == pinned);
        let approved = || fitting().find(|version| version.stage == Stage::Approved);
        match chosen.or_else(approved).or_else(|| fitting().next()) {
            Some(version) => Ok(Ok(((**version).clone(), weight))),
            None => bad(format!(
                "names `{name}`, which was trained on `{}`: use that base model",
                offered[0].base_model
            )),
        }
    }

    /// The model of that name; upper and lower case are the same where that leaves one. The error goes behind the tag.
    fn named(&self, name: &str) -> Result<ModelId, String> {
        if let Some((id, _)) = self.models.iter().find(|(_, known)| known == name) {
            return Ok(*id);
        }
        let lower = name.to_lowercase();
        let alike: Vec<&(ModelId, String)> = self
            .models
            .iter()
            .filter(|(_, known)| known.to_lowercase() == lower)
            .collect();
        match alike[..] {
            [(id, _)] => Ok(*id),
            [] => Err(format!(
                "names `{name}`, and there is no model of that name{}",
                prompt::near_in_words(name, self.models.iter().map(|(_, known)| known.as_str()))
            )),
            _ => {
                let names = super::names(alike.iter().map(|(_, known)| known.as_str()));
                Err(format!(
                    "names `{name}`, which may be {names}: write it as the model is called"
                ))
            }
        }
    }
}

/// The field to blame for a LoRA: those beyond what the request had came from its prompt.
pub(super) fn field_of_lora(index: usize, n_given: usize) -> String {
    if index < n_given {
        format!("loras[{index}].model_version_id")
    } else {
        "prompt".to_owned()
    }
}
