//! One training for a server: download, train, validate, upload.

mod failure;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{StreamExt as _, TryStreamExt as _, stream};
use protocol::{
    agent::{
        ArtifactKind, Assignment, Directive, Finish, Instead, Report, StoredFile, TrainResult, TrainWork,
    },
    phase::Outcome,
    problem::chain,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::failure::Failure;
use crate::{
    bases::{BaseError, Furnished},
    client::{Client, ClientError, Patience},
    engine::{self, Ended, TrainEvent, Trained},
    instead::{self, Fetched, Holder},
    kohya::Kohya,
    lease::Lease,
    link::Leave,
    measured::Measurements,
    uploads::{HandIn, Uploads},
    work_dir::WorkDir,
};

/// Pictures that are fetched at the same time.
const N_CONNECTIONS: usize = 8;
/// From the request to end to the exit; systemd, Docker and providers of machines kill after 5 to 90 s.
const GRACE: Duration = Duration::from_secs(5);
/// While a base model comes, this often.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// This part of the time for leaving a rented machine is kept for telling the server of it.
const TELLING_PART: u32 = 10;
/// The detail of an attempt that was stopped before a write failed.
const NEARLY_FULL: &str = "the disk of the agent's machine is nearly full: free space there";

/// Trains one job and uploads the result. Errors are those of requests to the server; a
/// failed training is reported to it.
pub(crate) async fn run(
    client: &Client,
    work_dir: &WorkDir,
    assignment: &Assignment,
    work: &TrainWork,
    engine: engine::Train,
    kohya: Option<&Kohya>,
    shutdown: &CancellationToken,
) -> Result<(), ClientError> {
    let (lease, orders) = Lease::hold(client.clone(), assignment);
    let lost = lease.lost();
    let training = Training {
        client,
        work_dir,
        work,
        engine,
        lease: &lease,
        shutdown,
        kohya,
        is_finishing: AtomicBool::new(work.finish),
    };
    let ending = tokio::select! {
        ending = training.run(orders) => ending,
        () = lost.cancelled() => Err(Failure::Exchange(ClientError::LeaseLost)),
        () = grace_is_over(shutdown) => Ok(Ending::told_to_end()),
        leave = time_to_leave_is_over(client) => Ok(Ending::left(&leave)),
    };
    let ending = match ending {
        Ok(ending) => ending,
        Err(Failure::Work(detail) | Failure::Checkpoint(detail)) => Ending::failed(detail),
        Err(Failure::Disk(detail)) => Ending::out_of_room(detail),
        // The lease's own error says more: why it could not be renewed.
        Err(Failure::Exchange(ClientError::LeaseLost)) => {
            lease.close().await?;
            return Err(ClientError::LeaseLost);
        }
        Err(Failure::Exchange(err)) => return Err(err),
    };
    let finish = Finish {
        fence: assignment.fence,
        outcome: ending.outcome,
        detail: ending.detail,
        result: ending.result,
        picture: None,
        edited: None,
        disk_fault: ending.disk_fault,
    };
    let tell = async {
        lease.close().await?;
        let told = client
            .finish(assignment.attempt_id, &finish, Patience::WORKING)
            .await;
        let Err(err @ ClientError::Refused { .. }) = told else {
            return told;
        };
        if finish.result.is_none() {
            return Err(err);
        }
        // Another attempt would bring the same result.
        let failed = Finish {
            outcome: Outcome::Failed,
            detail: Some(chain(&err)),
            result: None,
            ..finish.clone()
        };
        client
            .finish(assignment.attempt_id, &failed, Patience::WORKING)
            .await
    };
    tokio::select! {
        told = tell => told,
        // The server notices when the lease expires.
        () = grace_is_over(shutdown) => Ok(()),
    }
}

async fn grace_is_over(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Whatever was not handed in until then never will be.
async fn time_to_leave_is_over(client: &Client) -> Leave {
    let leave = client.link().leave().await;
    tokio::time::sleep(leave.within - leave.within / TELLING_PART).await;
    leave
}

/// How an attempt ends.
struct Ending {
    outcome: Outcome,
    detail: Option<String>,
    result: Option<TrainResult>,
    /// See [`Finish::disk_fault`].
    disk_fault: bool,
}

impl Ending {
    fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            detail: None,
            result: None,
            disk_fault: false,
        }
    }

    fn failed(detail: String) -> Self {
        Self {
            detail: Some(detail),
            ..Self::of(Outcome::Failed)
        }
    }

    /// Nobody asked for the job to stop: another attempt shall go on from the newest checkpoint.
    fn told_to_end() -> Self {
        Self {
            detail: Some("the agent was told to stop by its machine".into()),
            ..Self::of(Outcome::Lost)
        }
    }

    /// Another attempt goes on when there is room, or elsewhere.
    fn out_of_room(detail: String) -> Self {
        Self {
            detail: Some(detail),
            disk_fault: true,
            ..Self::of(Outcome::Lost)
        }
    }

    /// Another attempt goes on on another machine, if there is money for one.
    fn left(leave: &Leave) -> Self {
        Self {
            detail: Some(leave.reason.clone()),
            ..Self::of(Outcome::Lost)
        }
    }
}

/// Who told the engine to stop.
enum StoppedBy {
    Server,
    /// The machine is being shut down.
    Machine,
    /// The dead-man switch of a rented machine.
    Switch(Leave),
    /// The disk of this machine is nearly full.
    Disk,
}

struct Training<'a> {
    client: &'a Client,
    work_dir: &'a WorkDir,
    work: &'a TrainWork,
    engine: engine::Train,
    lease: &'a Lease,
    shutdown: &'a CancellationToken,
    kohya: Option<&'a Kohya>,
    /// The training ends early with a result; the engine is told when it starts.
    is_finishing: AtomicBool,
}

impl Training<'_> {
    async fn run(&self, mut orders: mpsc::UnboundedReceiver<Directive>) -> Result<Ending, Failure> {
        let folder = self
            .work_dir
            .attempt(self.lease.attempt)
            .map_err(|err| Failure::of(&err))?;
        let path = folder.path().join("resume.safetensors");
        let fetching = async {
            let checkpoint = self
                .fetch_checkpoint(self.work.resume_from.clone(), &path)
                .await?;
            let start_from = self.fetch_start().await?;
            Ok((checkpoint, start_from, self.fetch().await?))
        };
        let (mut checkpoint, start_from, located) = match self.unless_ended(&mut orders, fetching).await? {
            Ok(fetched) => fetched,
            Err(ending) => return Ok(ending),
        };
        let mut uploads = Uploads::start(
            self.client.clone(),
            self.lease,
            self.work.recipe.name().to_owned(),
        );
        let (ended, stopped_by) = loop {
            let job = engine::Job {
                recipe: self.work.recipe.clone(),
                base: located.base.clone(),
                base_options: located.options.clone(),
                measurements: self.measurements(),
                manifest: self.work.manifest.clone(),
                pictures: self.pictures(),
                start_from: start_from.clone(),
                resume_from: checkpoint.is_some().then(|| path.clone()),
                is_start_drawn: self.work.is_start_drawn,
                folder: folder.path().to_owned(),
                room: self.work_dir.room(),
                judging: self.work_dir.judge_share(),
            };
            let problem = match self.drive(job, &mut orders, &mut uploads).await {
                Ok(ended) => break ended,
                Err(Failure::Checkpoint(problem)) => problem,
                Err(failure) => {
                    // The files written before are still good: another attempt may go on from them.
                    uploads.finish_without_evidence().await?;
                    return Err(failure);
                }
            };
            let older = self.fetch_older(checkpoint, &problem, &path);
            checkpoint = match self.unless_ended(&mut orders, older).await? {
                Ok(older) => older,
                Err(ending) => return Ok(ending),
            };
        };
        match ended {
            Ended::Completed(trained) => {
                let evidence = uploads.finish().await?;
                let ending = self.hand_in(*trained).await?;
                // The result is stored: only a machine that ends does not wait for its pictures.
                evidence.finish(self.told_to_leave()).await?;
                Ok(ending)
            }
            Ended::Stopped => {
                uploads.finish_without_evidence().await?;
                match stopped_by {
                    StoppedBy::Server => Ok(Ending::of(Outcome::Stopped)),
                    StoppedBy::Machine => Ok(Ending::told_to_end()),
                    StoppedBy::Switch(leave) => Ok(Ending::left(&leave)),
                    StoppedBy::Disk => Err(Failure::Disk(NEARLY_FULL.to_owned())),
                }
            }
            Ended::Cancelled => Ok(Ending::of(Outcome::Cancelled)),
        }
    }

    async fn told_to_leave(&self) {
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            _ = self.client.link().leave() => {}
        }
    }

    fn holder(&self) -> Holder {
        Holder {
            attempt: self.lease.attempt,
            fence: self.lease.fence,
        }
    }

    /// Does this unless an order ends the work, or the machine must be left.
    async fn unless_ended<T>(
        &self,
        orders: &mut mpsc::UnboundedReceiver<Directive>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Result<T, Ending>, Failure> {
        tokio::select! {
            done = work => done.map(Ok),
            outcome = self.end_ordered(orders) => Ok(Err(Ending::of(outcome))),
            leave = self.client.link().leave() => Ok(Err(Ending::left(&leave))),
        }
    }

    /// Fetches the checkpoint to go on from, or the newest older one that is whole; says which.
    async fn fetch_checkpoint(
        &self,
        mut wanted: Option<StoredFile>,
        path: &Path,
    ) -> Result<Option<StoredFile>, Failure> {
        while let Some(file) = wanted {
            match instead::fetch(self.client, self.holder(), &file, path).await? {
                Fetched::Here => return Ok(Some(file)),
                Fetched::Instead(older) => wanted = older,
            }
        }
        Ok(None)
    }

    /// Fetches the LoRA to begin with, if the work names one.
    async fn fetch_start(&self) -> Result<Option<PathBuf>, Failure> {
        let Some(file) = &self.work.start_from else {
            return Ok(None);
        };
        let fetched = instead::fetch_lora(self.client, self.holder(), self.work_dir, file).await?;
        Ok(Some(fetched))
    }

    /// The same after the engine could not go on from a checkpoint that came whole.
    async fn fetch_older(
        &self,
        unusable: Option<StoredFile>,
        problem: &str,
        path: &Path,
    ) -> Result<Option<StoredFile>, Failure> {
        let Some(file) = unusable else {
            return Err(Failure::Work(problem.to_owned()));
        };
        match instead::of_unusable(self.client, self.holder(), &file, problem).await? {
            Some(Instead::GoOn { resume_from }) => self.fetch_checkpoint(resume_from, path).await,
            Some(Instead::GiveUp { reason }) => Err(Failure::Work(reason)),
            Some(Instead::FetchAgain) | None => Err(Failure::Work(problem.to_owned())),
        }
    }

    /// Fetches the base model and the pictures that are not cached.
    async fn fetch(&self) -> Result<Furnished, Failure> {
        self.work_dir.make_room();
        let total = u32::try_from(self.work.manifest.items.len()).unwrap_or(u32::MAX);
        let fetches = self.work.manifest.items.iter().map(|item| async {
            let url =
                self.work.picture_urls.get(&item.sha256).ok_or_else(|| {
                    Failure::Work(format!("the server sent no URL for picture {}", item.id))
                })?;
            let file = StoredFile {
                url: url.clone(),
                sha256: item.sha256.clone(),
                size_bytes: largest_png(item.width, item.height),
            };
            let path = self.work_dir.picture(&item.sha256);
            match instead::fetch(self.client, self.holder(), &file, &path).await? {
                Fetched::Here => Ok(()),
                Fetched::Instead(_) => Err(Failure::Work(
                    "the server sent a checkpoint in place of a picture".to_owned(),
                )),
            }
        });
        let mut fetched = stream::iter(fetches).buffer_unordered(N_CONNECTIONS);
        for done in 0..=total {
            self.lease.reporter().report(Report::Stage {
                name: "fetching pictures".into(),
                done,
                total,
            });
            if fetched.try_next().await?.is_none() {
                break;
            }
        }
        self.fetch_base().await
    }

    async fn fetch_base(&self) -> Result<Furnished, Failure> {
        let said_at = Mutex::new(None::<Instant>);
        let progress = |n_bytes: u64, total: u64| {
            let mut said_at = said_at.lock().unwrap_or_else(PoisonError::into_inner);
            if n_bytes < total && said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
                return;
            }
            *said_at = Some(Instant::now());
            let megabytes = |n_bytes| u32::try_from(n_bytes / 1_000_000).unwrap_or(u32::MAX);
            self.lease.reporter().report(Report::Stage {
                name: "downloading the base model (MB)".into(),
                done: megabytes(n_bytes),
                total: megabytes(total),
            });
        };
        let bases = self.work_dir.bases();
        let wanted = (&self.work.base, &self.work.base_known);
        let furnished = bases.furnish(self.client, wanted, Patience::WORKING, &progress);
        let err = match furnished.await {
            Ok(furnished) => return Ok(furnished),
            Err(err) => err,
        };
        // A copy in the object store may be lost; other hosts are none of the server's business.
        if let BaseError::Transfer(transfer) = &err
            && let Some(Instead::GiveUp { reason }) =
                instead::of_failed(self.client, self.holder(), transfer).await?
        {
            return Err(Failure::Work(reason));
        }
        Err(Failure::of(&err))
    }

    /// Waits for an order that ends the work before the engine has begun; there is nothing to keep yet.
    async fn end_ordered(&self, orders: &mut mpsc::UnboundedReceiver<Directive>) -> Outcome {
        loop {
            match orders.recv().await {
                Some(Directive::Stop) => return Outcome::Stopped,
                Some(Directive::Cancel) => return Outcome::Cancelled,
                Some(Directive::Finish) => self.is_finishing.store(true, Ordering::Relaxed),
                // There is nothing to do yet; the order is repeated.
                Some(order @ (Directive::Checkpoint | Directive::Sample)) => self.lease.carried_out(order),
                None => std::future::pending().await,
            }
        }
    }

    fn measurements(&self) -> Measurements {
        let said = self.work.base_known.measured.clone();
        self.work_dir.measurements().said(said)
    }

    fn pictures(&self) -> engine::Pictures {
        let work_dir = self.work_dir.clone();
        Box::new(move |sha256| work_dir.picture(sha256))
    }

    /// Runs the engine and stands between it and the server: its events out, orders in.
    async fn drive(
        &self,
        job: engine::Job,
        orders: &mut mpsc::UnboundedReceiver<Directive>,
        uploads: &mut Uploads,
    ) -> Result<(Ended, StoppedBy), Failure> {
        let mut engine = engine::Engine::start(self.engine, job, self.kohya.cloned());
        if self.is_finishing.load(Ordering::Relaxed) {
            engine.tell(Directive::Finish);
        }
        let mut stopped_by = None;
        loop {
            tokio::select! {
                event = engine.events.recv() => match event {
                    // Its pictures and its checkpoint are stored before it is told.
                    Some(TrainEvent::Report(report @ Report::Judged { .. })) => uploads.report(report),
                    Some(TrainEvent::Report(report)) => self.lease.reporter().report(report),
                    Some(TrainEvent::Wrote { kind, path }) => uploads.add(kind, path),
                    None => {
                        let ended = engine.end().await?;
                        return Ok((ended, stopped_by.unwrap_or(StoppedBy::Server)));
                    }
                },
                Some(order) = orders.recv() => {
                    if order == Directive::Stop {
                        // A stopped job must not get another attempt.
                        stopped_by = Some(StoppedBy::Server);
                        uploads.drop_evidence();
                    }
                    if order == Directive::Finish {
                        // Also if the engine begins again from another checkpoint.
                        self.is_finishing.store(true, Ordering::Relaxed);
                    }
                    engine.tell(order);
                }
                Some(order) = uploads.next_effect() => self.lease.carried_out(order),
                () = self.shutdown.cancelled(), if stopped_by.is_none() => {
                    stopped_by = Some(StoppedBy::Machine);
                    uploads.drop_evidence();
                    engine.tell(Directive::Stop);
                }
                leave = self.client.link().leave(), if stopped_by.is_none() => {
                    stopped_by = Some(StoppedBy::Switch(leave));
                    uploads.drop_evidence();
                    engine.tell(Directive::Stop);
                }
                () = self.work_dir.until_short(), if stopped_by.is_none() => {
                    stopped_by = Some(StoppedBy::Disk);
                    uploads.drop_evidence();
                    engine.tell(Directive::Stop);
                }
            }
        }
    }

    async fn hand_in(&self, trained: Trained) -> Result<Ending, Failure> {
        let hand_in = HandIn {
            client: self.client.clone(),
            attempt: self.lease.attempt,
            fence: self.lease.fence,
            lora_name: self.work.recipe.name().to_owned(),
        };
        let n_steps = trained.n_steps;
        let before = match &trained.before {
            Some(path) => Some(hand_in.file(ArtifactKind::PictureBefore, path).await?),
            None => None,
        };
        let after = match &trained.after {
            Some(path) => Some(hand_in.file(ArtifactKind::PictureAfter, path).await?),
            None => None,
        };
        let lora = ArtifactKind::Lora { step: n_steps };
        let artifact_id = hand_in.file(lora, &trained.lora).await?;
        let result = TrainResult {
            artifact_id,
            n_steps,
            verdict: trained.verdict,
            metadata: trained.metadata,
            before,
            after,
            judgement: trained.judgement,
        };
        Ok(Ending {
            result: Some(result),
            ..Ending::of(Outcome::Completed)
        })
    }
}

/// Most bytes of a PNG with eight bits for each of three colors: its rows as they are, each with the byte of its
/// filter, and room for what the format adds. A manifest tells no sizes.
fn largest_png(width: u32, height: u32) -> u64 {
    let n_bytes = (3 * u64::from(width) + 1) * u64::from(height);
    n_bytes + n_bytes / 100 + (64 << 10)
}

#[cfg(test)]
mod tests;
