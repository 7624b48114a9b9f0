//! Vision transformers against timm's, and what becomes of a tagger's files. `tools/golden/taggers.py` makes the weights by
//! the same formula.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use candle_core::Tensor;
use diffusion::{
    cpu::Cpu,
    device::HOST,
    graph::Activation,
    vit::{self, Channels, Pooling, TagKind, Tagger, Vit, VitConfig},
    weights::TensorFile,
};
use image::{Rgb, RgbImage};

use crate::golden::Golden;

const WIDTH: usize = 64;
const SIDE: usize = 32;

/// `sin(rate · i + start)`.
fn wave(shape: &[usize], rate: f64, start: f64) -> Tensor {
    let n = shape.iter().product::<usize>();
    let values: Vec<f32> = (0..n).map(|i| (rate * i as f64 + start).sin() as f32).collect();
    Tensor::from_vec(values, shape, &HOST).unwrap()
}

/// Names and shapes that all of them have.
fn common(n_tokens: usize) -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![
        ("patch_embed.proj.weight".to_owned(), vec![WIDTH, 3, 8, 8]),
        ("patch_embed.proj.bias".to_owned(), vec![WIDTH]),
        ("pos_embed".to_owned(), vec![1, n_tokens, WIDTH]),
    ];
    for block in 0..2 {
        let mut layer = |name: &str, n_in: usize, n_out: usize| {
            shapes.push((format!("blocks.{block}.{name}.weight"), vec![n_out, n_in]));
            shapes.push((format!("blocks.{block}.{name}.bias"), vec![n_out]));
        };
        layer("attn.qkv", WIDTH, 3 * WIDTH);
        layer("attn.proj", WIDTH, WIDTH);
        layer("mlp.fc1", WIDTH, 4 * WIDTH);
        layer("mlp.fc2", 4 * WIDTH, WIDTH);
        for name in ["norm1", "norm2"] {
            shapes.extend(norm(&format!("blocks.{block}.{name}")));
        }
    }
    shapes
}

fn norm(name: &str) -> [(String, Vec<usize>); 2] {
    [
        (format!("{name}.weight"), vec![WIDTH]),
        (format!("{name}.bias"), vec![WIDTH]),
    ]
}

fn head() -> [(String, Vec<usize>); 2] {
    [
        ("head.weight".to_owned(), vec![10, WIDTH]),
        ("head.bias".to_owned(), vec![10]),
    ]
}

/// Writes a file whose numbers are those of the script.
fn write(path: &Path, mut shapes: Vec<(String, Vec<usize>)>) {
    shapes.sort();
    let tensors: HashMap<String, Tensor> = shapes
        .into_iter()
        .enumerate()
        .map(|(k, (name, shape))| {
            let scale = if name.ends_with("gamma") { 0.5 } else { 0.2 };
            let offset = if name.contains("norm") && name.ends_with("weight") {
                1.0
            } else {
                0.0
            };
            let tensor = wave(&shape, 0.7, k as f64).affine(scale, offset).unwrap();
            (name, tensor)
        })
        .collect();
    candle_core::safetensors::save(&tensors, path).unwrap();
}

fn load(shapes: Vec<(String, Vec<usize>)>, activation: Activation) -> Vit {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    write(&path, shapes);
    let file = Arc::new(TensorFile::open(&path).unwrap());
    let part = vit::component(path, &file);
    let config = VitConfig::from_shapes(&part, activation).unwrap();
    assert_eq!((config.side, config.n_heads, config.n_blocks), (SIDE, 2, 2));
    Vit::load(&Cpu, &part, config).unwrap()
}

fn pictures() -> Tensor {
    wave(&[2, SIDE, SIDE, 3], 0.3, 1.0)
}

fn tagger_shapes() -> Vec<(String, Vec<usize>)> {
    [common(16), norm("norm").to_vec(), head().to_vec()].concat()
}

#[test]
fn an_average_of_normed_tokens() {
    let vit = load(tagger_shapes(), Activation::TanhGelu);
    assert_eq!(vit.config().pooling, Pooling::Average);
    let logits = vit.logits(&pictures()).unwrap();
    Golden::named("taggers.safetensors").check("tagger", &logits, 1e-4);
}

#[test]
fn a_norm_of_the_average() {
    let shapes = [common(16), norm("fc_norm").to_vec(), head().to_vec()].concat();
    let logits = load(shapes, Activation::Gelu).logits(&pictures()).unwrap();
    Golden::named("taggers.safetensors").check("pooled_norm", &logits, 1e-4);
}

#[test]
fn a_class_token_with_layer_scale() {
    let mut shapes = [common(17), norm("norm").to_vec()].concat();
    shapes.push(("cls_token".to_owned(), vec![1, 1, WIDTH]));
    for block in 0..2 {
        for scale in ["ls1", "ls2"] {
            shapes.push((format!("blocks.{block}.{scale}.gamma"), vec![WIDTH]));
        }
    }
    let vit = load(shapes, Activation::Gelu);
    assert_eq!(vit.config().pooling, Pooling::ClassToken);
    assert!(vit.logits(&pictures()).is_err(), "it has no head");
    let vectors = vit.embed(&pictures()).unwrap();
    Golden::named("taggers.safetensors").check("class_token", &vectors, 1e-4);
}

const CONFIG: &str = r#"{"architecture": "vit_tiny_patch8_32", "num_classes": 10, "global_pool": "avg",
    "model_args": {"act_layer": "gelu_tanh", "class_token": false},
    "pretrained_cfg": {"mean": [0.5, 0.25, 0.5], "std": [0.5, 0.5, 1.0]}}"#;

const TAGS: &str = "tag_id,name,category,count
9999999,general,9,1
1,1girl,0,5
2,long_hair,0,4
3,\"a_\"\"b\"\",_c\",0,4
4,zora_(comic),4,3
5,b,0,2
6,c,0,2
7,d,0,2
8,e,3,2
9,f,0,2
";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    fs::write(folder.path().join("selected_tags.csv"), TAGS).unwrap();
    write(&folder.path().join("model.safetensors"), tagger_shapes());
    folder
}

/// The colors are normalized one by one, and come in the order that the weights want.
#[test]
fn a_tagger_says_all_tags_by_score() {
    let folder = folder();
    let picture = RgbImage::from_fn(32, 32, |x, y| Rgb([8 * x as u8, 8 * y as u8, 4 * (x + y) as u8]));
    let vit = load(tagger_shapes(), Activation::TanhGelu);
    for (channels, order) in [(Channels::Bgr, [2, 1, 0]), (Channels::Rgb, [0, 1, 2])] {
        let tagger = Tagger::open(folder.path(), channels).unwrap();
        assert_eq!((tagger.side(), tagger.n_tags()), (32, 10));
        let tags = tagger.tags(&picture).unwrap();
        let normalized = picture.pixels().flat_map(|pixel| {
            let [red, green, blue] = pixel.0.map(|value| f32::from(value) / 255.0);
            let colors = [(red - 0.5) / 0.5, (green - 0.25) / 0.5, (blue - 0.5) / 1.0];
            order.map(|channel| colors[channel])
        });
        let input = Tensor::from_vec(normalized.collect(), (1, 32, 32, 3), &HOST).unwrap();
        let logits: Vec<f32> = vit
            .logits(&input)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let expected = 1.0 / (1.0 + (-logits[4]).exp());
        let character = tags.iter().find(|tag| tag.kind == TagKind::Character).unwrap();
        assert_eq!(character.name, "zora_(comic)");
        assert!(
            (character.score - expected).abs() < 1e-5,
            "{character:?} {expected}"
        );
        assert!(tags.is_sorted_by(|a, b| a.score >= b.score));
        assert!(tags.iter().any(|tag| tag.name == "a_\"b\",_c"), "{tags:?}");
    }
    let wrong = RgbImage::new(32, 31);
    let tagger = Tagger::open(folder.path(), Channels::Bgr).unwrap();
    assert!(tagger.tags(&wrong).is_err());
}

#[track_caller]
fn check_refused(file: &str, content: &str, expected: &str) {
    let folder = folder();
    fs::write(folder.path().join(file), content).unwrap();
    let err = Tagger::open(folder.path(), Channels::Bgr)
        .unwrap_err()
        .to_string();
    assert!(err.contains(file) && err.contains(expected), "{err}");
}

#[test]
fn files_of_something_else_are_refused_in_words() {
    check_refused("config.json", "{}", "architecture");
    let swin = CONFIG.replace("vit_tiny_patch8_32", "swinv2_base_window8_256");
    check_refused("config.json", &swin, "swinv2_base_window8_256");
    check_refused("config.json", &CONFIG.replace("gelu_tanh", "relu"), "relu");
    check_refused(
        "config.json",
        &CONFIG.replace("[0.5, 0.5, 1.0]", "[0.5, 0.0, 1.0]"),
        "std",
    );
    check_refused("selected_tags.csv", "a,b\n1,2\n", "`name`");
    check_refused("selected_tags.csv", "name,category\na,77\n", "a,77");
    check_refused("model.safetensors", "no weights", "safetensors");
    let folder = folder();
    fs::write(folder.path().join("selected_tags.csv"), "name,category\na,0\n").unwrap();
    let err = Tagger::open(folder.path(), Channels::Bgr)
        .unwrap_err()
        .to_string();
    assert!(err.contains("10 outputs") && err.contains("1 tags"), "{err}");
    fs::remove_file(folder.path().join("config.json")).unwrap();
    let err = Tagger::open(folder.path(), Channels::Bgr)
        .unwrap_err()
        .to_string();
    assert!(err.contains("config.json") && err.contains("download"), "{err}");
}
