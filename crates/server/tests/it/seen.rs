//! What the steps of a job saw: reported by the agent, shown by step and by picture.

use orchestrator::providers::Purpose;
use protocol::{
    agent::{Report, WorkKind},
    event::SeenPictures,
    seen::{JobPictures, JobStep},
};
use reqwest::StatusCode;

use crate::{agent::step, app::TestApp};

fn seen(step: u32, pictures: &[u32], losses: &[f64]) -> SeenPictures {
    SeenPictures {
        step,
        pictures: pictures.to_vec(),
        timesteps: vec![440; pictures.len()],
        losses: losses.to_vec(),
    }
}

#[tokio::test]
async fn pictures_that_a_job_struggles_with_come_first() {
    let app = TestApp::start().await;
    let job = app.small_job().await;
    let mut agent = app.launched(Purpose::Train).await;
    let assignment = agent.claim(WorkKind::Train).await;
    let steps = vec![seen(1, &[0, 1], &[0.1, 0.5]), seen(2, &[1, 0], &[0.4, 0.2])];
    // Of a place that the dataset version does not have, nothing can be shown.
    let beyond = vec![seen(3, &[99], &[0.3])];
    let reports = vec![
        step(1, 4),
        step(2, 4),
        Report::PicturesSeen { steps },
        step(3, 4),
        Report::PicturesSeen { steps: beyond },
    ];
    agent.report(&assignment, reports).await;

    let shown: JobPictures = app.get(&format!("/api/v1/jobs/{}/pictures", job.id)).await;
    assert_eq!((shown.n_steps, shown.pictures.len()), (3, 2));
    let [hard, easy] = [&shown.pictures[0], &shown.pictures[1]];
    assert_eq!((hard.n_seen, hard.last_loss, hard.last_step), (2, 0.4, 2));
    // 0.45 and 0.15 of a mean of 0.3.
    assert!((hard.relative_loss - 1.5).abs() < 1e-9, "{hard:?}");
    assert!((easy.relative_loss - 0.5).abs() < 1e-9, "{easy:?}");
    assert!(hard.picture.file_name.is_some());
    assert!(hard.picture.url.contains("/thumbnail?of="), "{hard:?}");

    let second: JobStep = app.get(&format!("/api/v1/jobs/{}/steps/2", job.id)).await;
    assert_eq!((second.step, second.loss, second.learning_rate), (2, 0.25, 1e-3));
    let losses: Vec<f64> = second.pictures.iter().map(|picture| picture.loss).collect();
    assert_eq!(losses, [0.4, 0.2]);
    assert_eq!(second.pictures[0].picture.item_id, hard.picture.item_id);
    assert_eq!(second.pictures[0].timestep, 440);
    // 0.4 and 0.2 of a mean of 0.3: all reports are around it.
    let hard = second.pictures[0].relative_loss;
    assert!((hard - 4.0 / 3.0).abs() < 1e-9, "{hard}");

    let not_done = app.part(&format!("/api/v1/jobs/{}/steps/4", job.id), None).await;
    assert_eq!(not_done.status(), StatusCode::NOT_FOUND);
}
