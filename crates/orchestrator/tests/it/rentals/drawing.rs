//! Drawing sessions: a rented machine that draws pictures, from the order to the bill, and everything that ends it.

use orchestrator::{ServiceError, ServiceResult};
use protocol::{
    DrawingSessionId, GenerationId, MicroUsd,
    agent::{ArtifactKind, ClaimReply, ClaimRequest, Finish, Heartbeat, Work, WorkKind},
    audit::AuditAction,
    drawing::{CreateDrawingSession, DrawingPhase, DrawingSession, PriceDrawingSession},
    generation::{Generation, GenerationPhase},
    phase::Outcome,
    problem::chain,
    spend::{BudgetScope, RentalWish, SetBudget, env},
};
use rental::MachineName;
use sim::rented::Start;

use super::{
    office::{Office, USD},
    table,
};

use crate::fixture::{Agent, announced, machine, picture};

mod faults;

on_every_provider! {
    a_session_draws_and_costs_what_the_provider_bills,
    silence_ends_a_session,
    a_session_ends_before_it_passes_its_limit,
    an_agent_that_stays_for_ever_is_ended_by_the_server,
    an_owner_ends_a_session_in_every_phase,
    what_cannot_be_rented_is_refused,
    a_picture_that_was_handed_out_and_lost_is_handed_out_again,
    an_agent_that_draws_no_pictures_is_refused_at_once,
}

impl Office {
    fn drawing(&self, limit: i64) -> CreateDrawingSession {
        CreateDrawingSession {
            name: "Covers".to_owned(),
            provider: self.kind().name().to_owned(),
            limit_micro_usd: MicroUsd(limit),
            idle_minutes: 10,
            rental: RentalWish {
                gpus: vec![self.gpus().usual.to_owned()],
                ..RentalWish::default()
            },
        }
    }

    async fn rent_for_pictures(&self, request: CreateDrawingSession) -> ServiceResult<DrawingSession> {
        let (owner, orchestrator) = (self.bench.owner(), &self.bench.orchestrator);
        orchestrator.create_drawing_session(owner, request).await
    }

    /// A session that was just asked for.
    async fn asked_for(&self, limit: i64) -> DrawingSessionId {
        self.rent_for_pictures(self.drawing(limit)).await.unwrap().id
    }

    async fn session(&self, id: DrawingSessionId) -> DrawingSession {
        store::drawing::get(self.bench.store(), self.bench.owner(), id)
            .await
            .unwrap()
    }

    /// As the API shows it.
    async fn shown(&self, id: DrawingSessionId) -> DrawingSession {
        let (owner, orchestrator) = (self.bench.owner(), &self.bench.orchestrator);
        orchestrator.drawing_session(owner, id).await.unwrap()
    }

    async fn end_session(&self, id: DrawingSessionId) -> DrawingSession {
        let (owner, orchestrator) = (self.bench.owner(), &self.bench.orchestrator);
        orchestrator.end_drawing_session(owner, id).await.unwrap()
    }

    /// A session whose agent has called.
    async fn ready(&self, request: CreateDrawingSession) -> (DrawingSessionId, Agent) {
        let id = self.rent_for_pictures(request).await.unwrap().id;
        self.pass().await;
        assert_eq!(self.session(id).await.phase, DrawingPhase::Starting);
        self.minutes(1).await;
        let agent = self.agent(&self.machine().await.name).await;
        call(&agent).await.unwrap();
        assert_eq!(self.session(id).await.phase, DrawingPhase::Ready);
        (id, agent)
    }

    async fn ask(&self, session: DrawingSessionId) -> ServiceResult<Generation> {
        let request = serde_json::json!({
            "base_model": "tiny-xl", "prompt": "zora waves", "drawing_session_id": session,
        });
        let request = serde_json::from_value(request).unwrap();
        let (owner, orchestrator) = (self.bench.owner(), &self.bench.orchestrator);
        orchestrator.create_generation(owner, request).await
    }

    async fn generation(&self, id: GenerationId) -> Generation {
        store::generations::get(self.bench.store(), self.bench.owner(), id)
            .await
            .unwrap()
    }

    /// Everything is over: nothing runs, and the session has cost what the provider bills.
    async fn closes(&self, id: DrawingSessionId) -> DrawingSession {
        self.minutes(4).await;
        self.settle().await;
        let session = self.session(id).await;
        assert_eq!(session.phase, DrawingPhase::Ended, "{session:?}");
        assert!(
            session.reason.is_some() && session.ended_at.is_some(),
            "{session:?}"
        );
        assert_eq!(session.spent_micro_usd, self.sim.bill());
        assert_eq!(session.reserved_micro_usd, MicroUsd::ZERO);
        assert_eq!(session.rate_micro_usd, MicroUsd::ZERO);
        assert!(session.spent_micro_usd <= session.limit_micro_usd, "{session:?}");
        self.audit().await;
        session
    }
}

/// What an agent on the machine does when it has nothing to do.
async fn call(agent: &Agent) -> ServiceResult<ClaimReply> {
    let request = ClaimRequest {
        kinds: vec![WorkKind::Generate, WorkKind::Edit],
        wait_seconds: 0,
        machine: Some(machine("rented", &[])),
    };
    agent.orchestrator.claim(&agent.credential, request).await
}

/// Draws what it is handed.
async fn draw(agent: &Agent) -> GenerationId {
    let assignment = call(agent).await.unwrap().assignment.expect("a picture to draw");
    let Work::Generate(work) = &assignment.work else {
        panic!("no picture: {assignment:?}")
    };
    assert!(assignment.terms.is_some(), "a rented machine has terms");
    let png = picture("session");
    let announced = announced(assignment.fence, ArtifactKind::Picture, png);
    let orchestrator = &agent.orchestrator;
    let ticket = orchestrator
        .announce_artifact(&agent.credential, assignment.attempt_id, announced)
        .await
        .unwrap();
    if ticket.upload_url.is_some() {
        let objects = orchestrator.store().objects();
        objects.put(bytes::Bytes::from_static(png)).await.unwrap();
    }
    let (attempt, file) = (assignment.attempt_id, ticket.artifact_id);
    orchestrator
        .complete_artifact(&agent.credential, attempt, file)
        .await
        .unwrap();
    let finish = Finish {
        fence: assignment.fence,
        outcome: Outcome::Completed,
        detail: None,
        result: None,
        picture: Some(file),
        edited: None,
        disk_fault: false,
    };
    orchestrator
        .finish(&agent.credential, attempt, finish)
        .await
        .unwrap();
    work.generation_id
}

async fn a_session_draws_and_costs_what_the_provider_bills(start: Start) {
    let office = Office::with_late_bills(start).await;
    let (id, agent) = office.ready(office.drawing(5 * USD)).await;
    let rented = office.machine().await;
    assert_eq!(
        (
            rented.job_id,
            rented.drawing_session_id,
            rented.drawing_session.as_deref()
        ),
        (None, Some(id), Some("Covers"))
    );
    let told = office.sim.environment(&rented.name).unwrap();
    assert_eq!(told[env::GENERATE], "true");
    let name: MachineName = rented.name.parse().unwrap();
    assert_eq!((name.attempt(), name.is_for(id)), (1, true));
    let lease = call(&agent).await.unwrap().drawing.unwrap();
    assert_eq!((lease.lease_seconds, lease.terms.stop_seconds), (600, 300));

    let asked = office.ask(id).await.unwrap();
    // What waits for the server's own machine is not the session's.
    assert_eq!(office.bench.machines.n_launches(), 0);
    office.minutes(1).await;
    assert_eq!(office.bench.machines.n_launches(), 0);
    assert_eq!(draw(&agent).await, asked.id);
    assert_eq!(
        office.generation(asked.id).await.phase,
        GenerationPhase::Succeeded
    );
    assert!(call(&agent).await.unwrap().assignment.is_none());
    let running = office.session(id).await;
    assert!(running.spent_micro_usd > MicroUsd::ZERO && running.reserved_micro_usd > MicroUsd::ZERO);
    assert!(running.rate_micro_usd > MicroUsd::ZERO && running.n_open == 0);
    assert_eq!(running.deadline_at, Some(rented.deadline_at));

    let waiting = office.ask(id).await.unwrap();
    let ending = office.end_session(id).await;
    assert_eq!(ending.phase, DrawingPhase::Ending);
    let failed = office.generation(waiting.id).await;
    assert_eq!(failed.phase, GenerationPhase::Failed);
    assert!(failed.error.unwrap().contains("its owner ended it"));
    let lost = call(&agent).await.unwrap_err();
    assert!(matches!(lost, ServiceError::LeaseLost), "{lost:?}");
    office.pass().await;
    assert_eq!(office.sim.living(), [""; 0], "it is ended at once");
    let session = office.closes(id).await;
    assert_eq!(session.reason.as_deref(), Some("its owner ended it"));
    let entries = store::spend::entries(
        office.bench.store(),
        office.bench.owner(),
        Some(store::spend::Payer::Drawing(id)),
        1000,
    )
    .await
    .unwrap();
    assert!(
        entries
            .iter()
            .all(|entry| entry.drawing_session.as_deref() == Some("Covers"))
    );
    let refused = chain(&office.ask(id).await.unwrap_err());
    assert!(
        refused.contains("drawing_session_id: `Covers` is over"),
        "{refused}"
    );
}

async fn silence_ends_a_session(start: Start) {
    let office = Office::new(start).await;
    let (id, agent) = office.ready(office.drawing(5 * USD)).await;
    for _ in 0..8 {
        office.minutes(1).await;
        call(&agent).await.unwrap();
    }
    let shown = office.shown(id).await;
    let silence = shown.seconds_to_silence.expect("it is ready, and draws nothing");
    assert!((100..=170).contains(&silence), "{silence}");
    let left = (shown.deadline_at.unwrap() - office.sim.now()).num_seconds();
    let limit = i64::from(shown.seconds_to_limit.expect("it is ready"));
    assert!(limit > 0 && limit <= left - 300 + 5, "{limit} of {left}");
    // A picture begins the time anew.
    office.ask(id).await.unwrap();
    draw(&agent).await;
    assert_eq!(office.shown(id).await.seconds_to_silence, Some(600));
    for _ in 0..8 {
        office.minutes(1).await;
        call(&agent).await.unwrap();
    }
    assert_eq!(office.session(id).await.phase, DrawingPhase::Ready);
    office.minutes(4).await;
    assert_eq!(office.sim.living(), [""; 0]);
    let session = office.closes(id).await;
    assert!(session.reason.unwrap().contains("no picture was asked for"));
    table::row(
        &office,
        "a drawing session: nobody asks for a picture",
        "its machine is ended after the minutes that it waits",
    )
    .await;
}

async fn a_session_ends_before_it_passes_its_limit(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.drawing(50 * USD);
    request.rental.gpus = vec![office.gpus().largest.to_owned()];
    request.rental.n_gpus = 8;
    let (id, agent) = office.ready(request).await;
    let mut n_drawn = 0;
    loop {
        office.minutes(1).await;
        if office.ask(id).await.is_err() {
            break;
        }
        draw(&agent).await;
        n_drawn += 1;
        assert!(n_drawn < 100, "it never ends");
    }
    let session = office.closes(id).await;
    assert!(session.reason.unwrap().contains("its limit is reached"));
    assert!(
        session.spent_micro_usd > MicroUsd(25 * USD),
        "{}",
        session.spent_micro_usd
    );
    table::row(
        &office,
        "a drawing session: its limit is reached",
        "its machine is ended before, and pictures that wait for it fail",
    )
    .await;
}

async fn an_agent_that_stays_for_ever_is_ended_by_the_server(start: Start) {
    let office = Office::new(start).await;
    let mut request = office.drawing(2 * USD);
    request.idle_minutes = 240;
    let (id, agent) = office.ready(request).await;
    let deadline = office.machine().await.deadline_at;
    while office.sim.now() < deadline {
        office.minutes(1).await;
        let _ = call(&agent).await;
    }
    office.minutes(1).await;
    assert_eq!(office.sim.living(), [""; 0]);
    office.closes(id).await;
}

async fn an_owner_ends_a_session_in_every_phase(start: Start) {
    let office = Office::new(start).await;
    // Before anything is ordered.
    let first = office.asked_for(5 * USD).await;
    assert_eq!(office.end_session(first).await.phase, DrawingPhase::Ended);
    office.pass().await;
    assert_eq!(office.instances().await, []);
    // While its machine starts.
    let second = office.asked_for(5 * USD).await;
    office.pass().await;
    assert_eq!(office.end_session(second).await.phase, DrawingPhase::Ending);
    office.pass().await;
    assert_eq!(office.sim.living(), [""; 0]);
    office.minutes(3).await;
    assert_eq!(office.session(second).await.phase, DrawingPhase::Ended);
    // Again: nothing happens.
    assert_eq!(office.end_session(second).await.phase, DrawingPhase::Ended);
    let bench = &office.bench;
    let wanted = store::audit::Filter::default();
    let log = store::audit::list(bench.store(), bench.owner(), &wanted, 100)
        .await
        .unwrap();
    let n = |action| log.iter().filter(|entry| entry.action == action).count();
    assert_eq!(
        (n(AuditAction::DrawingMade), n(AuditAction::DrawingEnded)),
        (2, 2)
    );
    office.settle().await;
    office.audit().await;
}

async fn what_cannot_be_rented_is_refused(start: Start) {
    let office = Office::new(start).await;
    let refused = async |change: fn(&mut CreateDrawingSession)| {
        let mut request = office.drawing(5 * USD);
        change(&mut request);
        chain(&office.rent_for_pictures(request).await.unwrap_err())
    };
    let err = refused(|request| request.limit_micro_usd = MicroUsd(1000)).await;
    assert!(err.contains("limit_micro_usd: must be at least $0."), "{err}");
    let err = refused(|request| request.provider = "local".to_owned()).await;
    assert!(
        err.contains("provider: must be one that rents machines out"),
        "{err}"
    );
    let err = refused(|request| request.idle_minutes = 0).await;
    assert!(err.contains("idle_minutes: must be from 1 to 240"), "{err}");
    let err = refused(|request| request.rental.gpus = vec!["NVIDIA Nothing".to_owned()]).await;
    assert!(err.contains("no machine on offer fits"), "{err}");
    let err = refused(|request| request.rental.n_gpus = 9).await;
    assert!(err.contains("rental.n_gpus: must be from 1 to 8"), "{err}");

    let (owner, orchestrator) = (office.bench.owner(), &office.bench.orchestrator);
    let wanted = PriceDrawingSession {
        provider: office.kind().name().to_owned(),
        rental: RentalWish::default(),
    };
    let prices = orchestrator.price_drawing_session(owner, &wanted).await.unwrap();
    assert!(
        prices
            .offers
            .iter()
            .all(|offer| offer.rate_micro_usd > MicroUsd::ZERO)
    );
    assert!(
        prices
            .least_limit_micro_usd
            .is_some_and(|least| least < MicroUsd(5 * USD))
    );
    let budget = SetBudget {
        scope: BudgetScope::User,
        key: None,
        limit_micro_usd: Some(MicroUsd(10_000)),
    };
    orchestrator.set_budget(owner, budget).await.unwrap();
    let err = refused(|_| {}).await;
    assert!(err.contains("the budget of the user has $0.01 left"), "{err}");
    let unknown = chain(&office.ask(DrawingSessionId::new()).await.unwrap_err());
    assert!(
        unknown.contains("is not one of your drawing sessions"),
        "{unknown}"
    );
    assert_eq!(office.instances().await, []);
}

async fn a_picture_that_was_handed_out_and_lost_is_handed_out_again(start: Start) {
    let office = Office::new(start).await;
    let (id, agent) = office.ready(office.drawing(5 * USD)).await;
    let asked = office.ask(id).await.unwrap();
    let first = call(&agent).await.unwrap().assignment.unwrap();
    // The answer was lost on its way, or the agent has started again.
    assert_eq!(draw(&agent).await, asked.id);
    let late = Heartbeat {
        fence: first.fence,
        events: Vec::new(),
    };
    let orchestrator = &office.bench.orchestrator;
    let beat = orchestrator.heartbeat(&agent.credential, first.attempt_id, late);
    assert!(
        matches!(beat.await, Err(ServiceError::LeaseLost)),
        "it is another attempt now"
    );
    assert_eq!(
        office.generation(asked.id).await.phase,
        GenerationPhase::Succeeded
    );
    office.end_session(id).await;
    office.closes(id).await;
}

async fn an_agent_that_draws_no_pictures_is_refused_at_once(start: Start) {
    let office = Office::new(start).await;
    let id = office.asked_for(5 * USD).await;
    office.pass().await;
    office.minutes(1).await;
    let agent = office.agent(&office.machine().await.name).await;
    let refused = chain(&agent.claim(WorkKind::Train).await.unwrap_err());
    assert!(refused.contains("draws no pictures"), "{refused}");
    office.pass().await;
    assert_eq!(office.sim.living(), [""; 0]);
    let session = office.closes(id).await;
    assert!(session.reason.unwrap().contains("draws no pictures"));
}
