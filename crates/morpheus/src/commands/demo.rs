//! `morpheus demo`: a complete training, from upload to pictures, through the public HTTP API.

mod comparison;
mod font;
mod steps;

use std::{net::SocketAddr, path::PathBuf, time::Instant};

use anyhow::Context as _;
use protocol::JobId;
use serde::Serialize;
use store::audit;

use crate::{
    api::Api,
    logging,
    memory::PeakMemory,
    output, paths, private,
    product::Product,
    screen::Screen,
    settings::{DEFAULT_LISTEN, Settings},
    signals,
};

/// See [`crate::Command::Demo`].
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Exit when the job is done instead of leaving the server running
    #[arg(long)]
    exit: bool,
    /// Folder for all files of the demo [default: a new one in the default data folder]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port to listen on [default: 127.0.0.1:7860, or any free port if that is taken]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Print one JSON object at the end; all other output goes to standard error
    #[arg(long)]
    json: bool,
}

/// The results of the demo.
#[derive(Serialize)]
struct Summary {
    /// The trained LoRA.
    lora: PathBuf,
    /// The same prompts and seeds without and with it.
    comparison: PathBuf,
    /// The base model as a diffusers folder.
    base: PathBuf,
    job_id: JobId,
    /// From the start of the program to the comparison.
    seconds: f64,
    /// Server and agents together.
    peak_rss_bytes: u64,
    login_url: String,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    logging::start("warn");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(Box::pin(go(args)))
}

async fn go(args: Args) -> anyhow::Result<()> {
    let started = Instant::now();
    let memory = PeakMemory::watch();
    let screen = Screen::new(args.json);
    let data = paths::absolute(&args.data.clone().unwrap_or_else(fresh_folder));
    let starting = audit::acting(private::actor(), start(&args, data.clone()));
    let product = Box::pin(starting).await?;
    screen.say(format_args!("Watch it in the browser: {}", product.login_url()));
    screen.say("");

    let interrupted = tokio::select! {
        outcome = Box::pin(main_job(&product, &data, &screen, started, &memory)) => {
            let summary = outcome?;
            if args.json {
                output::json(&summary)?;
            } else {
                show(&screen, &summary);
            }
            false
        }
        () = signals::asked_to_end() => true,
    };
    if !args.exit && !interrupted {
        screen.say("");
        screen.say(format_args!(
            "The server is still running at {}",
            product.login_url()
        ));
        screen.say("Press Ctrl-C to stop it.");
        signals::asked_to_end().await;
    }
    product.stop().await?;
    anyhow::ensure!(!interrupted, "interrupted");
    Ok(())
}

async fn main_job(
    product: &Product,
    data: &std::path::Path,
    screen: &Screen,
    started: Instant,
    memory: &PeakMemory,
) -> anyhow::Result<Summary> {
    let api = Api::new(product.url().clone(), product.token().to_owned());
    let dataset = steps::upload_dataset(&api, screen).await?;
    let job_id = steps::create_job(&api, dataset, screen).await?;
    let version = steps::follow(&api, job_id, screen).await?;
    let version = steps::promote(&api, version, screen).await?;
    let comparison = data.join("comparison.png");
    steps::compare(&api, &version, screen, &comparison).await?;
    let lora = data.join(&version.file_name);
    steps::download(&api, &version, &lora).await?;
    let base = data.join("bases").join("tiny-xl");
    steps::write_base(&base)?;
    Ok(Summary {
        lora,
        comparison,
        base,
        job_id,
        seconds: started.elapsed().as_secs_f64(),
        peak_rss_bytes: memory.peak_bytes(),
        login_url: product.login_url().to_owned(),
    })
}

/// Starts the server at the given address; without one, on a free port if the default port is taken.
async fn start(args: &Args, data: PathBuf) -> anyhow::Result<Product> {
    let settings = |listen| Settings {
        listen,
        data: data.clone(),
        database: None,
        queue: None,
        queue_ca: None,
        objects: None,
        s3: store::objects::S3Settings::default(),
        public_url: None,
        rentals: Vec::new(),
        bases: Default::default(),
        base_folders: Default::default(),
        lora_folder: None,
        notices: Default::default(),
        fetch_from: Default::default(),
        max_running: Default::default(),
        min_free_bytes: None,
        trusted_proxies: Vec::new(),
        audit_days: protocol::limits::AUDIT_DAYS,
        config: None,
        agent_program: None,
    };
    if let Some(listen) = args.listen {
        return Product::start(settings(listen)).await;
    }
    match std::net::TcpListener::bind(DEFAULT_LISTEN) {
        Ok(free) => {
            drop(free);
            Product::start(settings(DEFAULT_LISTEN)).await
        }
        Err(_) => Product::start(settings(SocketAddr::new(DEFAULT_LISTEN.ip(), 0))).await,
    }
}

fn fresh_folder() -> PathBuf {
    let now = chrono::Local::now().format("%Y-%m-%d-%H%M%S");
    paths::data_dir().join("demo").join(now.to_string())
}

fn show(screen: &Screen, summary: &Summary) {
    let mebibytes = summary.peak_rss_bytes / (1 << 20);
    screen.say("");
    screen.say(format_args!(
        "Done in {:.0} s with a peak of {mebibytes} MiB of memory.",
        summary.seconds
    ));
    screen.say(format_args!("  LoRA          {}", summary.lora.display()));
    screen.say(format_args!("  before/after  {}", summary.comparison.display()));
    screen.say(format_args!("  base model    {}", summary.base.display()));
}
