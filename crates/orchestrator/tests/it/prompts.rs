//! Prompts: tags become the library's LoRAs, and the counter says what would happen.

use orchestrator::ServiceError;
use protocol::{
    ModelVersionId,
    generation::{CreateGeneration, LoraWeight},
    prompt::{CountPrompts, PromptCount},
};
use serde_json::json;

use crate::fixture::{Bench, verdict};

/// A bench with one model, `zora`, that has one version.
async fn with_a_model() -> anyhow::Result<(Bench, ModelVersionId, String)> {
    let bench = Bench::new().await?;
    let (job, agent, held) = bench.claimed().await?;
    let finish = agent.completed(&held, verdict(&[])).await?;
    bench
        .orchestrator
        .finish(&agent.credential, held.id, finish)
        .await?;
    bench.machines.kill_all();
    let job = bench.job(job.id).await?;
    let version = job.model_version_id.ok_or_else(|| anyhow::anyhow!("a result"))?;
    Ok((bench, version, job.recipe.name().to_owned()))
}

fn request(prompt: &str) -> CreateGeneration {
    serde_json::from_value(json!({ "base_model": "tiny-xl", "prompt": prompt })).expect("a valid request")
}

async fn refused(bench: &Bench, request: CreateGeneration) -> String {
    let made = bench.orchestrator.create_generation(bench.owner(), request).await;
    match made.expect_err("it is refused") {
        ServiceError::Invalid(fields) => fields.to_string(),
        err => panic!("{err}"),
    }
}

#[tokio::test]
async fn tags_become_loras() -> anyhow::Result<()> {
    let (bench, version, name) = with_a_model().await?;
    let create = async |request| bench.orchestrator.create_generation(bench.owner(), request).await;
    let lora = |weight| LoraWeight {
        model_version_id: version,
        weight,
        partial: false,
    };
    // Upper and lower case are the same where that leaves one model.
    for written in [name.clone(), name.to_uppercase(), format!("{name}.safetensors")] {
        let made = create(request(&format!("(waves:1.2) <lora:{written}:0.5>"))).await?;
        assert_eq!(
            made.request.prompt, "(waves:1.2)",
            "the tag leaves, emphasis stays"
        );
        assert_eq!(made.request.loras, [lora(0.5)]);
    }
    // Two weights of one LoRA add up, wherever they stand.
    let mut both = request(&format!("<lora:{name}:0.25> waves <lyco:{name}:0.25>"));
    both.loras.push(lora(0.25));
    assert_eq!(create(both).await?.request.loras, [lora(0.75)]);
    // As letters they stay.
    let mut letters = request(&format!("<lora:{name}:0.5>"));
    letters.literal = true;
    let made = create(letters.clone()).await?;
    assert_eq!(
        (made.request.prompt, made.request.loras),
        (letters.prompt, Vec::new())
    );
    Ok(())
}

#[tokio::test]
async fn what_a_tag_cannot_mean_is_refused() -> anyhow::Result<()> {
    let (bench, version, name) = with_a_model().await?;
    let typo = format!("{name}x");
    assert_eq!(
        refused(&bench, request(&format!("<lora:{typo}:1>"))).await,
        format!(
            "prompt: `<lora:{typo}:1>` names `{typo}`, and there is no model of that name; did you mean `{name}`?"
        )
    );
    for (prompt, why) in [
        (format!("<lora:{name}:strong>"), "which is not a number"),
        (format!("<lora:{name}:9>"), "it must be from -4 to 4"),
        (
            format!("<lora:{name}:0.5:1>"),
            "a LoRA is applied with one weight",
        ),
        (
            format!("<lora:{name}:3><lora:{name}:3>"),
            "must add up to -4 to 4, not 6",
        ),
        (format!("<lo<lora:{name}>ra:{name}>"), "write each tag by itself"),
        ("BREAK ".repeat(33), "at most 32 are possible"),
    ] {
        let error = refused(&bench, request(&prompt)).await;
        assert!(error.starts_with("prompt: ") && error.contains(why), "{error}");
    }
    let mut negative = request("waves");
    negative.negative_prompt = format!("<lora:{name}>");
    let error = refused(&bench, negative).await;
    assert!(
        error.starts_with("negative_prompt: ") && error.contains("move it to the prompt"),
        "{error}"
    );

    bench.orchestrator.retire(bench.owner(), version).await?;
    let error = refused(&bench, request(&format!("<lora:{name}>"))).await;
    assert!(error.ends_with("of which every version is retired"), "{error}");
    Ok(())
}

#[tokio::test]
async fn the_counter_says_how_a_prompt_is_read() -> anyhow::Result<()> {
    let (bench, version, name) = with_a_model().await?;
    let count = async |counted: serde_json::Value| -> anyhow::Result<PromptCount> {
        let request: CountPrompts =
            serde_json::from_value(json!({ "prompts": [counted], "base_model": "tiny-xl" }))?;
        let mut counts = bench.orchestrator.count_prompts(bench.owner(), request).await?;
        counts.prompts.pop().ok_or_else(|| anyhow::anyhow!("one count"))
    };
    let tag = format!("<lora:{name}:0.8>");
    let found = count(json!({ "prompt": format!("é{}{tag}", " cat".repeat(160)) })).await?;
    assert_eq!((found.n_tokens, found.chunks), (161, vec![75, 75, 11]));
    // Characters, not bytes.
    assert_eq!(found.borders, [1 + 74 * 4, 1 + 149 * 4]);
    assert_eq!(found.loras[0].model_version_id, Some(version));
    assert_eq!((found.loras[0].weight, found.loras[0].version), (0.8, Some(1)));
    assert!(found.warnings.is_empty(), "{:?}", found.warnings);

    let found = count(json!({ "prompt": "(cat <lora:nobody:1>" })).await?;
    assert!(found.loras[0].model_version_id.is_none());
    assert_eq!(
        found.warnings,
        [
            "`<lora:nobody:1>` names `nobody`, and there is no model of that name",
            "`(` at character 1 is never closed: its emphasis reaches to the end (write `\\(` for a letter)",
        ]
    );
    let found = count(json!({ "prompt": tag, "takes_loras": false })).await?;
    assert!(
        found.warnings[0].ends_with("names a LoRA, which cannot be applied here"),
        "{found:?}"
    );
    let found = count(json!({ "prompt": "(cat <lora:nobody:1>", "literal": true })).await?;
    assert!(found.warnings.is_empty() && found.loras.is_empty() && found.n_tokens > 5);
    let found = count(json!({ "prompt": "cat ".repeat(80), "literal": true, "max_tokens": 75 })).await?;
    assert_eq!(
        found.warnings,
        ["has 80 tokens, and training reads 75: what follows character 299 is cut off"]
    );
    assert_eq!(count(json!({ "prompt": "" })).await?.chunks, [0]);
    Ok(())
}

#[tokio::test]
async fn previews_take_no_tags() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let mut job = bench.request();
    job.sample_prompts = vec!["zora".into(), "zora <lora:ink>".into()];
    let error = bench.orchestrator.estimate_job(bench.owner(), &job).await;
    let error = error.err().map(|err| err.to_string()).unwrap_or_default();
    assert!(
        error.contains("sample_prompts[1]: `<lora:ink>` names a LoRA"),
        "{error}"
    );
    Ok(())
}
