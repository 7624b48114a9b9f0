//! Every kind applied to tiny-xl: the layer computes with the weight that the mathematics says, and the base keeps its.

use candle_core::Tensor;

use super::*;
use crate::{device::tensor, graph::AdapterSet, random::Random, tokenizer::TokenLength, unet::Conditioning};

fn normal(seed: u64, shape: &[usize]) -> Tensor {
    let n = shape.iter().product();
    tensor(Random::from_seed(seed).normal(n), shape).unwrap()
}

/// Random tensors under these names, a twentieth as large as unit normal ones; a quarter where they are multiplied twice.
fn random(path: &Path, module: &str, tensors: &[(&str, &[usize])]) -> Lora {
    let stored: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .iter()
        .enumerate()
        .map(|(seed, (name, shape))| {
            let numbers = Random::from_seed(seed as u64).normal(shape.iter().product());
            let is_factor = name.starts_with("hada_") || name.starts_with("lokr_");
            let divisor = if is_factor { 4.0 } else { 20.0 };
            let bytes = numbers.iter().flat_map(|x| (x / divisor).to_le_bytes()).collect();
            (format!("{module}.{name}"), shape.to_vec(), bytes)
        })
        .collect();
    let views = stored
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    Lora::open(path).unwrap()
}

fn predict(base: &BaseModel, set: &AdapterSet) -> Vec<f32> {
    let told = Conditioning {
        context: normal(2, &[1, 4, base.unet.config().context_dim]),
        vector: normal(3, &[1, base.unet.config().vector_dim]),
    };
    let prediction = base
        .unet
        .predict(set, &normal(1, &[1, 4, 8, 8]), &[500.0], &told)
        .unwrap();
    prediction.flatten_all().unwrap().to_vec1().unwrap()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

const CONV: &str = "lora_unet_input_blocks_1_0_in_layers_2";

/// Tensors of a module, and whether it is for the linear layer or the convolution.
fn kinds() -> Vec<(&'static str, Vec<(&'static str, &'static [usize])>)> {
    vec![
        (
            PROJ_IN,
            vec![("lora_down.weight", &[2, 64]), ("lora_up.weight", &[64, 2])],
        ),
        (
            PROJ_IN,
            vec![
                ("lora_down.weight", &[2, 64]),
                ("lora_up.weight", &[64, 2]),
                ("diff_b", &[64]),
            ],
        ),
        (
            PROJ_IN,
            vec![
                ("lora_A.weight", &[2, 64]),
                ("lora_B.weight", &[64, 2]),
                ("lora_magnitude_vector", &[64]),
            ],
        ),
        (
            PROJ_IN,
            vec![
                ("lora_down.weight", &[2, 64]),
                ("lora_up.weight", &[64, 2]),
                ("dora_scale", &[1, 64]),
            ],
        ),
        (
            PROJ_IN,
            vec![
                ("hada_w1_a", &[64, 2]),
                ("hada_w1_b", &[2, 64]),
                ("hada_w2_a", &[64, 2]),
                ("hada_w2_b", &[2, 64]),
            ],
        ),
        (
            PROJ_IN,
            vec![
                ("lokr_w1", &[4, 4]),
                ("lokr_w2_a", &[16, 2]),
                ("lokr_w2_b", &[2, 16]),
            ],
        ),
        (
            PROJ_IN,
            vec![
                ("lokr_w1_a", &[4, 1]),
                ("lokr_w1_b", &[1, 4]),
                ("lokr_w2", &[16, 16]),
            ],
        ),
        (PROJ_IN, vec![("diff", &[64, 64])]),
        (PROJ_IN, vec![("diff", &[64, 64]), ("diff_b", &[64])]),
        (PROJ_IN, vec![("set_weight", &[64, 64])]),
        (
            CONV,
            vec![
                ("lora_down.weight", &[2, 32, 3, 3]),
                ("lora_up.weight", &[32, 2, 1, 1]),
            ],
        ),
        (
            CONV,
            vec![
                ("lora_down.weight", &[2, 32, 1, 1]),
                ("lora_mid.weight", &[2, 2, 3, 3]),
                ("lora_up.weight", &[32, 2, 1, 1]),
            ],
        ),
        (
            CONV,
            vec![
                ("hada_w1_a", &[32, 2]),
                ("hada_w1_b", &[2, 288]),
                ("hada_w2_a", &[32, 2]),
                ("hada_w2_b", &[2, 288]),
            ],
        ),
        (
            CONV,
            vec![
                ("lokr_w1", &[4, 4]),
                ("lokr_t2", &[2, 2, 3, 3]),
                ("lokr_w2_a", &[2, 8]),
                ("lokr_w2_b", &[2, 8]),
            ],
        ),
        (CONV, vec![("lokr_w1", &[4, 4]), ("lokr_w2", &[8, 8, 3, 3])]),
        (CONV, vec![("diff", &[32, 32, 3, 3]), ("diff_b", &[32])]),
        (
            "lora_unet_input_blocks_1_0_in_layers_0",
            vec![("w_norm", &[32]), ("b_norm", &[32])],
        ),
        (
            "lora_unet_input_blocks_4_1_transformer_blocks_0_norm1",
            vec![("diff", &[64]), ("diff_b", &[64])],
        ),
        (
            "lora_unet_time_embed_0",
            vec![("lora_down.weight", &[2, 32]), ("lora_up.weight", &[128, 2])],
        ),
        (
            "lora_unet_input_blocks_1_0_emb_layers_1",
            vec![("lora_down.weight", &[2, 128]), ("lora_up.weight", &[32, 2])],
        ),
        ("lora_unet_input_blocks_0_0", vec![("diff", &[32, 4, 3, 3])]),
    ]
}

#[test]
fn every_kind_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let without = predict(&base, &AdapterSet::new());
    for (module, tensors) in kinds() {
        let lora = random(&path, module, &tensors);
        lora.check(&base).unwrap();
        assert!(!lora.is_zero().unwrap());
        assert_eq!(lora.leftovers(), []);
        let set = adapters(&base, [(&lora, 1.0)]).unwrap();
        assert_eq!(set.keys().collect::<Vec<_>>(), [module]);
        let with = predict(&base, &set);
        assert!(distance(&with, &without) > 1e-4, "{module} {tensors:?}");
        assert_eq!(
            predict(&base, &AdapterSet::new()),
            without,
            "the base has changed"
        );
        let none = predict(&base, &adapters(&base, [(&lora, 0.0)]).unwrap());
        assert_eq!(none, without, "{module} {tensors:?}");

        // The whole change as a difference is the same picture.
        let part = &lora.modules()[module];
        let layer = &base.layers()[module];
        let original = base.stored(layer, "weight").unwrap();
        if let Some(delta) = part.delta_for(&original).unwrap() {
            let numbers: Vec<f32> = delta.flatten_all().unwrap().to_vec1().unwrap();
            let bytes: Vec<u8> = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
            let mut stored = vec![("diff", layer.shape.clone(), bytes)];
            if let Some(bias) = &part.bias {
                let bias: Vec<f32> = bias.to_vec1().unwrap();
                stored.push((
                    "diff_b",
                    vec![bias.len()],
                    bias.iter().flat_map(|x| x.to_le_bytes()).collect(),
                ));
            }
            let views = stored.iter().map(|(name, shape, bytes)| {
                (
                    format!("{module}.{name}"),
                    TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
                )
            });
            fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
            let full = Lora::open(&path).unwrap();
            for weight in [1.0, 0.5, -0.7] {
                let theirs = predict(&base, &adapters(&base, [(&full, weight)]).unwrap());
                let ours = predict(&base, &adapters(&base, [(&lora, weight)]).unwrap());
                assert!(
                    distance(&ours, &theirs) < 2e-4,
                    "{module} {tensors:?}: {}",
                    distance(&ours, &theirs)
                );
            }
            // Two halves are a whole, whatever stands between them.
            let halves = predict(&base, &adapters(&base, [(&lora, 0.5), (&lora, 0.5)]).unwrap());
            assert!(distance(&halves, &with) < 2e-4, "{module} {tensors:?}");
        }
    }
}

/// What the text encoders say of a caption: the context and the pooled output.
fn encoded(base: &BaseModel, set: &AdapterSet) -> [Vec<f32>; 2] {
    let text = base
        .text_encoders
        .encode(&["zora waves"], TokenLength::T75, set)
        .unwrap();
    [text.context, text.pooled].map(|x| x.flatten_all().unwrap().to_vec1().unwrap())
}

/// transformers has left `text_model.` out of its names since version 5, and the projection is no part of a layer.
#[test]
fn text_encoders_are_changed_under_every_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let none = encoded(&base, &AdapterSet::new());
    let (first, second) = (
        base.text_encoders.first.config(),
        base.text_encoders.second.config(),
    );
    let cases = [
        (
            first.width,
            first.width,
            [
                "lora_te1_text_model_encoder_layers_0_self_attn_out_proj",
                "text_encoder.text_model.encoder.layers.0.self_attn.out_proj",
                "text_encoder.encoder.layers.0.self_attn.out_proj",
            ],
            // The first encoder has no pooled output.
            [true, false],
        ),
        (
            second.width,
            base.text_encoders.pooled_width(),
            [
                "lora_te2_text_projection",
                "text_encoder_2.text_projection",
                "clip_g.text_projection",
            ],
            [false, true],
        ),
    ];
    for (n_in, n_out, names, changes) in cases {
        let (down, up) = ([2, n_in], [n_out, 2]);
        let of_names = names.map(|module| {
            let lora = random(&path, module, &[("lora_A.weight", &down), ("lora_B.weight", &up)]);
            lora.check(&base).unwrap();
            assert_eq!(lora.summary_for(&base).n_modules, 1, "{module}");
            encoded(&base, &adapters(&base, [(&lora, 1.0)]).unwrap())
        });
        for (found, module) in of_names.iter().zip(names) {
            assert_eq!(*found, of_names[0], "{module}");
            let is_changed = [0, 1].map(|part| distance(&found[part], &none[part]) > 1e-4);
            assert_eq!(is_changed, changes, "{module}");
        }
    }
}

/// open_clip has query, key and value in one.
#[test]
fn a_fused_layer_is_split() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let base = BaseModel::built_in("tiny-xl").unwrap();
    let width = base.text_encoders.second.config().width;
    let (down, up) = ([2, width], [3 * width, 2]);
    let module = "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj";
    let lora = random(
        &path,
        module,
        &[("lora_down.weight", &down), ("lora_up.weight", &up)],
    );
    lora.check(&base).unwrap();
    let third = |module: &str| {
        let key = format!("lora_te2_text_model_encoder_layers_0_self_attn_{module}_proj");
        lora.modules()[&key].plain().unwrap().clone()
    };
    let ups = ["q", "k", "v"].map(|module| third(module).up);
    let whole: Vec<f32> = Random::from_seed(1)
        .normal(6 * width)
        .iter()
        .map(|x| x / 20.0)
        .collect();
    let found = Tensor::cat(&ups, 0)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    assert_eq!(found, whole);
}

#[test]
fn floats_of_eight_bits_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    // 1.0 and −0.5 in both formats.
    for (dtype, one, minus_half) in [(Dtype::F8_E4M3, 0x38, 0xb0), (Dtype::F8_E5M2, 0x3c, 0xb8)] {
        let (down, up) = ([one; 128], [minus_half; 128]);
        let views = [
            (DOWN, TensorView::new(dtype, vec![2, 64], &down).unwrap()),
            (UP, TensorView::new(dtype, vec![64, 2], &up).unwrap()),
        ];
        fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        let lora = Lora::open(&path).unwrap();
        let plain = lora.modules()[PROJ_IN].plain().unwrap();
        let number = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap()[7];
        assert_eq!((number(&plain.down), number(&plain.up)), (1.0, -0.5));
    }
}
