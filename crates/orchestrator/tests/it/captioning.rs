//! Pictures are described by an endpoint on this machine, and what it says becomes a caption when somebody accepts it.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::ServiceError;
use protocol::{
    CaptionEndpointId, DatasetId,
    caption_edit::UndoCaptionEdit,
    captioning::{
        CaptionPolicy, CaptionProposal, CaptionProposalState, CaptionRun, CaptionRunState, ChooseProposals,
        CreateCaptionEndpoint, CreateCaptionRun, TryCaptionEndpoint,
    },
    dataset::{Showing, Split, UpdateItem},
};
use store::datasets;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

use crate::fixture::{Bench, DEADLINE};

/// Answers each request with the next status, and then with 200; `None` never answers.
struct Model {
    port: u16,
    asked: mpsc::UnboundedReceiver<String>,
    serving: JoinHandle<()>,
}

impl Model {
    async fn start(answers: &[Option<u16>]) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (tell, asked) = mpsc::unbounded_channel();
        let answers = answers.to_vec();
        let mut answers = answers.into_iter();
        let serving = tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                let mut connection = BufReader::new(connection);
                let Ok(request) = read_request(&mut connection).await else {
                    continue;
                };
                let _ = tell.send(request);
                let Some(status) = answers.next().unwrap_or(Some(200)) else {
                    kept.push(connection);
                    continue;
                };
                let body = match status {
                    200 => r#"{"choices":[{"message":{"content":"in a hat"}}]}"#,
                    _ => r#"{"error":{"message":"the key hidden-key is wrong"}}"#,
                };
                let answer = format!(
                    "HTTP/1.1 {status} -\r\nretry-after: 0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = connection.write_all(answer.as_bytes()).await;
            }
        });
        Ok(Self { port, asked, serving })
    }

    /// The head and the body of the next request.
    async fn next(&mut self) -> anyhow::Result<String> {
        let asked = timeout(DEADLINE, self.asked.recv()).await?;
        asked.ok_or_else(|| anyhow::anyhow!("the model has ended"))
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn read_request(connection: &mut BufReader<TcpStream>) -> anyhow::Result<String> {
    let (mut head, mut n_bytes) = (String::new(), 0);
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            n_bytes = length.trim().parse()?;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; n_bytes];
    connection.read_exact(&mut body).await?;
    Ok(head + &String::from_utf8(body)?)
}

/// A bench that may ask endpoints on this machine.
async fn bench() -> anyhow::Result<Bench> {
    Bench::with(|options| {
        let local = ["127.0.0.0/8"].iter();
        options.fetch_from = local.filter_map(|range| range.parse().ok()).collect();
    })
    .await
}

impl Bench {
    /// A dataset with a picture for each caption.
    async fn captioned(&self, captions: &[&str]) -> anyhow::Result<DatasetId> {
        let mut items = Vec::new();
        let pictures = dataset::demo::files().filter(|file| file.name.ends_with(".png"));
        for (n, (caption, file)) in captions.iter().zip(pictures).enumerate() {
            let png = dataset::picture::normalize(file.bytes)?;
            let blob = self.store().objects().put(png.png).await?;
            items.push(datasets::NewItem {
                file_name: format!("{n}.png"),
                caption: (*caption).to_owned(),
                split: Split::Train,
                showing: Showing::default(),
                width: png.width,
                height: png.height,
                size_bytes: blob.size_bytes,
                sha256: blob.sha256,
                notes: Vec::new(),
            });
        }
        let tx = self.store().begin().await?;
        let dataset = datasets::create(&tx, self.owner(), "described").await?.id;
        for item in items {
            datasets::add_item(&tx, self.owner(), dataset, item).await?;
        }
        tx.commit().await?;
        let n_items = datasets::items(self.store(), self.owner(), dataset).await?.len();
        anyhow::ensure!(n_items == captions.len(), "each picture is another one");
        Ok(dataset)
    }

    async fn model(&self, model: &Model) -> Result<CaptionEndpointId, ServiceError> {
        let request = CreateCaptionEndpoint {
            name: "ours".to_owned(),
            url: format!("http://127.0.0.1:{}/v1", model.port),
            model: "m".to_owned(),
            key: Some("hidden-key".to_owned()),
        };
        let made = self
            .orchestrator
            .create_caption_endpoint(self.owner(), request)
            .await?;
        Ok(made.id)
    }

    async fn start_run(
        &self,
        dataset: DatasetId,
        endpoint_id: CaptionEndpointId,
        policy: CaptionPolicy,
    ) -> Result<CaptionRun, ServiceError> {
        let request = CreateCaptionRun {
            endpoint_id,
            prompt: "Describe {trigger} in {name}: {tags}".to_owned(),
            policy,
            trigger_word: "zora".to_owned(),
            items: None,
        };
        self.orchestrator
            .create_caption_run(self.owner(), dataset, request)
            .await
    }

    async fn describe(&self, after: TimeDelta) -> anyhow::Result<()> {
        let described = self.orchestrator.describe_pictures_after(after).await;
        described.map_err(|err| anyhow::anyhow!(err))
    }

    async fn run_of(&self, dataset: DatasetId) -> anyhow::Result<CaptionRun> {
        let runs = datasets::list_caption_runs(self.store(), self.owner(), dataset).await?;
        runs.into_iter().next().ok_or_else(|| anyhow::anyhow!("a run"))
    }

    async fn proposals(&self, run: &CaptionRun) -> anyhow::Result<Vec<CaptionProposal>> {
        Ok(datasets::caption_proposals(self.store(), run.id, None, 100).await?)
    }

    async fn captions_of(&self, dataset: DatasetId) -> anyhow::Result<Vec<String>> {
        let items = datasets::items(self.store(), self.owner(), dataset).await?;
        Ok(items.into_iter().map(|item| item.caption).collect())
    }
}

#[tokio::test]
async fn proposals_become_captions_only_where_nobody_has_changed_them() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut model = Model::start(&[Some(429)]).await?;
    let endpoint = bench.model(&model).await?;
    let dataset = bench.captioned(&["zora, standing", ""]).await?;
    let (owner, orchestrator) = (bench.owner(), &bench.orchestrator);
    let run = bench.start_run(dataset, endpoint, CaptionPolicy::Add).await?;
    let second = bench.start_run(dataset, endpoint, CaptionPolicy::Add).await;
    assert!(matches!(second, Err(ServiceError::Conflict(_))));
    bench.describe(TimeDelta::zero()).await?;

    let mut asked = [model.next().await?, model.next().await?, model.next().await?];
    asked.sort();
    assert!(asked.iter().all(|asked| asked.contains("data:image/png;base64,")));
    assert!(asked.iter().all(|asked| asked.contains("Bearer hidden-key")));
    let told = |words: &str| asked.iter().any(|asked| asked.contains(words));
    assert!(told("Describe zora in 0: standing") && told("Describe zora in 1: "));
    let run = datasets::find_caption_run(bench.store(), owner, dataset, run.id).await?;
    assert_eq!(
        (run.state, run.n_done, run.n_failed),
        (CaptionRunState::Done, 2, 0)
    );
    assert_eq!(
        bench.captions_of(dataset).await?,
        ["zora, standing", ""],
        "nobody has accepted anything"
    );

    // Somebody writes a caption meanwhile.
    let items = datasets::items(bench.store(), owner, dataset).await?;
    let tx = bench.store().begin().await?;
    let mine = UpdateItem {
        caption: Some("mine".to_owned()),
        ..UpdateItem::default()
    };
    datasets::update_item(&tx, owner, dataset, items[1].id, mine).await?;
    tx.commit().await?;
    let all = ChooseProposals::default();
    let accepted = orchestrator
        .accept_captions(owner, dataset, run.id, all.clone())
        .await?;
    assert_eq!((accepted.n_accepted, accepted.n_skipped), (1, 1));
    let captions = bench.captions_of(dataset).await?;
    assert_eq!(captions, ["zora, standing, in a hat", "mine"]);
    let states: Vec<CaptionProposalState> = bench
        .proposals(&run)
        .await?
        .iter()
        .map(|proposal| proposal.state)
        .collect();
    assert_eq!(
        states,
        [CaptionProposalState::Accepted, CaptionProposalState::Open]
    );
    let dismissed = orchestrator.dismiss_captions(owner, dataset, run.id, all).await?;
    assert_eq!(dismissed.n_dismissed, 1);

    let edit = accepted.edit.ok_or_else(|| anyhow::anyhow!("an edit"))?;
    assert_eq!(edit.description, "Accept captions of `m`");
    orchestrator
        .undo_caption_edit(owner, dataset, edit.id, UndoCaptionEdit::default())
        .await?;
    assert_eq!(bench.captions_of(dataset).await?, ["zora, standing", "mine"]);
    Ok(())
}

#[tokio::test]
async fn captions_that_are_kept_are_not_even_asked_about() -> anyhow::Result<()> {
    let bench = bench().await?;
    let model = Model::start(&[]).await?;
    let endpoint = bench.model(&model).await?;
    let dataset = bench.captioned(&["mine", ""]).await?;
    let run = bench.start_run(dataset, endpoint, CaptionPolicy::Keep).await?;
    assert_eq!(run.n_items, 1);
    bench.describe(TimeDelta::zero()).await?;
    let proposals = bench.proposals(&run).await?;
    let after: Vec<Option<&str>> = proposals
        .iter()
        .map(|proposal| proposal.after.as_deref())
        .collect();
    assert_eq!(after, [Some("zora, in a hat")]);
    let all = bench.captioned(&["mine"]).await?;
    let refused = bench.start_run(all, endpoint, CaptionPolicy::Keep).await;
    assert!(matches!(refused, Err(ServiceError::Invalid(_))));
    Ok(())
}

#[tokio::test]
async fn another_server_goes_on_with_what_has_no_answer() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut model = Model::start(&[Some(200), None]).await?;
    let endpoint = bench.model(&model).await?;
    let dataset = bench.captioned(&["", ""]).await?;
    bench.start_run(dataset, endpoint, CaptionPolicy::Keep).await?;
    let answered = async {
        // Both are asked about before it dies.
        model.next().await?;
        model.next().await?;
        loop {
            if bench.run_of(dataset).await?.n_done == 1 {
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    // This server dies while it waits for the second answer.
    tokio::select! {
        done = bench.describe(TimeDelta::zero()) => anyhow::bail!("it was answered: {done:?}"),
        answered = timeout(DEADLINE, answered) => answered??,
    }
    // Its lease still holds.
    bench.describe(TimeDelta::seconds(30)).await?;
    assert_eq!(bench.run_of(dataset).await?.n_done, 1);
    bench.describe(TimeDelta::minutes(2)).await?;
    let run = bench.run_of(dataset).await?;
    assert_eq!((run.state, run.n_done, run.n_open), (CaptionRunState::Done, 2, 2));
    model.next().await?;
    let more = timeout(Duration::ZERO, model.asked.recv()).await;
    assert!(more.is_err(), "what was answered is not asked again");
    Ok(())
}

#[tokio::test]
async fn an_endpoint_that_fails_again_and_again_ends_the_run() -> anyhow::Result<()> {
    let bench = bench().await?;
    let model = Model::start(&[Some(401); 5]).await?;
    let endpoint = bench.model(&model).await?;
    let dataset = bench.captioned(&["", "", "", "", ""]).await?;
    let run = bench.start_run(dataset, endpoint, CaptionPolicy::Keep).await?;
    bench.describe(TimeDelta::zero()).await?;
    let run = datasets::find_caption_run(bench.store(), bench.owner(), dataset, run.id).await?;
    assert_eq!(run.state, CaptionRunState::Failed);
    assert!(run.n_failed >= 3 && run.n_failed < 5, "{run:?}");
    let error = run.error.unwrap_or_default();
    assert!(error.contains("401") && error.contains("is wrong"), "{error}");
    assert!(!error.contains("hidden-key"), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_stopped_or_loses_its_endpoint_asks_no_more() -> anyhow::Result<()> {
    let bench = bench().await?;
    let mut model = Model::start(&[None]).await?;
    let endpoint = bench.model(&model).await?;
    let (owner, orchestrator) = (bench.owner(), &bench.orchestrator);
    let dataset = bench.captioned(&[""]).await?;
    let run = bench.start_run(dataset, endpoint, CaptionPolicy::Keep).await?;
    let stopping = async {
        model.next().await?;
        orchestrator.stop_caption_run(owner, dataset, run.id).await?;
        anyhow::Ok(())
    };
    let (described, stopped) = tokio::join!(timeout(DEADLINE, bench.describe(TimeDelta::zero())), stopping);
    described??;
    stopped?;
    let run = bench.run_of(dataset).await?;
    assert_eq!((run.state, run.n_done), (CaptionRunState::Stopped, 0));

    bench.start_run(dataset, endpoint, CaptionPolicy::Keep).await?;
    orchestrator.delete_caption_endpoint(owner, endpoint).await?;
    bench.describe(TimeDelta::zero()).await?;
    let run = bench.run_of(dataset).await?;
    assert_eq!(run.state, CaptionRunState::Failed);
    assert_eq!(run.error.as_deref(), Some("its endpoint was deleted"));
    Ok(())
}

#[tokio::test]
async fn an_endpoint_is_tried_on_one_picture() -> anyhow::Result<()> {
    let bench = bench().await?;
    let model = Model::start(&[Some(500)]).await?;
    let endpoint = bench.model(&model).await?;
    let dataset = bench.captioned(&["standing"]).await?;
    let items = datasets::items(bench.store(), bench.owner(), dataset).await?;
    let asked = TryCaptionEndpoint {
        dataset_id: dataset,
        item_id: items[0].id,
        prompt: "Describe it.".to_owned(),
        trigger_word: String::new(),
    };
    let owner = bench.owner();
    let attempt = || {
        bench
            .orchestrator
            .try_caption_endpoint(owner, endpoint, asked.clone())
    };
    let failed = attempt().await?;
    assert!(
        failed.error.is_some_and(|error| error.contains("500")),
        "it is not asked again"
    );
    assert_eq!(attempt().await?.text.as_deref(), Some("in a hat"));
    let endless = TryCaptionEndpoint {
        trigger_word: "z".repeat(protocol::limits::MAX_TRIGGER_WORD_CHARS + 1),
        ..asked.clone()
    };
    let refused = bench
        .orchestrator
        .try_caption_endpoint(owner, endpoint, endless)
        .await;
    let Err(ServiceError::Invalid(refused)) = refused else {
        anyhow::bail!("it may be in the prompt many times");
    };
    assert_eq!(refused.0[0].field, "trigger_word");
    assert_eq!(bench.captions_of(dataset).await?, ["standing"]);
    Ok(())
}

#[tokio::test]
async fn no_picture_is_sent_to_a_private_address_unasked() -> anyhow::Result<()> {
    let bench = Bench::new().await?;
    let model = Model::start(&[]).await?;
    let Err(ServiceError::Invalid(refused)) = bench.model(&model).await else {
        anyhow::bail!("it is refused");
    };
    assert_eq!(refused.0[0].field, "url");
    assert!(refused.0[0].message.contains("--allow-fetch-from"));
    Ok(())
}
