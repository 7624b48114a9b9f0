//! Whether an agent can do a training: pure decisions based on the description of its machine.

use protocol::{
    machine::{DeviceKind, LoraKind, Machine, Protocol},
    preset::BaseClass,
    recipe::{Engine, Recipe},
    spend::RentalWish,
};

use crate::rentals::estimate;

/// Why an agent gets no work at all; the text follows the name of the machine. An agent that does not describe its
/// machine is of an old version.
pub(super) fn out_of_step(machine: Option<&Machine>) -> Option<String> {
    let agent = machine.map_or(Protocol::UNSAID, |machine| machine.protocol);
    let mismatch = Protocol::CURRENT.check(agent).err()?;
    Some(mismatch.to_string())
}

/// What a machine of any provider lacks for this training; the text follows the name of the machine.
pub(super) fn lack(machine: Option<&Machine>, recipe: &Recipe) -> Option<String> {
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
    // The only kind that a recipe can ask for.
    if !machine.lora_kinds.contains(&LoraKind::Lora) {
        return Some("cannot train a LoRA of this kind (`lora`)".to_owned());
    }
    None
}

/// Which hyperparameter of the training agents of this version of the protocol would ignore.
fn unknown(version: u32, recipe: &Recipe) -> Option<String> {
    let unknown = recipe.unknown_to(version)?;
    Some(format!(
        "runs a version of morpheus that does not know `{}` (it speaks version {version} of the agent protocol, and this \
         training needs at least {}): update morpheus there",
        unknown.name, unknown.since
    ))
}

/// Why a machine of the pool cannot train this; the text follows the name of the machine.
pub(super) fn unfit(
    machine: &Machine,
    recipe: &Recipe,
    class: BaseClass,
    wish: &RentalWish,
) -> Option<String> {
    if let Some(lack) = lack(Some(machine), recipe) {
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
    if class == BaseClass::Tiny {
        return None;
    }
    if recipe.engine() == Engine::Kohya && !machine.devices.contains(&DeviceKind::Cuda) {
        return Some("has no GPU".to_owned());
    }
    let needed = estimate::memory_gb(recipe, class);
    let memory_gb = machine.memory_gb.filter(|memory_gb| *memory_gb < needed)?;
    Some(format!(
        "has {memory_gb} GB of GPU memory, and this training needs about {needed}"
    ))
}

#[cfg(test)]
mod tests {
    use protocol::{
        machine::{DeviceKind, LoraKind, Machine, Protocol},
        preset::{BaseClass, Preset},
        recipe::{Engine, ParameterOverrides, Recipe, RecipeRequest},
        spend::RentalWish,
    };

    use super::{lack, unfit, unknown};

    fn recipe(engine: Engine) -> Recipe {
        let request = RecipeRequest {
            engine,
            base_model: "sdxl".to_owned(),
            name: "zora".to_owned(),
            trigger_word: None,
            preset: Preset::default(),
            overrides: ParameterOverrides::default(),
            sample_prompts: Vec::new(),
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
            protocol: Protocol::CURRENT,
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let (native, kohya) = (recipe(Engine::Native), recipe(Engine::Kohya));
        let mut machine = attic();
        let mut wish = RentalWish::default();
        let why = |machine: &Machine, recipe: &Recipe, wish: &RentalWish| {
            unfit(machine, recipe, BaseClass::Sdxl, wish).unwrap_or_default()
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
    fn what_an_agent_cannot_do_is_named_wherever_it_is() {
        let native = recipe(Engine::Native);
        let why = |machine: &Machine| lack(Some(machine), &native).unwrap_or_default();
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
        assert!(lack(None, &native).is_some_and(|why| why.contains("too old")));
    }

    #[test]
    fn a_hyperparameter_that_an_agent_would_ignore_is_named() {
        let native = recipe(Engine::Native);
        assert_eq!(unknown(Protocol::CURRENT.version, &native), None);
        let why = unknown(0, &native).unwrap_or_default();
        assert!(
            why.contains("does not know `rank` (it speaks version 0 of the agent protocol, and this training needs at least 1)"),
            "{why}"
        );
    }
}
