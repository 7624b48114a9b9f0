//! Whether an agent can do a training: pure decisions based on the description of its machine.

use protocol::{
    dataset::Manifest,
    machine::{DeviceKind, Machine, Protocol},
    parameters::Words as _,
    preset::BaseClass,
    recipe::{Engine, Recipe},
    sample::SamplePrompt,
    spend::RentalWish,
};

use super::super::BaseDemand;
use crate::rentals::estimate;

/// Why an agent gets no work at all; the text follows the name of the machine. An agent that does not describe its
/// machine is of an old version.
pub(super) fn out_of_step(machine: Option<&Machine>) -> Option<String> {
    let agent = machine.map_or(Protocol::UNSAID, |machine| machine.protocol);
    let mismatch = Protocol::CURRENT.check(agent).err()?;
    Some(mismatch.to_string())
}

/// What a machine of any provider lacks for this training; the text follows the name of the machine.
pub(super) fn lack(machine: Option<&Machine>, recipe: &Recipe, base: BaseDemand) -> Option<String> {
    if let Some(mismatch) = out_of_step(machine) {
        return Some(mismatch);
    }
    let machine = machine?;
    if !machine.engines.contains(&recipe.engine()) {
        return Some(match recipe.engine() {
            Engine::Kohya => {
                "has no sd-scripts (--kohya-dir and --kohya-python of `morpheus agent`)".to_owned()
            }
            Engine::Native => "does not have the native engine".to_owned(),
        });
    }
    if let Some(unknown) = unknown(machine.protocol.version, recipe) {
        return Some(unknown);
    }
    if base.is_spoken_of && machine.protocol.version < Protocol::KNOWS_OF_BASES {
        return Some(format!(
            "runs a version of morpheus that does not heed the prediction and the VAE that are set for `{}` (it speaks \
             version {} of the agent protocol, and this training needs at least {}): update morpheus there",
            recipe.base_model(),
            machine.protocol.version,
            Protocol::KNOWS_OF_BASES
        ));
    }
    let kind = recipe.parameters().kind;
    let is_able = machine.lora_kinds.contains(&kind);
    (!is_able).then(|| format!("cannot train a LoRA of this kind (`{}`)", kind.word()))
}

/// What a machine lacks for a training that ends early with a result; the text follows the name of the machine.
pub(super) fn cannot_finish_early(machine: Option<&Machine>, is_wanted: bool) -> Option<String> {
    let version = machine
        .map_or(Protocol::UNSAID, |machine| machine.protocol)
        .version;
    (is_wanted && version < Protocol::FINISHES_EARLY).then(|| {
        format!(
            "runs a version of morpheus that cannot end a training before its last step (it speaks version {version} of \
             the agent protocol, and this training needs at least {}): update morpheus there",
            Protocol::FINISHES_EARLY
        )
    })
}

/// What a machine lacks to draw pictures on its GPU; the text follows the name of the machine. One that does not say
/// whether it has diffusers may have it.
pub(super) fn lack_for_pictures(machine: Option<&Machine>) -> Option<String> {
    let has_none = machine?.has_diffusers == Some(false);
    has_none.then(|| {
        "has no diffusers to draw with on its GPU (--diffusers-python of `morpheus agent`)".to_owned()
    })
}

/// What a machine's agent would ignore of the pictures of a training.
pub(super) fn ignores(machine: Option<&Machine>, manifest: &Manifest) -> Option<String> {
    let version = machine
        .map_or(Protocol::UNSAID, |machine| machine.protocol)
        .version;
    (version < Protocol::READS_REPEATS && manifest.is_uneven()).then(|| {
        format!(
            "runs a version of morpheus that knows neither repeats nor regularization pictures (it speaks version {version} of \
             the agent protocol, and this training needs at least {}): update morpheus there",
            Protocol::READS_REPEATS
        )
    })
}

/// Whether only the pictures can tell if a machine's agent would ignore something of them.
pub(super) fn may_ignore(machine: Option<&Machine>) -> bool {
    machine.is_none_or(|machine| machine.protocol.version < Protocol::READS_REPEATS)
}

/// What of the training agents of this version of the protocol would ignore or not read.
fn unknown(version: u32, recipe: &Recipe) -> Option<String> {
    let are_plain = recipe.sample_prompts().iter().all(SamplePrompt::is_plain);
    if version < Protocol::READS_SAMPLES && !are_plain {
        return Some(format!(
            "runs a version of morpheus that knows no settings of single previews (it speaks version {version} of the agent \
             protocol, and this training needs at least {}): update morpheus there",
            Protocol::READS_SAMPLES
        ));
    }
    if version < Protocol::STARTS_FROM_LORAS && recipe.start_from().is_some() {
        return Some(format!(
            "runs a version of morpheus that begins every training with a LoRA that changes nothing (it speaks version \
             {version} of the agent protocol, and this training needs at least {}): update morpheus there",
            Protocol::STARTS_FROM_LORAS
        ));
    }
    let (unknown, since) = recipe.unknown_to(version)?;
    Some(format!(
        "runs a version of morpheus that does not know `{}` (it speaks version {version} of the agent protocol, and this \
         training needs at least {}): update morpheus there",
        unknown.name, since
    ))
}

/// Why a machine of the pool cannot train this; the text follows the name of the machine.
pub(super) fn unfit(
    machine: &Machine,
    recipe: &Recipe,
    base: BaseDemand,
    wish: &RentalWish,
) -> Option<String> {
    if let Some(lack) = lack(Some(machine), recipe, base) {
        return Some(lack);
    }
    let missing: Vec<&str> = wish
        .labels
        .iter()
        .filter(|label| !machine.labels.contains(label))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        return Some(format!("is not labeled {}", missing.join(", ")));
    }
    if base.class == BaseClass::Tiny {
        return None;
    }
    if recipe.engine() == Engine::Kohya && !machine.devices.contains(&DeviceKind::Cuda) {
        return Some("has no GPU".to_owned());
    }
    let needed = estimate::memory_gb(recipe, base.class);
    let memory_gb = machine.memory_gb.filter(|memory_gb| *memory_gb < needed)?;
    Some(format!(
        "has {memory_gb} GB of GPU memory, and this training needs about {needed}"
    ))
}

#[cfg(test)]
mod tests {
    use protocol::{
        machine::{DeviceKind, LoraKind, Machine, Protocol},
        preset::BaseClass,
        recipe::{Engine, Recipe, RecipeRequest},
        sample::SamplePrompt,
        spend::RentalWish,
    };

    use super::{BaseDemand, cannot_finish_early, lack, lack_for_pictures, unfit, unknown};

    const PLAIN: BaseDemand = BaseDemand {
        class: BaseClass::Sdxl,
        is_spoken_of: false,
    };

    fn recipe(engine: Engine) -> Recipe {
        let request = RecipeRequest {
            engine,
            base_model: "sdxl".to_owned(),
            name: "zora".to_owned(),
            ..RecipeRequest::default()
        };
        Recipe::resolve(request, BaseClass::Sdxl).unwrap()
    }

    fn attic() -> Machine {
        Machine {
            name: "attic".to_owned(),
            labels: vec!["quiet".to_owned()],
            gpu: None,
            memory_gb: None,
            engines: vec![Engine::Native],
            devices: vec![DeviceKind::Cpu],
            lora_kinds: vec![LoraKind::Lora],
            has_diffusers: None,
            protocol: Protocol::CURRENT,
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (native, kohya) = (recipe(Engine::Native), recipe(Engine::Kohya));
        let mut machine = attic();
        let mut wish = RentalWish::default();
        let why = |machine: &Machine, recipe: &Recipe, wish: &RentalWish| {
            unfit(machine, recipe, PLAIN, wish).unwrap_or_default()
        };
        assert_eq!(why(&machine, &native, &wish), "");
        wish.labels = vec!["quiet".to_owned(), "large".to_owned()];
        assert_eq!(why(&machine, &native, &wish), "is not labeled large");
        wish.labels.pop();
        assert!(why(&machine, &kohya, &wish).contains("sd-scripts"));
        machine.engines.push(Engine::Kohya);
        assert_eq!(why(&machine, &kohya, &wish), "has no GPU");
        machine.devices.push(DeviceKind::Cuda);
        machine.memory_gb = Some(8);
        assert!(why(&machine, &kohya, &wish).starts_with("has 8 GB"));
        machine.memory_gb = Some(24);
        assert_eq!(why(&machine, &kohya, &wish), "");
    }

    #[test]
    fn a_machine_that_says_that_it_has_no_diffusers_draws_nothing_on_its_gpu() {
        let why = |has_diffusers| {
            let machine = Machine {
                has_diffusers,
                ..attic()
            };
            lack_for_pictures(Some(&machine))
        };
        assert!(why(Some(false)).is_some_and(|why| why.contains("--diffusers-python")));
        assert_eq!(
            [why(Some(true)), why(None), lack_for_pictures(None)],
            [None, None, None]
        );
    }

    #[test]
    fn what_an_agent_cannot_do_is_named_wherever_it_is() {
        let native = recipe(Engine::Native);
        let why = |machine: &Machine| lack(Some(machine), &native, PLAIN).unwrap_or_default();
        assert_eq!(why(&attic()), "");
        let other_kinds = Machine {
            lora_kinds: Vec::new(),
            ..attic()
        };
        assert!(why(&other_kinds).contains("cannot train a LoRA of this kind"));
        let old = Machine {
            protocol: Protocol::UNSAID,
            ..attic()
        };
        assert!(
            why(&old).contains("too old (it speaks version 1"),
            "{}",
            why(&old)
        );
        let new = Machine {
            protocol: Protocol {
                version: 9,
                oldest: 9,
            },
            ..attic()
        };
        assert!(
            why(&new).contains("too new (it needs at least version 9"),
            "{}",
            why(&new)
        );
        assert!(lack(None, &native, PLAIN).is_some_and(|why| why.contains("too old")));
    }

    #[test]
    fn a_hyperparameter_that_an_agent_would_ignore_is_named() {
        let native = recipe(Engine::Native);
        assert_eq!(unknown(Protocol::CURRENT.version, &native), None);
        let why = unknown(0, &native).unwrap_or_default();
        assert!(
            why.contains("does not know `n_warmup_steps` (it speaks version 0 of the agent protocol, and this training needs at least 1)"),
            "{why}"
        );
    }

    #[test]
    fn an_agent_that_does_not_heed_what_is_said_of_a_base_gets_no_training_on_it() {
        let native = recipe(Engine::Native);
        let spoken_of = BaseDemand {
            is_spoken_of: true,
            ..PLAIN
        };
        let mut machine = attic();
        assert_eq!(lack(Some(&machine), &native, spoken_of), None);
        machine.protocol.version = Protocol::KNOWS_OF_BASES - 1;
        assert_eq!(lack(Some(&machine), &native, PLAIN), None);
        let why = lack(Some(&machine), &native, spoken_of).unwrap_or_default();
        assert!(
            why.contains("does not heed the prediction and the VAE that are set for `sdxl`"),
            "{why}"
        );
    }

    #[test]
    fn a_training_that_ends_early_goes_to_agents_that_know_of_it() {
        let mut machine = attic();
        assert_eq!(cannot_finish_early(Some(&machine), true), None);
        machine.protocol.version = Protocol::FINISHES_EARLY - 1;
        assert_eq!(cannot_finish_early(Some(&machine), false), None);
        let why = cannot_finish_early(Some(&machine), true).unwrap_or_default();
        assert!(
            why.contains("cannot end a training before its last step"),
            "{why}"
        );
    }

    #[test]
    fn previews_with_settings_go_to_agents_that_read_them() {
        let with = |sample_prompts: Vec<SamplePrompt>| {
            let request = RecipeRequest {
                base_model: "sdxl".to_owned(),
                name: "zora".to_owned(),
                sample_prompts,
                ..RecipeRequest::default()
            };
            Recipe::resolve(request, BaseClass::Sdxl).unwrap()
        };
        assert_eq!(unknown(3, &with(vec!["zora".into()])), None);
        let wide = SamplePrompt {
            width: Some(1216),
            ..SamplePrompt::from("zora")
        };
        let why = unknown(3, &with(vec![wide.clone()])).unwrap_or_default();
        assert!(why.contains("this training needs at least 4"), "{why}");
        assert_eq!(unknown(4, &with(vec![wide])), None);
    }
}
