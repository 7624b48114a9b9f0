//! An agent whose engine only pretends to train: for tests of the control plane, where hundreds of jobs must run
//! in a minute. Everything else is the real agent's. `morpheus serve --agent-program` starts it.
//!
//! It makes its steps at an even pace, 20 ms each unless `PRETEND_STEP_MS` says otherwise, writes a checkpoint
//! when the recipe says so, goes on from one, and obeys orders.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::mpsc, time::Duration};

use agent::engine::{Ended, EngineError, Job, JudgeShare, Next, Tell, TrainEvent, Trained};
use anyhow::{Context as _, bail};
use protocol::{
    agent::{ArtifactKind, Directive, Report},
    event::StepMetrics,
    model::{REQUIRED_CHECKS, Verdict, VerdictCheck},
};
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ["agent", "--server", server] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] else {
        bail!("usage: pretend_agent agent --server URL, with MORPHEUS_TOKEN and MORPHEUS_WORK");
    };
    let config = agent::Config {
        base_cache_bytes: agent::DEFAULT_CACHE_BYTES,
        room: agent::memory::Room::default(),
        judging: JudgeShare::NONE,
        hub: fetch::HubOptions::default(),
        fetch_from: fetch::Ranges::default(),
        server: server
            .parse()
            .context("the server's address is not a valid URL")?,
        token: std::env::var("MORPHEUS_TOKEN").context("MORPHEUS_TOKEN is missing")?,
        machine: agent::machine::describe(None, Vec::new(), false, false),
        role: agent::Role::Train,
        work_dir: PathBuf::from(std::env::var_os("MORPHEUS_WORK").context("MORPHEUS_WORK is missing")?),
        idle_exit: Duration::from_secs(30),
        engine: pretend,
        kohya: None,
        diffusers: None,
        mailbox: None,
        link: agent::link::Link::none(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(agent::run(config, CancellationToken::new()))?;
    Ok(())
}

fn pretend(job: &Job, tell: Tell<'_>, next_order: Next<'_>) -> Result<Ended, EngineError> {
    let parameters = job.recipe.parameters();
    let start = match &job.resume_from {
        None => 0,
        Some(path) => {
            let text =
                fs::read_to_string(path).map_err(|err| format!("failed to read the checkpoint: {err}"))?;
            let step = text.split_whitespace().next().and_then(|step| step.parse().ok());
            step.ok_or("the checkpoint holds no step")?
        }
    };
    let checkpoint = |step: u32| {
        let path = write(job, &format!("checkpoint-{step}"), step)?;
        tell(TrainEvent::Wrote {
            kind: ArtifactKind::Checkpoint { step },
            path,
        });
        Ok::<(), String>(())
    };
    let mut is_finishing = false;
    let mut n_done = start;
    for step in start + 1..=parameters.n_steps {
        if is_finishing {
            break;
        }
        wait_for_step();
        n_done = step;
        tell(TrainEvent::Report(Report::Step(metrics(
            step,
            parameters.n_steps,
        ))));
        // A pretended epoch has one step.
        let every = parameters.checkpoint_every(1);
        if every > 0 && step % every == 0 && step < parameters.n_steps {
            checkpoint(step)?;
        }
        while let Some(order) = next_order() {
            match order {
                Directive::Cancel => return Ok(Ended::Cancelled),
                Directive::Stop => {
                    checkpoint(step)?;
                    return Ok(Ended::Stopped);
                }
                Directive::Checkpoint => checkpoint(step)?,
                Directive::Sample => {}
                Directive::Finish => {
                    checkpoint(step)?;
                    is_finishing = true;
                }
            }
        }
    }
    tell(TrainEvent::Report(Report::Finalizing));
    let lora = job.folder.join("pretended.safetensors");
    let salt = job.folder.display().to_string();
    fs::write(&lora, sim::files::lora(usize::from(parameters.rank), &salt))
        .map_err(|err| format!("failed to write `{}`: {err}", lora.display()))?;
    Ok(Ended::Completed(Box::new(Trained {
        lora,
        n_steps: n_done,
        verdict: verdict(),
        metadata: BTreeMap::new(),
        before: None,
        after: None,
        judgement: None,
    })))
}

/// Training takes time, which is pretended by waiting.
fn wait_for_step() {
    let pace = std::env::var("PRETEND_STEP_MS")
        .ok()
        .and_then(|pace| pace.parse().ok());
    let (_never, silence) = mpsc::channel::<()>();
    // It ends by its timeout: nobody sends.
    let _ = silence.recv_timeout(Duration::from_millis(pace.unwrap_or(20)));
}

/// A file that no other job's or step's equals.
fn write(job: &Job, name: &str, step: u32) -> Result<PathBuf, String> {
    let path = job.folder.join(name);
    let text = format!("{step} {}\n", job.folder.display());
    fs::write(&path, text).map_err(|err| format!("failed to write `{}`: {err}", path.display()))?;
    Ok(path)
}

fn metrics(step: u32, n_steps: u32) -> StepMetrics {
    let loss = 1.0 / f64::from(step);
    StepMetrics {
        step,
        n_steps,
        epoch: 1,
        n_epochs: 1,
        loss,
        average_loss: loss,
        learning_rate: 1e-4,
        gradient_norm: 1.0,
        step_ms: 20.0,
        eta_seconds: 0.0,
    }
}

fn verdict() -> Verdict {
    Verdict {
        passed: true,
        checks: REQUIRED_CHECKS
            .map(|name| VerdictCheck {
                name: name.to_owned(),
                passed: true,
                detail: "nothing was trained".to_owned(),
            })
            .into(),
        validation: None,
        picture_change: None,
        module_norms: Vec::new(),
    }
}
