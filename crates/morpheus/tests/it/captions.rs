//! Captions by a tagger and by a model behind an endpoint, from the command line.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use candle_core::{DType, Tensor};
use diffusion::device::HOST;
use image::{Rgb, RgbImage};
use serde_json::{Value, json};

use crate::support::{fail, morpheus, path, succeed};

const TAGS: &str =
    "tag_id,name,category,count\n1,general,9,1\n2,1girl,0,5\n3,red_hat,0,4\n4,zora_(comic),4,3\n";

/// Pictures, of which one has a caption.
fn pictures() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (i, name) in ["a.png", "b.png"].into_iter().enumerate() {
        let pixels = RgbImage::from_pixel(96, 64, Rgb([100 * i as u8, 90, 200]));
        pixels.save(folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join("b.txt"), "my words").unwrap();
    folder
}

/// A tagger whose head says the same of all pictures: its matrix is zero and its bias gives the scores.
fn tagger() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"architecture": "vit_tiny", "model_args": {"act_layer": "gelu_tanh"}}"#;
    fs::write(folder.path().join("config.json"), config).unwrap();
    fs::write(folder.path().join("selected_tags.csv"), TAGS).unwrap();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &HOST).unwrap();
    let mut tensors = HashMap::new();
    let mut add = |name: &str, shape: &[usize]| tensors.insert(name.to_owned(), zeros(shape));
    add("patch_embed.proj.weight", &[8, 3, 8, 8]);
    add("patch_embed.proj.bias", &[8]);
    add("pos_embed", &[1, 16, 8]);
    for (name, n_in, n_out) in [
        ("blocks.0.attn.qkv", 8, 24),
        ("blocks.0.attn.proj", 8, 8),
        ("blocks.0.mlp.fc1", 8, 16),
        ("blocks.0.mlp.fc2", 16, 8),
    ] {
        add(&format!("{name}.weight"), &[n_out, n_in]);
        add(&format!("{name}.bias"), &[n_out]);
    }
    for name in ["blocks.0.norm1", "blocks.0.norm2", "norm"] {
        add(&format!("{name}.weight"), &[8]);
        add(&format!("{name}.bias"), &[8]);
    }
    add("head.weight", &[4, 8]);
    let scores = Tensor::new(&[3.0_f32, 2.0, 1.0, 1.5], &HOST).unwrap();
    tensors.insert("head.bias".to_owned(), scores);
    candle_core::safetensors::save(&tensors, folder.path().join("model.safetensors")).unwrap();
    folder
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_tagger_proposes_and_writes_only_when_told() {
    let (folder, tagger) = (pictures(), tagger());
    let tag = |more: &[&str]| {
        let common = [
            "dataset",
            "tag",
            path(folder.path()),
            "--tagger",
            path(tagger.path()),
        ];
        succeed([&common[..], &["--trigger-word", "zrx"], more].concat())
    };
    let shown = tag(&[]);
    assert!(
        shown.contains("+ zrx, 1girl, red hat") && shown.contains("--write"),
        "{shown}"
    );
    assert!(!folder.path().join("a.txt").exists());
    let report: Value = serde_json::from_str(&tag(&["--write", "--json"])).unwrap();
    assert_eq!((&report["n_changed"], &report["n_kept"]), (&json!(1), &json!(1)));
    assert_eq!(read(folder.path(), "a.txt"), "zrx, 1girl, red hat\n");
    assert_eq!(read(folder.path(), "b.txt"), "my words");
    // Somebody takes a tag out, and it stays out.
    fs::write(folder.path().join("a.txt"), "zrx, 1girl").unwrap();
    tag(&[
        "--write",
        "--add",
        "--character-threshold",
        "0.8",
        "--exclude",
        "1girl",
    ]);
    assert_eq!(read(folder.path(), "a.txt"), "zrx, 1girl, zora (comic)\n");
    assert_eq!(
        read(folder.path(), "b.txt"),
        "zrx, my words, zora (comic), red hat\n"
    );
    // What was added to is still what a person wrote.
    tag(&["--write"]);
    assert_eq!(read(folder.path(), "a.txt"), "zrx, 1girl, zora (comic)\n");
    assert_eq!(
        read(folder.path(), "b.txt"),
        "zrx, my words, zora (comic), red hat\n"
    );
}

/// Answers each request with a sentence or, where the status is no 200, with an error, and hands over what it was asked.
fn endpoint(statuses: &'static [u16]) -> (String, thread::JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let connections = statuses.iter().zip(listener.incoming());
        connections
            .map(|(status, connection)| answer(connection.unwrap(), *status))
            .collect()
    });
    (url, serving)
}

fn answer(mut connection: TcpStream, status: u16) -> Value {
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let said = match status {
        200 => json!({ "choices": [{ "message": { "content": "A woman in a hat." } }] }),
        _ => json!({ "error": { "message": "not this one" } }),
    };
    let said = said.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        said.len()
    );
    connection.write_all((head + &said).as_bytes()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[test]
fn a_model_behind_an_endpoint_describes_what_nobody_has_captioned() {
    let folder = pictures();
    let (url, serving) = endpoint(&[200]);
    let describe = || {
        let mut command = morpheus();
        command.args(["dataset", "describe", path(folder.path()), "--endpoint", &url]);
        command.args(["--model", "llava", "--prompt", "What is {name}?", "--write"]);
        command
    };
    let refused = describe().output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && said.contains("--allow-fetch-from"),
        "{said}"
    );
    for _ in 0..2 {
        // The second time, there is nothing to ask.
        let output = describe()
            .args(["--allow-fetch-from", "127.0.0.0/8"])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(read(folder.path(), "a.txt"), "A woman in a hat.\n");
    assert_eq!(read(folder.path(), "b.txt"), "my words");
    let asked = serving.join().unwrap();
    let content = &asked[0]["messages"][0]["content"];
    assert_eq!(content[0]["text"], "What is a?");
    let picture = content[1]["image_url"]["url"].as_str().unwrap();
    assert!(picture.starts_with("data:image/png;base64,iVBOR"), "{picture}");
}

#[test]
fn a_picture_that_a_model_refuses_does_not_keep_the_others_waiting() {
    let folder = pictures();
    fs::remove_file(folder.path().join("b.txt")).unwrap();
    let describe = |url: &str| {
        let mut command = morpheus();
        command.args(["dataset", "describe", path(folder.path()), "--endpoint", url]);
        command.args(["--model", "llava", "--write", "--json"]);
        command.args(["--allow-fetch-from", "127.0.0.0/8"]);
        command.output().unwrap()
    };
    let (url, serving) = endpoint(&[400, 200]);
    let output = describe(&url);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["n_changed"], 1);
    assert_eq!(report["refused"][0]["file_name"], "a.png");
    let reason = report["refused"][0]["reason"].as_str().unwrap();
    assert!(
        reason.contains("400") && reason.contains("not this one"),
        "{reason}"
    );
    assert_eq!(read(folder.path(), "b.txt"), "A woman in a hat.\n");
    assert_eq!(serving.join().unwrap().len(), 2);
    // A key that is wrong is wrong for all.
    let (url, serving) = endpoint(&[401]);
    let output = describe(&url);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert_eq!(serving.join().unwrap().len(), 1);
}

#[test]
fn a_tagger_that_is_none_is_named() {
    let folder = pictures();
    let err = fail(["dataset", "tag", path(folder.path()), "--tagger", "nothing"]);
    assert!(
        err.contains("nothing") && err.contains("SmilingWolf/wd-vit-tagger-v3"),
        "{err}"
    );
}
