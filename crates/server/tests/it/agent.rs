//! Plays an agent: claims, sends heartbeats, uploads files, finishes, over the real protocol.

use std::collections::BTreeMap;

use chrono::Utc;
use protocol::{
    ArtifactId, AttemptId,
    agent::{
        AgentEvent, ArtifactKind, Assignment, ClaimReply, ClaimRequest, Finish, Heartbeat, HeartbeatReply,
        NewArtifact, Report, TrainResult, UploadTicket, WorkKind,
    },
    event::StepMetrics,
    machine::{DeviceKind, LoraKind, Machine, Protocol},
    model::{REQUIRED_CHECKS, Verdict, VerdictCheck},
    phase::Outcome,
    recipe::Engine,
};
use reqwest::{Method, RequestBuilder, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::app::{TestApp, absolute, empty, take};

pub(crate) struct FakeAgent {
    http: reqwest::Client,
    url: String,
    token: String,
    n_events: u64,
}

impl FakeAgent {
    pub(crate) fn new(app: &TestApp, token: String) -> Self {
        Self {
            http: app.http.clone(),
            url: app.url.clone(),
            token,
            n_events: 0,
        }
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http
            .request(Method::POST, format!("{}/api/v1/agent/{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn absolute(&self, url: &str) -> String {
        absolute(&self.url, url)
    }

    pub(crate) async fn claim(&self, kind: WorkKind) -> Assignment {
        let request = ClaimRequest {
            kinds: vec![kind],
            wait_seconds: 20,
            machine: Some(machine()),
        };
        let reply: ClaimReply = take(StatusCode::OK, self.post("claim").json(&request)).await;
        reply.assignment.expect("there is work")
    }

    pub(crate) fn heartbeat_request(&self, attempt: AttemptId, heartbeat: &Heartbeat) -> RequestBuilder {
        self.post(&format!("attempts/{attempt}/heartbeat"))
            .json(heartbeat)
    }

    /// Numbers the next events from 1 again, as an agent does that heard of no acknowledgement.
    pub(crate) fn repeat_all(&mut self) {
        self.n_events = 0;
    }

    pub(crate) async fn report(&mut self, assignment: &Assignment, reports: Vec<Report>) -> HeartbeatReply {
        let events = reports
            .into_iter()
            .map(|report| {
                self.n_events += 1;
                AgentEvent {
                    n: self.n_events,
                    at: Utc::now(),
                    report,
                }
            })
            .collect();
        let heartbeat = Heartbeat {
            fence: assignment.fence,
            events,
        };
        let reply: HeartbeatReply = take(
            StatusCode::OK,
            self.heartbeat_request(assignment.attempt_id, &heartbeat),
        )
        .await;
        assert_eq!(reply.acknowledged, self.n_events);
        reply
    }

    pub(crate) async fn announce(
        &self,
        assignment: &Assignment,
        kind: ArtifactKind,
        file_name: &str,
        bytes: &[u8],
    ) -> UploadTicket {
        let artifact = NewArtifact {
            fence: assignment.fence,
            kind,
            file_name: file_name.into(),
            size_bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        let path = format!("attempts/{}/artifacts", assignment.attempt_id);
        take(StatusCode::OK, self.post(&path).json(&artifact)).await
    }

    /// Puts bytes where the ticket says: to the server, or into the bucket.
    pub(crate) async fn put(&self, ticket: &UploadTicket, bytes: &[u8]) -> StatusCode {
        let url = ticket.upload_url.as_deref().expect("there is something to put");
        let mut request = self.http.put(self.absolute(url)).body(bytes.to_vec());
        for (name, value) in &ticket.upload_headers {
            // The client writes the true one itself.
            if name != "content-length" {
                request = request.header(name, value);
            }
        }
        request.send().await.unwrap().status()
    }

    pub(crate) async fn upload(
        &self,
        assignment: &Assignment,
        kind: ArtifactKind,
        file_name: &str,
        bytes: &[u8],
    ) -> ArtifactId {
        let ticket = self.announce(assignment, kind, file_name, bytes).await;
        if ticket.upload_url.is_some() {
            let status = self.put(&ticket, bytes).await;
            assert!(status.is_success(), "{status}");
        }
        let path = format!(
            "attempts/{}/artifacts/{}/complete",
            assignment.attempt_id, ticket.artifact_id
        );
        empty(StatusCode::NO_CONTENT, self.post(&path)).await;
        ticket.artifact_id
    }

    pub(crate) async fn finish(&self, assignment: &Assignment, finish: Finish) {
        let path = format!("attempts/{}/finish", assignment.attempt_id);
        empty(StatusCode::NO_CONTENT, self.post(&path).json(&finish)).await;
    }
}

/// What this agent says of its machine.
fn machine() -> Machine {
    Machine {
        name: "here".to_owned(),
        labels: Vec::new(),
        gpu: None,
        memory_gb: None,
        engines: vec![Engine::Native],
        devices: vec![DeviceKind::Cpu],
        lora_kinds: vec![LoraKind::Lora],
        has_diffusers: None,
        protocol: Protocol::CURRENT,
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn step(step: u32, n_steps: u32) -> Report {
    Report::Step(StepMetrics {
        step,
        n_steps,
        epoch: 1,
        n_epochs: 1,
        loss: 0.5 / f64::from(step),
        average_loss: 0.25,
        learning_rate: 1e-3,
        gradient_norm: 0.1,
        step_ms: 40.0,
        eta_seconds: f64::from(n_steps - step) * 0.04,
    })
}

pub(crate) fn verdict(passed: bool) -> Verdict {
    Verdict {
        passed,
        checks: REQUIRED_CHECKS
            .map(|name| VerdictCheck {
                name: name.into(),
                passed: passed || name != "finite",
                detail: "all 12 tensors are finite".into(),
            })
            .into(),
        validation: None,
        picture_change: Some(7.5),
        module_norms: Vec::new(),
    }
}

pub(crate) fn trained(
    assignment: &Assignment,
    artifact_id: ArtifactId,
    n_steps: u32,
    verdict: Verdict,
) -> Finish {
    Finish {
        fence: assignment.fence,
        outcome: Outcome::Completed,
        detail: None,
        result: Some(TrainResult {
            artifact_id,
            n_steps,
            verdict,
            metadata: BTreeMap::from([("ss_network_dim".into(), "4".into())]),
            before: None,
            after: None,
            judgement: None,
        }),
        picture: None,
        edited: None,
        disk_fault: false,
    }
}
