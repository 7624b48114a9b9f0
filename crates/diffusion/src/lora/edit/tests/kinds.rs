//! Relatives of LoRA become plain ones: what LyCORIS and PEFT make of a weight with them, decomposed.

use std::{ops::ControlFlow, sync::Arc};

use super::*;
use crate::weights::{Component, Part};

/// Single precision, of numbers of about 1.
const TOLERANCE: f32 = 3e-5;

fn loras() -> Arc<TensorFile> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/loras.safetensors");
    Arc::new(TensorFile::open(&path).unwrap())
}

/// One case as a file of its own, and the base model's part with its layer.
struct Case {
    source: Source,
    module: &'static str,
    base: Component,
    /// The weight with the LoRA less the base's, row by row.
    change: Vec<f32>,
}

/// The layer's canonical name.
const WEIGHT: &str = "layer.weight";

fn case(folder: &Path, name: &str) -> Case {
    let file = loras();
    let prefix = format!("{name}/");
    let mut tensors = BTreeMap::new();
    for key in file.names().filter_map(|key| key.strip_prefix(&prefix)) {
        if !key.starts_with('=') {
            tensors.insert(key.to_owned(), file.stored(&format!("{name}/{key}")).unwrap());
        }
    }
    // Beside PEFT's configuration, so that its alphas are read.
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    if let Some(config) = file.metadata().get(name) {
        fs::write(folder.join("adapter_config.json"), config).unwrap();
    }
    let source = write(&folder, "adapter_model.safetensors", &tensors, &BTreeMap::new());
    let module = MODULES
        .into_iter()
        .find(|module| source.names().any(|found| found == *module))
        .unwrap();
    let mut base = Component::new(file.path().to_owned());
    base.list(WEIGHT.to_owned(), &file, &format!("{name}/=base"), Part::Whole);
    let merged = file.read(&format!("{name}/=merged")).unwrap();
    let before = file.read(&format!("{name}/=base")).unwrap();
    Case {
        source,
        module,
        base,
        change: merged
            .iter()
            .zip(&before)
            .map(|(merged, base)| merged - base)
            .collect(),
    }
}

impl Case {
    fn context(&self) -> Context<'_> {
        let layers = BTreeMap::from([(self.module.to_owned(), (&self.base, WEIGHT))]);
        Context::default().with_layers("base".into(), layers)
    }

    #[track_caller]
    fn check(&self, name: &str, edited: &Edited, factor: f32) {
        let found = &changes(edited)[self.module];
        assert_eq!(found.len(), self.change.len(), "{name}");
        for (found, expected) in found.iter().zip(&self.change) {
            assert!(
                (found - factor * expected).abs() < TOLERANCE,
                "{name}: {found}, {expected}"
            );
        }
    }
}

const CASES: [&str; 20] = [
    "loha_linear",
    "loha_conv",
    "loha_tucker",
    "lokr_half",
    "lokr_both",
    "lokr_whole",
    "lokr_conv",
    "lokr_tucker",
    "dora_output",
    "dora_input",
    "dora_conv_output",
    "dora_conv_input",
    "loha_dora",
    "peft_dora",
    "peft_loha",
    "peft_lokr",
    "glora_conv",
    "ia3_input",
    "oft_limited",
    "boft_conv",
];

#[test]
fn every_kind_becomes_a_lora_that_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for name in CASES {
        let case = case(folder.path(), name);
        // Both layers have eight outputs, so that no change has a larger rank.
        let resized = resize(&case.source, &Keep::rank_of(8), EXACT, &case.context()).unwrap();
        case.check(name, &resized, 1.0);
        let kept = resized.summary.kept.unwrap();
        assert!(kept.whole > 1.0 - 1e-6, "{name}: {kept:?}");
        assert!(
            resized.notes[0].contains("become plain LoRA: 1 of"),
            "{:?}",
            resized.notes
        );
        let files = [1.5, -1.0].map(|weight| Weighted {
            source: &case.source,
            weight,
        });
        let svd = Method::Svd(Keep::rank_of(8));
        let merged = merge(&files, svd, EXACT, &case.context()).unwrap();
        case.check(name, &merged, 0.5);
    }
}

#[test]
fn products_are_concatenated_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["lokr_half", "lokr_both", "lokr_whole", "lokr_conv", "loha_tucker"] {
        let case = case(folder.path(), name);
        let files = [Weighted {
            source: &case.source,
            weight: 0.25,
        }];
        match merge(&files, Method::Concatenate, EXACT, &Context::default()) {
            Ok(merged) => case.check(name, &merged, 0.25),
            // Of rank three by three, in a layer of eight outputs.
            Err(err) => assert!(
                name == "loha_tucker"
                    && err
                        .to_string()
                        .contains("is a LoHa, which is as wide as its layer"),
                "{name}: {err}"
            ),
        }
    }
}

#[test]
fn what_a_smaller_rank_loses_is_said() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["loha_linear", "lokr_half", "dora_output"] {
        let case = case(folder.path(), name);
        let resized = resize(&case.source, &Keep::rank_of(1), EXACT, &case.context()).unwrap();
        assert_eq!(resized.summary.rank_max, 1, "{name}");
        let square = |numbers: &[f32]| numbers.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let left = square(&changes(&resized)[case.module]) / square(&case.change);
        let kept = resized.summary.kept.unwrap().whole;
        assert!(
            left < 0.999 && (kept - left.sqrt()).abs() < 1e-4,
            "{name}: {kept}, {left}"
        );
    }
}

#[test]
fn what_needs_a_base_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let case = case(folder.path(), "dora_output");
    assert!(case.source.needs_base());
    let err = resize(&case.source, &Keep::rank_of(2), EXACT, &Context::default()).unwrap_err();
    assert!(
        err.to_string()
            .contains("is a DoRA, whose change depends on the base model's weight"),
        "{err}"
    );
    let files = [Weighted {
        source: &case.source,
        weight: 1.0,
    }];
    let err = merge(&files, Method::Concatenate, EXACT, &case.context()).unwrap_err();
    assert!(matches!(err, EditError::Wide { .. }), "{err}");
}

#[test]
fn an_edit_that_nobody_wants_any_more_stops() {
    let folder = tempfile::tempdir().unwrap();
    let a = input(folder.path(), "a", &MODULES);
    let told = std::sync::Mutex::new(Vec::new());
    let stop = |n_done: usize, n: usize| {
        told.lock().unwrap().push((n_done, n));
        ControlFlow::Break(())
    };
    let context = Context::default().with_progress(&stop);
    let err = resize(&a, &Keep::rank_of(2), EXACT, &context).unwrap_err();
    assert!(matches!(err, EditError::Stopped), "{err}");
    assert_eq!(told.lock().unwrap().first(), Some(&(1, 2)));
}
