//! The server in this process: used by `serve` and by the demo.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use orchestrator::{HubOptions, look_at_base};
use protocol::{base::BaseSource, recipe::Engine};
use reqwest::Url;
use server::{AgentCommand, Bound, RentalConfig};
use store::bases::NewBase;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{bases, decoding, loras, measuring, private, settings::Settings};

/// Jobs that train at the same time: each takes all cores.
const CAPACITY: usize = 1;

/// Opens the store and the socket. Base models are checked first, so that a wrong path changes nothing.
pub(crate) async fn bind(settings: Settings) -> anyhow::Result<Bound> {
    settings.check_reach()?;
    let declared_bases = declared_bases(&settings)?;
    let mut providers = vec!["local"];
    providers.extend(settings.rentals.iter().map(RentalConfig::name));
    if let Some(name) = settings
        .max_running
        .keys()
        .find(|name| !providers.contains(&name.as_str()))
    {
        bail!(
            "max_running: unknown provider `{name}`; use `{}`",
            providers.join("` or `")
        );
    }
    private::own_folder(&settings.data)?;
    let places = settings.places();
    places.close();
    places.close_all_once();
    let program = match settings.agent_program {
        Some(program) => program,
        None => std::env::current_exe()
            .context("failed to find the path of this program, which agents also run")?,
    };
    let config = server::Config {
        listen: settings.listen,
        database: settings.database,
        objects: settings.objects,
        queue: settings.queue,
        queue_ca: settings.queue_ca,
        max_running: settings.max_running,
        min_free_bytes: settings.min_free_bytes,
        s3: settings.s3,
        public_url: settings.public_url,
        trusted_proxies: settings.trusted_proxies,
        audit_days: settings.audit_days,
        rentals: settings.rentals,
        local_agent: Some(AgentCommand {
            program,
            first_args: Vec::new(),
            capacity: CAPACITY,
            engines: local_engines(),
        }),
        decode_worker: Some(decoding::command()?),
        declared_bases,
        inspect_base: Some(bases::inspect),
        measure_base: Some(measuring::measure),
        read_lora: Some(loras::read),
        hub: HubOptions::read(|name| std::env::var(name).ok()),
        fetch_from: settings.fetch_from,
        base_folders: settings.base_folders,
        lora_folder: settings.lora_folder,
        webhooks_to: settings.notices.webhooks_to,
        mail: settings.notices.mail,
        ..server::Config::new(settings.data, vec![bases::built_in()])
    };
    Ok(server::bind(config).await?)
}

/// The base models from the settings; those on this machine are checked.
fn declared_bases(settings: &Settings) -> anyhow::Result<Vec<NewBase>> {
    let places = bases::places(settings)?;
    let declared = settings.bases.iter().map(|(name, base)| {
        let looked = match (&base.source, &base.said.vae) {
            (BaseSource::Path(path), None | Some(BaseSource::Path(_))) => {
                let looked = look_at_base(&places, Path::new(path), &base.said, bases::inspect);
                Some(looked.map_err(|problem| anyhow!("base model `{name}`: {problem}"))?)
            }
            // The server asks for what is elsewhere later.
            _ => None,
        };
        Ok(NewBase {
            name: name.clone(),
            source: base.source.clone(),
            said: base.said.clone(),
            from_settings: true,
            looked,
            files: Vec::new(),
        })
    });
    declared.collect()
}

/// Agents on this machine find sd-scripts by the variable that they inherit.
fn local_engines() -> Vec<Engine> {
    let mut engines = vec![Engine::Native];
    if std::env::var_os("MORPHEUS_KOHYA_DIR").is_some_and(|dir| !dir.is_empty()) {
        engines.push(Engine::Kohya);
    }
    engines
}

/// A server that runs beside the rest of this program.
pub(crate) struct Product {
    url: Url,
    login_url: String,
    token: String,
    ending: CancellationToken,
    serving: JoinHandle<Result<(), server::RunError>>,
}

impl Product {
    /// Starts it, with a token for this program and a login address for a person.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        let bound = bind(settings).await?;
        let login_url = match &bound.login_url {
            Some(url) => url.clone(),
            None => bound
                .new_login_url()
                .await
                .context("failed to create a login address")?,
        };
        let token = bound
            .new_token("demo")
            .await
            .context("failed to create a token")?;
        let url = bound
            .public_url
            .parse()
            .context("the server's own address is not a valid URL")?;
        let ending = CancellationToken::new();
        let asked = ending.clone();
        let serving = tokio::spawn(bound.run(asked.cancelled_owned()));
        Ok(Self {
            url,
            login_url,
            token,
            ending,
            serving,
        })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Address that signs in the browser that opens it.
    pub(crate) fn login_url(&self) -> &str {
        &self.login_url
    }

    /// Ends the server and the agents that it started.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.ending.cancel();
        let served = self.serving.await.context("the server stopped unexpectedly")?;
        end_children();
        Ok(served?)
    }
}

/// Agents outlive their server so that it can be restarted; here nobody will restart it.
fn end_children() {
    for id in crate::memory::children(std::process::id()) {
        if let Some(child) = i32::try_from(id).ok().and_then(rustix::process::Pid::from_raw) {
            // One that has ended in between needs no signal.
            let _ = rustix::process::kill_process(child, rustix::process::Signal::TERM);
        }
    }
}
