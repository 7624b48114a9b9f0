//! Bases that are not what they are said to be, and addresses that reach where they must not.

use std::{path::PathBuf, sync::OnceLock, time::Duration};

use orchestrator::Range;
use protocol::OwnerId;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::{net::TcpListener, time::timeout};

use super::*;
use crate::fixture::DEADLINE;

#[tokio::test]
async fn the_servers_own_files_are_no_base_model_by_any_path() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let own = bench.store().data_dir().join("own.safetensors");
    std::fs::write(&own, tensors("sdxl", 10))?;
    let refused = register(&bench, "direct", &own.display().to_string()).await;
    let Err(ServiceError::Invalid(fields)) = refused else {
        anyhow::bail!("{refused:?}");
    };
    assert!(fields.0[0].message.contains("server's own data"), "{fields}");

    std::os::unix::fs::symlink(&own, folder.path().join("link"))?;
    std::fs::hard_link(&own, folder.path().join("hard"))?;
    std::fs::create_dir(folder.path().join("model"))?;
    for part in ["unet", "vae", "text_encoder", "text_encoder_2"] {
        let part = folder.path().join("model").join(part);
        std::fs::create_dir(&part)?;
        for stem in ["model", "diffusion_pytorch_model"] {
            std::os::unix::fs::symlink(&own, part.join(format!("{stem}.safetensors")))?;
        }
    }
    for name in ["link", "hard", "model"] {
        let source = folder.path().join(name).display().to_string();
        let base = checked(&bench, name, &source).await?;
        let problem = base.problem.unwrap_or_default();
        assert_eq!(base.state, BaseState::Failed, "{name}");
        assert!(problem.contains("server's own data"), "{name}: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn a_pipe_and_a_silent_server_hold_up_no_other_check() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let endpoint = hub.url.clone();
    let bench = Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.base_folders = vec![std::env::temp_dir()];
        options.fetch_from = [Range::Any].into_iter().collect();
        options.hub.endpoint = endpoint;
    })
    .await?;
    let folder = tempfile::tempdir()?;
    let pipe = folder.path().join("pipe.safetensors");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    // It takes connections, and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let silent = format!("http://{}/x.safetensors", silent.local_addr()?);
    hub.put("c/d", "it.safetensors", tensors("sdxl", 10));
    register(&bench, "silent", &silent).await?;
    register(&bench, "pipe", &pipe.display().to_string()).await?;
    let working = bench.pass();
    let watching = async {
        register(&bench, "good", "hf:c/d").await?;
        wait_for_checks(&bench).await
    };
    let (pipe, good) = tokio::select! {
        done = working => anyhow::bail!("the silent one was given up: {done:?}"),
        watched = timeout(DEADLINE, watching) => watched??,
    };
    assert_eq!((pipe.state, good.state), (BaseState::Failed, BaseState::Ready));
    let problem = pipe.problem.unwrap_or_default();
    assert!(problem.contains("a pipe"), "{problem}");
    assert_eq!(shown(&bench, "silent").await?.state, BaseState::Checking);
    Ok(())
}

/// The files that change while they are looked at.
static CHANGING: OnceLock<PathBuf> = OnceLock::new();

/// As somebody who writes to the file while the server reads it.
fn inspect_and_change(path: &Path, beside: Beside<'_>) -> Result<BaseFacts, String> {
    let folder = CHANGING.get().ok_or("there is no folder")?;
    for (name, n_bytes) in [("grows.safetensors", 5000), ("shrinks.safetensors", 500)] {
        let file = std::fs::File::options().write(true).open(folder.join(name));
        let changed = file.and_then(|file| file.set_len(n_bytes));
        changed.map_err(|err| err.to_string())?;
    }
    inspect(path, beside)
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_named() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let changing = CHANGING.get_or_init(|| folder.path().to_owned());
    let bench = Bench::with(|options| {
        options.inspect_base = Some(inspect_and_change);
        options.base_folders = vec![std::env::temp_dir()];
    })
    .await?;
    for (name, than) in [("grows", "more than"), ("shrinks", "fewer than")] {
        for file in ["grows", "shrinks"] {
            std::fs::write(
                changing.join(format!("{file}.safetensors")),
                tensors("sdxl", 1000),
            )?;
        }
        let source = changing.join(format!("{name}.safetensors")).display().to_string();
        let base = checked(&bench, name, &source).await?;
        let problem = base.problem.unwrap_or_default();
        assert_eq!(base.state, BaseState::Failed, "{name}");
        assert!(problem.contains(than) && problem.contains(name), "{problem}");
    }
    Ok(())
}

#[tokio::test]
async fn private_addresses_are_fetched_from_only_where_the_settings_allow_it() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    hub.put("a/b", "x.safetensors", tensors("sdxl", 10));
    let url = format!("{}/cdn/a/b/x.safetensors", hub.url);
    let strict = Bench::with(|options| options.inspect_base = Some(inspect)).await?;
    for (name, url) in [
        ("ip", url.clone()),
        ("name", url.replace("127.0.0.1", "localhost")),
        ("hex", url.replace("127.0.0.1", "0x7f.1")),
        ("mapped", url.replace("127.0.0.1", "[::ffff:7f00:1]")),
    ] {
        let base = checked(&strict, name, &url).await?;
        let problem = base.problem.unwrap_or_default();
        assert!(problem.contains("--allow-fetch-from"), "{name}: {problem}");
    }
    assert_eq!(hub.take_asked(), []);
    let open = Bench::with(|options| {
        options.inspect_base = Some(inspect);
        options.fetch_from = "127.0.0.0/8".parse::<Range>().into_iter().collect();
    })
    .await?;
    let base = checked(&open, "ip", &url).await?;
    assert_eq!((base.state, base.problem), (BaseState::Ready, None));
    Ok(())
}

#[tokio::test]
async fn what_is_secret_in_an_address_is_not_told() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    hub.put("a/b", "page.safetensors", "<!DOCTYPE html>");
    hub.put("a/b", "flux.safetensors", tensors("a Flux model", 10));
    let host = hub.url.replace("http://", "http://user:SECRET@");
    for (name, path) in [
        ("none", "a/b/none.safetensors?token=SECRET"),
        ("page", "a/b/page.safetensors?token=SECRET"),
        ("flux", "a/b/flux.safetensors?token=SECRET"),
        ("hash", "a/b/flux.safetensors?token=SECRET#sha256="),
    ] {
        let hash = if name == "hash" {
            sha256(b"other")
        } else {
            String::new()
        };
        let base = checked(&bench, name, &format!("{host}/cdn/{path}{hash}")).await?;
        assert_eq!(base.state, BaseState::Failed, "{name}");
        assert!(base.source.contains("…@127.0.0.1"), "{}", base.source);
        let told = serde_json::to_string(&base)?;
        assert!(!told.contains("SECRET"), "{told}");
    }
    for source in [
        "http://?token=SECRET",
        "http://user:SECRET@a/x#SECRET",
        "hf:https://user:SECRET@a/b",
    ] {
        let refused = register(&bench, "refused", source).await.unwrap_err();
        assert!(!format!("{refused:?}").contains("SECRET"), "{refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_the_settings_no_longer_allow_is_no_longer_used() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let mut bench = bench(&hub).await?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mine.safetensors");
    std::fs::write(&path, tensors("sdxl", 10))?;
    checked(&bench, "mine", &path.display().to_string()).await?;
    plan(&bench, "mine", "local").await.unwrap();

    bench.restart_with(|options| options.base_folders.clear());
    bench.orchestrator.declare_bases(Vec::new()).await?;
    bench.pass().await?;
    let base = shown(&bench, "mine").await?;
    let problem = base.problem.unwrap_or_default();
    assert_eq!(base.state, BaseState::Failed);
    assert!(problem.contains("--base-folder"), "{problem}");
    plan(&bench, "mine", "local").await.unwrap_err();
    Ok(())
}

#[tokio::test]
async fn only_the_owner_of_the_installation_names_files_of_its_machine() -> anyhow::Result<()> {
    let hub = Hub::start().await?;
    let bench = bench(&hub).await?;
    let request = |source: &str| RegisterBase {
        name: "mine".into(),
        source: source.into(),
        prediction: None,
        vae: None,
    };
    let path = std::env::temp_dir().join("x.safetensors").display().to_string();
    let other = OwnerId::new();
    let refused = bench.orchestrator.register_base(other, request(&path)).await;
    let Err(ServiceError::Invalid(fields)) = refused else {
        anyhow::bail!("{refused:?}");
    };
    assert!(fields.0[0].message.contains("only the owner"), "{fields}");
    bench.orchestrator.register_base(other, request("hf:a/b")).await?;
    Ok(())
}

/// Until the checks of `pipe` and `good` have ended.
async fn wait_for_checks(bench: &Bench) -> anyhow::Result<(RegisteredBase, RegisteredBase)> {
    loop {
        let (pipe, good) = (shown(bench, "pipe").await?, shown(bench, "good").await?);
        if pipe.state != BaseState::Checking && good.state != BaseState::Checking {
            return Ok((pipe, good));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
