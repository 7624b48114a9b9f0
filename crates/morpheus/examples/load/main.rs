//! Load on a real server with PostgreSQL and Redis: open sockets, metric events, uploads. `make load` runs it;
//! with `--write` the figures go into docs/benchmarks.md. The exit status is 1 when a target is missed.

mod cluster;
mod metrics;
mod sockets;
mod upload;

use std::{io::Write as _, path::Path, process::ExitCode};

use anyhow::Context as _;

use self::cluster::Cluster;

/// A figure and what it has to be.
struct Figure {
    what: &'static str,
    target: String,
    found: String,
    is_met: bool,
}

/// The part of docs/benchmarks.md that is written here goes from this line to the end.
const MARK: &str = "<!-- from here on: make load LOAD_ARGS=--write -->";

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let figures = runtime.block_on(measure())?;
    let page = page(&figures);
    std::io::stdout().write_all(page.as_bytes())?;
    if std::env::args().any(|argument| argument == "--write") {
        write(&page)?;
    }
    Ok(if figures.iter().all(|figure| figure.is_met) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn measure() -> anyhow::Result<Vec<Figure>> {
    let cluster = Cluster::start().await?;
    let mut figures = vec![upload::measure(&cluster).await?];
    let agents = cluster.agents(sockets::N_JOBS).await?;
    eprintln!("{} agents have claimed their jobs", agents.len());
    figures.extend(sockets::measure(&cluster, &agents).await?);
    figures.push(metrics::measure(&agents).await?);
    Ok(figures)
}

fn page(figures: &[Figure]) -> String {
    let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
    let build = if cfg!(debug_assertions) {
        "the profile of the tests"
    } else {
        "the release profile"
    };
    let mut page = format!(
        "{MARK}\n\n## The control plane under load\n\n\
         One `morpheus serve` with PostgreSQL (as tests start it: it does not wait for the disk) and Redis, and \
         everything that asks it, on the same machine with {n_cores} cores, built in {build}. `make load` measures it again, `make load LOAD_ARGS=--write` also \
         writes it here.\n\n\
         | what | target | found |\n|---|---|---|\n"
    );
    for figure in figures {
        let verdict = if figure.is_met { "" } else { " (missed)" };
        page += &format!(
            "| {} | {} | {}{verdict} |\n",
            figure.what, figure.target, figure.found
        );
    }
    page
}

fn write(page: &str) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    let whole = std::fs::read_to_string(&path).unwrap_or_else(|_| "# Benchmarks\n\n".to_owned());
    let kept = whole.split(MARK).next().unwrap_or_default();
    std::fs::write(&path, format!("{kept}{page}"))
        .with_context(|| format!("failed to write `{}`", path.display()))
}
