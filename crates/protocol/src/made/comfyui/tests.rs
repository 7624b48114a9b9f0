use std::collections::BTreeMap;

use serde_json::Value;

use super::{prompt, workflow};
use crate::made::tests::made;

/// Names with types.
type Links = &'static [(&'static str, &'static str)];
/// Names.
type Names = &'static [&'static str];

/// Inputs of ComfyUI's core nodes (`nodes.py`): links with their types, and widgets in the order of the page.
static CORE: [(&str, Links, Names, Names); 7] = [
    (
        "CheckpointLoaderSimple",
        &[],
        &["ckpt_name"],
        &["MODEL", "CLIP", "VAE"],
    ),
    (
        "LoraLoader",
        &[("model", "MODEL"), ("clip", "CLIP")],
        &["lora_name", "strength_model", "strength_clip"],
        &["MODEL", "CLIP"],
    ),
    (
        "CLIPTextEncode",
        &[("clip", "CLIP")],
        &["text"],
        &["CONDITIONING"],
    ),
    (
        "EmptyLatentImage",
        &[],
        &["width", "height", "batch_size"],
        &["LATENT"],
    ),
    (
        "KSampler",
        &[
            ("model", "MODEL"),
            ("positive", "CONDITIONING"),
            ("negative", "CONDITIONING"),
            ("latent_image", "LATENT"),
        ],
        // The page has a widget behind the seed that the server does not have.
        &["seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"],
        &["LATENT"],
    ),
    (
        "VAEDecode",
        &[("samples", "LATENT"), ("vae", "VAE")],
        &[],
        &["IMAGE"],
    ),
    ("SaveImage", &[("images", "IMAGE")], &["filename_prefix"], &[]),
];

fn core(class: &str) -> (Links, Names, Names) {
    let (_, links, widgets, outputs) = CORE.iter().find(|(name, ..)| *name == class).unwrap();
    (*links, *widgets, *outputs)
}

#[test]
fn the_server_gets_every_input_of_its_core_nodes() {
    let text = prompt(&made());
    assert!(text.is_ascii());
    let nodes: BTreeMap<String, Value> = serde_json::from_str(&text).unwrap();
    let mut classes: Vec<&str> = nodes
        .values()
        .map(|node| node["class_type"].as_str().unwrap())
        .collect();
    classes.sort_unstable();
    assert_eq!(
        classes,
        [
            "CLIPTextEncode",
            "CLIPTextEncode",
            "CheckpointLoaderSimple",
            "EmptyLatentImage",
            "KSampler",
            "LoraLoader",
            "LoraLoader",
            "SaveImage",
            "VAEDecode"
        ]
    );
    for node in nodes.values() {
        let (links, widgets, _) = core(node["class_type"].as_str().unwrap());
        let inputs = node["inputs"].as_object().unwrap();
        assert_eq!(
            inputs.len(),
            links.len() + widgets.iter().filter(|name| !name.is_empty()).count()
        );
        for (name, kind) in links {
            let from = &nodes[inputs[*name][0].as_str().unwrap()];
            let slot = inputs[*name][1].as_u64().unwrap() as usize;
            let (_, _, outputs) = core(from["class_type"].as_str().unwrap());
            assert_eq!(outputs[slot], *kind);
        }
        for name in widgets.iter().filter(|name| !name.is_empty()) {
            assert!(!inputs[*name].is_array(), "{name}");
        }
    }
    let sampler = nodes
        .values()
        .find(|node| node["class_type"] == "KSampler")
        .unwrap();
    assert_eq!(sampler["inputs"]["seed"], u64::MAX);
    assert_eq!(sampler["inputs"]["sampler_name"], "euler_ancestral");
    let texts: Vec<&str> = ["positive", "negative"]
        .iter()
        .map(|name| {
            nodes[sampler["inputs"][*name][0].as_str().unwrap()]["inputs"]["text"]
                .as_str()
                .unwrap()
        })
        .collect();
    assert_eq!(texts, ["zora, \"smiling\" — 漫画", "blurry"]);
    // The last LoRA feeds the sampler, and the first one reads the checkpoint.
    let last = &nodes[sampler["inputs"]["model"][0].as_str().unwrap()];
    assert_eq!(last["inputs"]["lora_name"], "ink: style.safetensors");
    let first = &nodes[last["inputs"]["model"][0].as_str().unwrap()];
    assert_eq!(first["inputs"]["lora_name"], "zora.safetensors");
    assert_eq!(first["inputs"]["strength_clip"], 0.8);
}

#[test]
fn the_page_gets_the_same_nodes_with_links_at_both_ends() {
    let text = workflow(&made());
    assert!(text.is_ascii());
    let graph: Value = serde_json::from_str(&text).unwrap();
    let nodes = graph["nodes"].as_array().unwrap();
    let links = graph["links"].as_array().unwrap();
    assert_eq!(graph["last_node_id"], nodes.len());
    assert_eq!(graph["last_link_id"], links.len());
    let node = |id: &Value| nodes.iter().find(|node| node["id"] == *id).unwrap();
    for link in links {
        let [id, from, from_slot, to, to_slot, kind] = link.as_array().unwrap().as_slice() else {
            panic!("a link has six fields: {link}");
        };
        let output = &node(from)["outputs"][from_slot.as_u64().unwrap() as usize];
        let input = &node(to)["inputs"][to_slot.as_u64().unwrap() as usize];
        assert!(output["links"].as_array().unwrap().contains(id));
        assert_eq!(
            (&input["link"], &output["type"], &input["type"]),
            (id, kind, kind)
        );
    }
    for node in nodes {
        let (inputs, widgets, outputs) = core(node["type"].as_str().unwrap());
        assert_eq!(node["inputs"].as_array().unwrap().len(), inputs.len());
        assert_eq!(node["outputs"].as_array().unwrap().len(), outputs.len());
        assert_eq!(node["widgets_values"].as_array().unwrap().len(), widgets.len());
    }
    let sampler = nodes.iter().find(|node| node["type"] == "KSampler").unwrap();
    assert_eq!(
        sampler["widgets_values"],
        serde_json::json!([u64::MAX, "fixed", 20, 7.5, "euler_ancestral", "ddim_uniform", 1.0])
    );
}
