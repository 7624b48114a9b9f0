//! Every kind of LoRA against the weight that LyCORIS or PEFT makes with it (tools/golden/loras.py).

use std::{collections::BTreeMap, fs};

use diffusion::{lora::Lora, weights::TensorFile};
use safetensors::{Dtype, serialize, tensor::TensorView};

use crate::golden::{self, Golden, max_abs};

/// Single precision, in another order of sums.
const TOLERANCE: f32 = 2e-5;

#[test]
fn every_kind_is_what_its_library_makes_of_it() {
    let stored = TensorFile::open(&golden::folder().join("loras.safetensors")).unwrap();
    let expected = Golden::named("loras.safetensors");
    let mut cases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for name in stored.names() {
        let (case, key) = name.split_once('/').unwrap();
        cases.entry(case).or_default().push(key);
    }
    assert_eq!(cases.len(), 34);
    for (case, keys) in cases {
        let folder = tempfile::tempdir().unwrap();
        if let Some(config) = stored.metadata().get(case) {
            fs::write(folder.path().join("adapter_config.json"), config).unwrap();
        }
        let keys = keys.into_iter().filter(|key| !key.starts_with('='));
        let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = keys
            .map(|key| {
                let name = format!("{case}/{key}");
                let shape = stored.info(&name).unwrap().shape.clone();
                let numbers = stored.read(&name).unwrap();
                (key, shape, numbers.iter().flat_map(|x| x.to_le_bytes()).collect())
            })
            .collect();
        let views = tensors.iter().map(|(key, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
            (*key, view)
        });
        let path = folder.path().join("adapter_model.safetensors");
        fs::write(&path, serialize(views, None).unwrap()).unwrap();

        let lora = Lora::open(&path).unwrap();
        assert_eq!(lora.leftovers(), [], "{case}");
        assert_eq!(lora.modules().len(), 1, "{case}");
        let base = expected.tensor(&format!("{case}/=base"));
        for module in lora.modules().values() {
            let delta = module.delta_for(&base).unwrap().unwrap();
            let merged = (delta.reshape(base.dims()).unwrap() + &base).unwrap();
            // A change that is forgotten would pass where it is small.
            assert!(max_abs(&(&merged - &base).unwrap()) > 1e-2, "{case}");
            expected.check(&format!("{case}/=merged"), &merged, TOLERANCE);
        }
    }
}
