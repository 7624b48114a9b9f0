use super::{InitialNoise, Made, MadeBase, MadeLora};
use crate::{ModelVersionId, base::Prediction, generation::Sampler};

/// A record with everything in it.
pub(super) fn made() -> Made {
    let hash = |digit: &str| digit.repeat(64);
    Made {
        version: 1,
        program: "Morpheus 0.1.0".into(),
        base: MadeBase {
            name: "sd_xl_base_1.0.safetensors".into(),
            fingerprint: hash("2"),
            sha256: Some(hash("3")),
            prediction: Some(Prediction::VZeroSnr),
        },
        prompt: "zora, \"smiling\" — 漫画".into(),
        negative_prompt: Some("blurry".into()),
        literal: true,
        max_tokens: 225,
        loras: vec![
            MadeLora {
                name: "zora".into(),
                weight: 0.8,
                partial: true,
                sha256: Some(hash("4")),
                data_sha256: Some(hash("5")),
                model_version_id: Some(ModelVersionId::new()),
                trained_steps: None,
            },
            MadeLora {
                name: "ink: style".into(),
                weight: -0.5,
                partial: false,
                sha256: Some(hash("6")),
                data_sha256: Some(hash("7")),
                model_version_id: None,
                trained_steps: Some(3),
            },
        ],
        seed: u64::MAX,
        n_steps: 20,
        guidance: 7.5,
        width: 832,
        height: 1216,
        sampler: Sampler::EulerA,
        initial_noise: None,
    }
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let full = Made {
        initial_noise: Some(InitialNoise {
            sha256: "8".repeat(64),
            index: 2,
        }),
        ..made()
    };
    // The shortest text of a number gives the number again, to its last bit.
    let numbers = [
        0.1 + 0.2,
        1.0 / 3.0,
        0.850_000_000_000_000_1,
        f64::from(0.7_f32),
        4.0_f64.next_down(),
    ];
    for weight in numbers {
        let mut made = full.clone();
        made.loras[0].weight = weight;
        made.guidance = 1.0 + weight;
        let json = made.to_json();
        assert!(json.is_ascii(), "{json}");
        assert_eq!(Made::parse(&json).unwrap(), made);
    }
    let least = Made {
        negative_prompt: None,
        literal: false,
        max_tokens: 75,
        loras: Vec::new(),
        seed: 7,
        ..made()
    };
    assert!(least.to_json().contains("\"seed\":7,"));
    assert_eq!(Made::parse(&least.to_json()).unwrap(), least);
}

#[test]
fn a_record_that_no_picture_can_have_is_refused_by_its_field() {
    let json = made().to_json();
    for (from, to, expected) in [
        (
            "\"version\":1",
            "\"version\":2",
            "version 2 of the record is newer",
        ),
        (
            "\"n_steps\":20",
            "\"n_steps\":151",
            "n_steps of the record must be from 1 to 150",
        ),
        (
            "\"guidance\":7.5",
            "\"guidance\":1e9",
            "guidance of the record must be from 1 to 30",
        ),
        (
            "\"width\":832",
            "\"width\":833",
            "width of the record must be a multiple of 8",
        ),
        (
            "\"height\":1216",
            "\"height\":99999",
            "height of the record must be a multiple of 8",
        ),
        (
            "\"weight\":0.8",
            "\"weight\":-5",
            "loras[0].weight of the record must be from -4 to 4",
        ),
        ("4444", "444g", "loras[0].sha256 of the record must be a SHA-256"),
        ("2222", "22", "base.fingerprint of the record must be a SHA-256"),
        (
            "\"zora\"",
            "\"zo\\nra\"",
            "loras[0].name of the record must not contain U+000A",
        ),
        (
            "\"seed\":\"18446744073709551615\"",
            "\"seed\":-1",
            "the seed must be a number",
        ),
        (
            "\"n_steps\":20",
            "\"n_steps\":20,\"path\":\"/home\"",
            "unknown field `path`",
        ),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from}");
        let error = Made::parse(&damaged).unwrap_err();
        let said = crate::problem::chain(&error);
        assert!(said.contains(expected), "{from}: {said}");
    }
}
