//! Rented machines whose server nobody can reach: lease, heartbeats and results go through objects in the bucket.

use std::{net::TcpListener, path::Path, time::Duration};

use serde_json::{Value, json};
use store::{
    BlobStore,
    objects::{S3Settings, Slot},
};

use super::{DEADLINE, USD, books_are_right, provider, serve, settings, submit};
use crate::{
    api::Api,
    support::{Server, morpheus, path},
};

/// PostgreSQL, a bucket, and a public address at which nobody listens.
struct Place {
    settings: Vec<(&'static str, String)>,
    listen: String,
    objects: BlobStore,
    _database: sim::postgres::Database,
}

impl Place {
    async fn new(sim: &sim::runpod::RunPod) -> Self {
        let database = sim::postgres::Database::shared().unwrap();
        let (endpoint, bucket) = sim::s3::shared_bucket().unwrap();
        let url = format!("s3://{bucket}/studio");
        let s3 = S3Settings {
            endpoint: Some(endpoint.clone()),
            access_key_id: Some(sim::s3::ACCESS_KEY_ID.to_owned()),
            secret_access_key: Some(sim::s3::SECRET_ACCESS_KEY.to_owned()),
            ..S3Settings::default()
        };
        let objects = BlobStore::s3(&url, &s3).await.unwrap();
        let mut settings = settings(sim);
        settings.extend([
            ("MORPHEUS_DATABASE", database.url()),
            ("MORPHEUS_OBJECTS", url),
            ("MORPHEUS_S3_ENDPOINT", endpoint),
            ("MORPHEUS_S3_ACCESS_KEY_ID", sim::s3::ACCESS_KEY_ID.to_owned()),
            (
                "MORPHEUS_S3_SECRET_ACCESS_KEY",
                sim::s3::SECRET_ACCESS_KEY.to_owned(),
            ),
            ("MORPHEUS_MAILBOX", "true".to_owned()),
            ("MORPHEUS_PUBLIC_URL", format!("http://127.0.0.1:{}", free_port())),
        ]);
        Self {
            settings,
            listen: format!("127.0.0.1:{}", free_port()),
            objects,
            _database: database,
        }
    }

    fn start(&self, data: &Path) -> Server {
        Server::start_with(data, &self.listen, &self.settings)
    }

    /// The collector takes mailboxes of machines that nobody knows, and leaves the others.
    async fn collect_keeps_the_living(&self, data: &Path, machine: &str) {
        let left = self.objects.write_slot("mph-left", Slot::Requests, "{}".into());
        left.await.unwrap();
        let mut command = morpheus();
        command
            .args(["objects", "collect", "--json", "--data", path(data)])
            .envs(self.settings.iter().map(|(name, value)| (name, value)));
        let collecting = tokio::task::spawn_blocking(move || command.output().unwrap());
        let collected = collecting.await.unwrap().stdout;
        let collected: Value = serde_json::from_slice(&collected).unwrap();
        assert_eq!(collected["objects"][0]["name"], "mailbox/mph-left", "{collected}");
        assert_eq!(collected["objects"].as_array().unwrap().len(), 1, "{collected}");
        let left = self.objects.mailboxes().await.unwrap();
        assert_eq!(left.into_iter().collect::<Vec<_>>(), [machine]);
    }

    async fn wait_until_tidy(&self) {
        let start = std::time::Instant::now();
        loop {
            let left = self.objects.mailboxes().await.unwrap();
            if left.is_empty() {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "{left:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// One that nobody listens at.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_through_the_mailbox_to_its_end() {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    let place = Place::new(&sim).await;
    let server = place.start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = submit(&api, &dataset, 20 * USD, json!({}), 30).await;
    let job = api.ended(&id).await;
    assert_eq!(job["phase"], "succeeded", "{job}");
    let files = api.get(&format!("/api/v1/jobs/{id}/artifacts")).await;
    let is_lora = |file: &&Value| file["kind"] == "lora";
    let lora = files.as_array().unwrap().iter().find(is_lora).unwrap();
    let answer = reqwest::get(lora["url"].as_str().unwrap()).await.unwrap();
    assert!(answer.status().is_success(), "{lora}");
    books_are_right(&api, &sim, 20 * USD).await;
    place.wait_until_tidy().await;
}

/// Nobody answers any more: the machine goes by its lease. Another server goes on from there.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_whose_mailbox_nobody_answers_leaves_by_its_lease() {
    let (data, sim) = (tempfile::tempdir().unwrap(), provider().await);
    let place = Place::new(&sim).await;
    let server = place.start(data.path());
    let api = Api::of(&server);
    let dataset = api.upload(4).await;
    let id = submit(&api, &dataset, 50 * USD, json!({}), 1_000_000).await;
    let job = format!("/api/v1/jobs/{id}");
    api.wait_for(&job, |job| job["progress"]["step"].as_u64() > Some(0))
        .await;
    assert_eq!(sim.living().len(), 1);
    place
        .collect_keeps_the_living(data.path(), &sim.living()[0])
        .await;
    server.kill();
    let since = sim.now();
    wait_until_nothing_lives(&sim).await;
    let minutes = (sim.now() - since).num_minutes();
    // Its lease is 10 minutes, and it has 5 to hand its checkpoint in. Its deadline is hours away.
    assert!((9..40).contains(&minutes), "{minutes}");

    let server = place.start(data.path());
    let api = api.at(&server);
    api.post(&format!("{job}/cancel"), json!({})).await;
    assert_eq!(api.ended(&id).await["phase"], "cancelled");
    books_are_right(&api, &sim, 50 * USD).await;
    place.wait_until_tidy().await;
}

#[test]
fn settings_by_which_no_machine_would_be_reached_are_refused() {
    let refused = |settings: &[(&str, &str)]| {
        let output = serve(tempfile::tempdir().unwrap().path())
            .envs([("MORPHEUS_RUNPOD_KEY", "rpa_x"), ("MORPHEUS_RUNPOD_IMAGE", "x")])
            .envs(settings.iter().copied())
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let err = refused(&[]);
    assert!(err.contains("--public-url") && err.contains("--mailbox"), "{err}");
    let err = refused(&[("MORPHEUS_PUBLIC_URL", "http://localhost:7860")]);
    assert!(err.contains("`http://localhost:7860`"), "{err}");
    let err = refused(&[("MORPHEUS_MAILBOX", "true")]);
    assert!(err.contains("--objects s3://BUCKET"), "{err}");
}

async fn wait_until_nothing_lives(sim: &sim::runpod::RunPod) {
    let start = std::time::Instant::now();
    while !sim.living().is_empty() {
        assert!(start.elapsed() < DEADLINE, "it lives on");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
