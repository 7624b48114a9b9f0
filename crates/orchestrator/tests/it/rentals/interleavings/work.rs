//! What machines are rented for in a sequence: a job, or a drawing session.

use protocol::{
    DrawingSessionId, JobId,
    agent::{ClaimRequest, WorkKind},
    drawing::{CreateDrawingSession, DrawingPhase},
    spend::{RentalTerms, RentalWish},
};
use rand::RngExt as _;

use super::{Inside, Sequence};
use crate::fixture::machine;

/// What machines are rented for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Work {
    Job(JobId),
    Drawing(DrawingSessionId),
}

impl Sequence<'_> {
    /// Asks for what is rented for; `None` if it is refused.
    pub(super) async fn submit(&mut self, draws: bool) -> Option<Work> {
        let gpus = match self.random.random_bool(0.3) {
            true => vec![self.office.gpus().largest.to_owned()],
            false => Vec::new(),
        };
        let owner = self.office.bench.owner();
        if draws {
            let request = CreateDrawingSession {
                name: "Covers".to_owned(),
                provider: self.office.kind().name().to_owned(),
                limit_micro_usd: self.limit,
                idle_minutes: self.random.random_range(5..60),
                rental: RentalWish {
                    gpus,
                    ..RentalWish::default()
                },
            };
            let made = self
                .office
                .bench
                .orchestrator
                .create_drawing_session(owner, request);
            return Some(Work::Drawing(made.await.ok()?.id));
        }
        let mut request = self.office.request(self.limit.0, &[]);
        request.parameters.n_steps = Some(self.random.random_range(100..2_000_000));
        request.rental.gpus = gpus;
        Some(Work::Job(self.office.submit(request).await.ok()?.id))
    }

    pub(super) async fn is_ended(&self, work: Work) -> bool {
        let bench = &self.office.bench;
        match work {
            Work::Job(id) => self.office.job(id).await.phase.is_ended(),
            Work::Drawing(id) => {
                let session = store::drawing::get(bench.store(), bench.owner(), id).await;
                session.unwrap().phase == DrawingPhase::Ended
            }
        }
    }

    /// Somebody asks for a picture now and then.
    pub(super) async fn ask_for_a_picture(&mut self) {
        if let (Some(Work::Drawing(id)), true) = (self.work, self.chance(10)) {
            let request = serde_json::json!({
                "base_model": "tiny-xl", "prompt": "zora waves", "drawing_session_id": id,
            });
            let request = serde_json::from_value(request).unwrap();
            let bench = &self.office.bench;
            // Refused when the session is over.
            let _ = bench.orchestrator.create_generation(bench.owner(), request).await;
        }
    }
}

impl Inside {
    /// The lease, the terms, and whether it goes on.
    pub(super) async fn claim_pictures(&self) -> Option<(u32, Option<RentalTerms>, bool)> {
        let request = ClaimRequest {
            kinds: vec![WorkKind::Generate],
            wait_seconds: 0,
            machine: Some(machine("rented", &[])),
        };
        let claim = self.agent.orchestrator.claim(&self.agent.credential, request);
        let lease = claim.await.ok()?.drawing?;
        Some((lease.lease_seconds, Some(lease.terms), true))
    }
}
