use expect_test::expect;
use serde_json::json;

use super::*;

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    #[serde(with = "super")]
    samples: Vec<SamplePrompt>,
}

#[derive(Debug, Deserialize)]
struct Requested {
    #[serde(deserialize_with = "deserialize_request")]
    samples: Vec<SamplePrompt>,
}

fn whole() -> SamplePrompt {
    SamplePrompt {
        prompt: "zora".into(),
        negative_prompt: Some("blurry".into()),
        seed: Some(u64::MAX),
        width: Some(832),
        height: Some(1216),
        n_steps: Some(28),
        guidance: Some(6.5),
        sampler: Some(Sampler::Dpmpp2m),
        lora_weight: Some(0.8),
    }
}

#[test]
fn a_prompt_alone_is_a_text() {
    let written = Written {
        samples: vec!["zora, smiling".into(), whole()],
    };
    let text = serde_json::to_value(&written).unwrap();
    assert_eq!(
        text,
        json!({ "samples": ["zora, smiling", {
            "prompt": "zora", "negative_prompt": "blurry", "seed": "18446744073709551615", "width": 832, "height": 1216,
            "n_steps": 28, "guidance": 6.5, "sampler": "dpmpp2m", "lora_weight": 0.8,
        }] })
    );
    let read: Written = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(read.samples, written.samples);
    let requested: Requested = serde_json::from_value(text).unwrap();
    assert_eq!(requested.samples, written.samples);
}

#[test]
fn people_are_told_of_fields_that_there_are_not() {
    let new = json!({ "samples": [{ "prompt": "zora", "colour": "red", "steps": 12 }] });
    let read: Written = serde_json::from_value(new.clone()).unwrap();
    assert_eq!(read.samples[0].n_steps, Some(12));
    let refused =
        |text: serde_json::Value| serde_json::from_value::<Requested>(text).unwrap_err().to_string();
    assert!(refused(new).starts_with("unknown field `colour`, expected one of `prompt`, "));
    assert!(refused(json!({ "samples": [{ "seed": 1 }] })).starts_with("missing field `prompt`"));
    assert_eq!(
        refused(json!({ "samples": [7] })),
        "invalid type: integer `7`, expected a prompt, or an object with one"
    );
}

#[test]
fn what_is_not_chosen_is_the_trainings() {
    let parameters = Parameters {
        seed: 42,
        resolution: 768,
        ..Parameters::default()
    };
    let sample = SamplePrompt::from("zora").resolve(3, &parameters);
    assert_eq!((sample.seed, sample.width, sample.height), (45, 768, 768));
    assert_eq!(
        (sample.n_steps, sample.guidance, sample.lora_weight),
        (20, 5.0, 1.0)
    );
    assert_eq!((sample.sampler, sample.negative_prompt), (Sampler::Euler, None));

    let sample = whole().resolve(3, &parameters);
    assert_eq!((sample.seed, sample.width, sample.height), (u64::MAX, 832, 1216));
    assert_eq!(
        (sample.n_steps, sample.guidance, sample.lora_weight),
        (28, 6.5, 0.8)
    );
    assert_eq!(sample.negative_prompt.as_deref(), Some("blurry"));
}

#[test]
fn each_wrong_field_is_named() {
    let wrong = SamplePrompt {
        width: Some(100),
        n_steps: Some(0),
        guidance: Some(f64::NAN),
        lora_weight: Some(9.0),
        negative_prompt: Some("x".repeat(4001)),
        ..whole()
    };
    let told = |sample: &SamplePrompt, engine| -> Vec<String> {
        let problems = sample.problems("sample_prompts[1]", engine);
        problems
            .iter()
            .map(|err| format!("{}: {}", err.field, err.message))
            .collect()
    };
    expect![[r#"
        sample_prompts[1].negative_prompt: must have at most 4000 characters
        sample_prompts[1].width: must be a multiple of 8 from 64 to 2048, not 100
        sample_prompts[1].n_steps: must be from 1 to 150, not 0
        sample_prompts[1].guidance: must be from 1 to 30, not NaN
        sample_prompts[1].lora_weight: must be from -4 to 4, not 9"#]]
    .assert_eq(&told(&wrong, Engine::Native).join("\n"));
    assert_eq!(
        told(&whole(), Engine::Kohya),
        [
            "sample_prompts[1].lora_weight: must be 1 for the kohya engine, which draws previews with the LoRA at full \
             strength; the native engine has it"
        ]
    );
    assert_eq!(
        told(&"x".repeat(4001).into(), Engine::Native),
        ["sample_prompts[1]: must have at most 4000 characters"]
    );
    assert_eq!(told(&whole(), Engine::Native), Vec::<String>::new());
}

#[test]
fn lines_of_sd_scripts_are_read() {
    let read = |line: &str| PromptLine::read(line).unwrap().unwrap();
    let whole = read(
        "masterpiece, zora --n low quality, (bad:1.2) --w 833 --h 1216 --D 7 --l 7.5 --s 28 --ss euler_a",
    );
    assert_eq!(whole.left_out, Vec::<String>::new());
    assert_eq!(
        whole.sample,
        SamplePrompt {
            prompt: "masterpiece, zora".into(),
            negative_prompt: Some("low quality, (bad:1.2)".into()),
            seed: Some(7),
            width: Some(832),
            height: Some(1216),
            n_steps: Some(28),
            guidance: Some(7.5),
            sampler: Some(Sampler::EulerA),
            lora_weight: None,
        }
    );
    assert_eq!(read("  a plain one ").sample, "a plain one".into());
    let strange = read("zora --ss heun --cn edges.png --g 3");
    assert_eq!(strange.left_out, ["--ss heun", "--cn edges.png", "--g 3"]);
    assert_eq!(strange.sample, "zora".into());
    for nothing in ["", "   ", "# a comment"] {
        assert_eq!(PromptLine::read(nothing), Ok(None));
    }
    assert_eq!(
        PromptLine::read("zora --w wide"),
        Err("`--w wide` is not a number".to_owned())
    );
}
