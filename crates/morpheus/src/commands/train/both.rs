//! The same training with each engine, and what came of it side by side.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, ensure};
use diffusion::weights::TensorFile;
use protocol::{model::Verdict, recipe::Engine};
use serde_json::{Value, json};

use super::{
    Setup, check_free, check_kohya, dry_run,
    journal::{Journal, Record},
    lora_path, newest_checkpoint,
    parity::{self, Parity, Side},
    report::Reporter,
    verdict_path,
};
use crate::output;

/// In the order in which they are trained and shown.
const ENGINES: [Engine; 2] = [Engine::Native, Engine::Kohya];

/// Where everything is in the output folder.
struct Layout<'a> {
    output: &'a Path,
}

impl Layout<'_> {
    fn folder(&self, engine: Engine) -> PathBuf {
        self.output.join(parity::name(engine))
    }

    /// What the engine said.
    fn journal(&self, engine: Engine) -> PathBuf {
        self.output.join(format!("{}.jsonl", parity::name(engine)))
    }

    /// What is trained, so that a run which goes on trains the same.
    fn note(&self) -> PathBuf {
        self.output.join("run.json")
    }

    fn page(&self) -> PathBuf {
        self.output.join("parity.html")
    }

    fn comparison(&self) -> PathBuf {
        self.output.join("parity.json")
    }
}

/// Trains with both and writes the page. What one of them would refuse is refused before either trains.
pub(super) fn run(setup: &Setup) -> anyhow::Result<()> {
    let layout = Layout {
        output: &setup.output,
    };
    check_kohya(&setup.kohya)?;
    dry_run::plan(setup, &layout.folder(Engine::Kohya))?;
    let note = json!({
        "recipe": setup.recipe,
        "pictures": setup.pictures.manifest.items,
    });
    if setup.resume {
        check_same(&layout.note(), &note)?;
    } else {
        for engine in ENGINES {
            check_free(&lora_path(&setup.recipe, &layout.folder(engine)))?;
        }
        check_free(&layout.note())?;
        fs::create_dir_all(&setup.output)
            .with_context(|| format!("failed to create the folder `{}`", setup.output.display()))?;
        write(&layout.note(), serde_json::to_vec_pretty(&note)?)?;
    }
    let reporter = Reporter::new(setup.json);
    reporter.dataset(&setup.pictures);
    reporter.findings(&setup.recipe, &setup.pictures);
    reporter.recipe(&setup.recipe, &setup.pictures);
    for engine in ENGINES {
        train(setup, &layout, engine, &reporter)?;
    }
    let parity = compare(setup, &layout)?;
    write(&layout.comparison(), serde_json::to_vec_pretty(&parity.json())?)?;
    write(&layout.page(), parity.page())?;
    finish(setup, &layout, &parity, &reporter)
}

fn train(setup: &Setup, layout: &Layout<'_>, engine: Engine, reporter: &Reporter) -> anyhow::Result<()> {
    let (folder, name) = (layout.folder(engine), parity::name(engine));
    // The verdict is written last.
    if setup.resume && lora_path(&setup.recipe, &folder).exists() && verdict_path(&folder).exists() {
        reporter.say(&format!(
            "The {name} engine has already finished; it is not run again."
        ));
        return Ok(());
    }
    reporter.say(&format!("Training with the {name} engine"));
    // One that was interrupted early, or never begun, has nothing to go on from.
    let resume_from = newest_checkpoint(&folder, engine).ok().filter(|_| setup.resume);
    let mut journal = match resume_from {
        Some(_) => Journal::go_on(layout.journal(engine), &folder)?,
        None => Journal::begin(layout.journal(engine), &folder)?,
    };
    let trained = setup.train(engine, &folder, resume_from, reporter, Some(&mut journal));
    trained.with_context(|| format!("the {name} engine"))?;
    Ok(())
}

fn check_same(path: &Path, note: &Value) -> anyhow::Result<()> {
    let found = fs::read(path).with_context(|| {
        format!(
            "there is no run of both engines to resume: failed to read `{}`; omit --resume",
            path.display()
        )
    })?;
    let found: Value =
        serde_json::from_slice(&found).with_context(|| format!("failed to parse `{}`", path.display()))?;
    let differs: Vec<&str> = ["recipe", "pictures"]
        .into_iter()
        .filter(|part| found[part] != note[part])
        .collect();
    ensure!(
        differs.is_empty(),
        "`{}` belongs to a run with another {}: choose another folder with --output, or omit --resume",
        path.display(),
        differs.join(" and other ")
    );
    Ok(())
}

fn compare(setup: &Setup, layout: &Layout<'_>) -> anyhow::Result<Parity> {
    let side = |engine| {
        let folder = layout.folder(engine);
        let verdict = verdict_path(&folder);
        let read = fs::read(&verdict).with_context(|| format!("failed to read `{}`", verdict.display()))?;
        let verdict: Verdict = serde_json::from_slice(&read)
            .with_context(|| format!("failed to parse `{}`", verdict.display()))?;
        anyhow::Ok(Side {
            engine,
            lora: lora_path(&setup.recipe, &folder),
            verdict,
            record: Record::read(&layout.journal(engine), &folder)?,
        })
    };
    let sides = [side(ENGINES[0])?, side(ENGINES[1])?];
    let files = diffusion::lora::compare::compare(
        &TensorFile::open(&sides[0].lora)?,
        &TensorFile::open(&sides[1].lora)?,
    )
    .context("failed to compare the two files")?;
    Ok(Parity::new(setup.recipe.clone(), sides, files))
}

fn finish(setup: &Setup, layout: &Layout<'_>, parity: &Parity, reporter: &Reporter) -> anyhow::Result<()> {
    let [native, kohya] = &parity.sides;
    if setup.json {
        let side = |side: &Side| {
            json!({
                "lora": side.lora,
                "verdict": verdict_path(&layout.folder(side.engine)),
                "passed": side.verdict.passed,
                "n_steps": side.record.steps.len(),
            })
        };
        output::json(&json!({
            "type": "finished",
            "native": side(native),
            "kohya": side(kohya),
            "page": layout.page(),
            "comparison": {
                "file": layout.comparison(),
                "losses": parity.runs,
                "total": parity.files.total,
            },
        }))?;
    } else {
        for line in parity.summary() {
            reporter.say(&line);
        }
        reporter.say(&format!("page     {}", layout.page().display()));
    }
    for side in &parity.sides {
        let verdict = verdict_path(&layout.folder(side.engine));
        ensure!(
            side.verdict.passed,
            "the LoRA of the {} engine did not pass its validation: see `{}`",
            parity::name(side.engine),
            verdict.display()
        );
    }
    Ok(())
}

fn write(path: &Path, content: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::write(path, content).with_context(|| format!("failed to write `{}`", path.display()))
}
