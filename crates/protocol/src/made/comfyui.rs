//! A picture's settings as nodes of ComfyUI, with nothing but its core nodes: `prompt` is what its server executes, and
//! `workflow` what its page shows when a picture is dropped on it.
//!
//! ComfyUI's scheduler `ddim_uniform` chooses the timesteps that diffusers' leading spacing does, which SDXL has. Noise
//! is PyTorch's on the CPU in both, so the pictures are close, but not equal to the bit.

use serde_json::{Map, Value, json};

use super::{Made, a1111, ascii};
use crate::generation::Sampler;

/// Keyword of the nodes that its server executes.
pub const PROMPT: &str = "prompt";
/// Keyword of the nodes that its page shows.
pub const WORKFLOW: &str = "workflow";

/// An output of a node.
#[derive(Debug, Clone, Copy)]
struct Output {
    node: usize,
    slot: usize,
}

/// What goes into a node.
enum Input {
    /// The output of another one.
    Link(&'static str, &'static str, Output),
    /// A value that is set on the node.
    Widget(&'static str, Value),
}

/// A node in both forms.
struct Node {
    class: &'static str,
    inputs: Vec<Input>,
    /// Names and types.
    outputs: &'static [(&'static str, &'static str)],
    /// Column and row on the page.
    place: (usize, usize),
}

/// A sampler's name.
pub fn sampler_name(sampler: Sampler) -> &'static str {
    match sampler {
        Sampler::Euler => "euler",
        Sampler::EulerA => "euler_ancestral",
        Sampler::Ddim => "ddim",
        Sampler::Dpmpp2m => "dpmpp_2m",
    }
}

/// The text `prompt`.
pub fn prompt(made: &Made) -> String {
    let nodes = nodes(made);
    let written = nodes.iter().enumerate().map(|(index, node)| {
        let inputs: Map<String, Value> = node
            .inputs
            .iter()
            .map(|input| match input {
                Input::Link(name, _, from) => {
                    ((*name).to_owned(), json!([id(from.node).to_string(), from.slot]))
                }
                Input::Widget(name, value) => ((*name).to_owned(), value.clone()),
            })
            // It belongs to the page, not to the node.
            .filter(|(name, _)| name != "control_after_generate")
            .collect();
        let node = json!({ "class_type": node.class, "inputs": inputs, "_meta": { "title": node.class } });
        (id(index).to_string(), node)
    });
    ascii(&Value::Object(written.collect()).to_string())
}

/// The text `workflow`.
pub fn workflow(made: &Made) -> String {
    let nodes = nodes(made);
    let mut links: Vec<Value> = Vec::new();
    // Of each node, the links at each output.
    let mut leaving: Vec<Vec<Vec<usize>>> = nodes
        .iter()
        .map(|node| vec![Vec::new(); node.outputs.len()])
        .collect();
    let mut arriving: Vec<Vec<Value>> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut inputs = Vec::new();
        for input in &node.inputs {
            let Input::Link(name, kind, from) = input else {
                continue;
            };
            let link = links.len() + 1;
            links.push(json!([
                link,
                id(from.node),
                from.slot,
                id(index),
                inputs.len(),
                kind
            ]));
            leaving[from.node][from.slot].push(link);
            inputs.push(json!({ "name": name, "type": kind, "link": link }));
        }
        arriving.push(inputs);
    }
    let shown: Vec<Value> = nodes
        .iter()
        .enumerate()
        .zip(arriving)
        .map(|((index, node), inputs)| {
            let outputs: Vec<Value> = node
                .outputs
                .iter()
                .zip(&leaving[index])
                .enumerate()
                .map(|(slot, ((name, kind), links))| {
                    json!({ "name": name, "type": kind, "links": links, "slot_index": slot })
                })
                .collect();
            let widgets: Vec<&Value> = node
                .inputs
                .iter()
                .filter_map(|input| match input {
                    Input::Widget(_, value) => Some(value),
                    Input::Link(..) => None,
                })
                .collect();
            let (column, row) = node.place;
            json!({
                "id": id(index),
                "type": node.class,
                "pos": [column * 360, row * 260],
                "size": [320, 200],
                "flags": {},
                "order": index,
                "mode": 0,
                "inputs": inputs,
                "outputs": outputs,
                "properties": { "Node name for S&R": node.class },
                "widgets_values": widgets,
            })
        })
        .collect();
    let workflow = json!({
        "last_node_id": nodes.len(),
        "last_link_id": links.len(),
        "nodes": shown,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    });
    ascii(&workflow.to_string())
}

/// Ids begin with 1.
fn id(index: usize) -> usize {
    index + 1
}

/// Every node comes after those that it reads from.
fn nodes(made: &Made) -> Vec<Node> {
    let mut nodes = vec![Node {
        class: "CheckpointLoaderSimple",
        inputs: vec![Input::Widget("ckpt_name", file(&made.base.name))],
        outputs: &[("MODEL", "MODEL"), ("CLIP", "CLIP"), ("VAE", "VAE")],
        place: (0, 0),
    }];
    let from = |node, slot| Output { node, slot };
    let (mut model, mut clip, vae) = (from(0, 0), from(0, 1), from(0, 2));
    for lora in &made.loras {
        let node = nodes.len();
        nodes.push(Node {
            class: "LoraLoader",
            inputs: vec![
                Input::Link("model", "MODEL", model),
                Input::Link("clip", "CLIP", clip),
                Input::Widget("lora_name", file(&lora.name)),
                Input::Widget("strength_model", lora.weight.into()),
                Input::Widget("strength_clip", lora.weight.into()),
            ],
            outputs: &[("MODEL", "MODEL"), ("CLIP", "CLIP")],
            place: (node, 0),
        });
        (model, clip) = (from(node, 0), from(node, 1));
    }
    let first = nodes.len();
    let encode = |row, text: String| Node {
        class: "CLIPTextEncode",
        inputs: vec![
            Input::Link("clip", "CLIP", clip),
            Input::Widget("text", text.into()),
        ],
        outputs: &[("CONDITIONING", "CONDITIONING")],
        place: (first, row),
    };
    nodes.push(encode(0, a1111::untagged(made)));
    nodes.push(encode(1, made.negative_prompt.clone().unwrap_or_default()));
    nodes.push(Node {
        class: "EmptyLatentImage",
        inputs: vec![
            Input::Widget("width", made.width.into()),
            Input::Widget("height", made.height.into()),
            Input::Widget("batch_size", 1.into()),
        ],
        outputs: &[("LATENT", "LATENT")],
        place: (first, 2),
    });
    nodes.push(Node {
        class: "KSampler",
        inputs: vec![
            Input::Link("model", "MODEL", model),
            Input::Link("positive", "CONDITIONING", from(first, 0)),
            Input::Link("negative", "CONDITIONING", from(first + 1, 0)),
            Input::Link("latent_image", "LATENT", from(first + 2, 0)),
            Input::Widget("seed", made.seed.into()),
            Input::Widget("control_after_generate", "fixed".into()),
            Input::Widget("steps", made.n_steps.into()),
            Input::Widget("cfg", made.guidance.into()),
            Input::Widget("sampler_name", sampler_name(made.sampler).into()),
            Input::Widget("scheduler", "ddim_uniform".into()),
            Input::Widget("denoise", 1.0.into()),
        ],
        outputs: &[("LATENT", "LATENT")],
        place: (first + 1, 0),
    });
    nodes.push(Node {
        class: "VAEDecode",
        inputs: vec![
            Input::Link("samples", "LATENT", from(first + 3, 0)),
            Input::Link("vae", "VAE", vae),
        ],
        outputs: &[("IMAGE", "IMAGE")],
        place: (first + 2, 0),
    });
    nodes.push(Node {
        class: "SaveImage",
        inputs: vec![
            Input::Link("images", "IMAGE", from(first + 4, 0)),
            Input::Widget("filename_prefix", "Morpheus".into()),
        ],
        outputs: &[],
        place: (first + 3, 0),
    });
    nodes
}

/// ComfyUI names files with their extension.
fn file(name: &str) -> Value {
    let stem = a1111::stem(name);
    if stem == name {
        format!("{name}.safetensors").into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests;
