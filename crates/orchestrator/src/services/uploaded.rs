//! Checks the files that agents upload before they are used: what the agent reports is not enough.

use futures::StreamExt as _;
use protocol::{
    AttemptId,
    agent::{ArtifactKind, TrainResult},
    limits::{MAX_AGENT_PICTURE_SIDE, MAX_METADATA_BYTES, MAX_SAFETENSORS_HEADER_BYTES},
    model::Verdict,
    phase::AttemptPhase,
    safetensors::{self, Header},
};
use store::{
    BlobKey, StoreError,
    artifacts::{self, Artifact},
    attempts::{self, Subject},
    jobs,
    objects::BlobError,
    tokens::AgentCredential,
};

use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lora_file::{Scan, check_header},
};

/// Signature and first chunk of a PNG.
const PNG_HEAD_BYTES: u64 = 33;

impl Orchestrator {
    /// Refuses a file that is not what its agent announced.
    pub(super) async fn check_content(&self, file: &Artifact) -> ServiceResult<()> {
        let problem = match file.kind {
            ArtifactKind::Lora { .. } => self.lora_problem(file).await?,
            ArtifactKind::Sample { .. }
            | ArtifactKind::PictureBefore
            | ArtifactKind::PictureAfter
            | ArtifactKind::Picture
            | ArtifactKind::Evidence { .. } => self.picture_problem(file).await?,
            // The agent that resumes from it reads all of it, and reports it if it is unusable. What is made of an edit's
            // result is looked at when it ends.
            ArtifactKind::Checkpoint { .. } | ArtifactKind::Edited => None,
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(ServiceError::field(
                "sha256",
                format!("`{}` {problem}", file.file_name),
            )),
        }
    }

    async fn lora_problem(&self, file: &Artifact) -> ServiceResult<Option<String>> {
        let Some(job) = file.job_id else {
            return Ok(Some("is a LoRA, but this attempt does not train one".to_owned()));
        };
        let rank = jobs::state(&self.store, job).await?.recipe.rank();
        let checked = self.header(file).await?;
        let problem = checked.and_then(|header| check_header(&header, u64::from(rank.get())));
        Ok(problem.err().map(|problem| format!("is not a LoRA: {problem}")))
    }

    /// The header of a safetensors file, or what is wrong with it.
    pub(super) async fn header(&self, file: &Artifact) -> ServiceResult<Result<Header, String>> {
        let prefix = self.part(file, 0, safetensors::PREFIX_BYTES).await?;
        let range = match safetensors::header_range(&prefix, file.size_bytes) {
            Ok(range) => range,
            Err(err) => return Ok(Err(err.to_string())),
        };
        debug_assert!(range.end - range.start <= MAX_SAFETENSORS_HEADER_BYTES);
        let header = self.part(file, range.start, range.end).await?;
        Ok(Header::parse(&header, file.size_bytes).map_err(|err| err.to_string()))
    }

    async fn picture_problem(&self, file: &Artifact) -> ServiceResult<Option<String>> {
        let head = self.part(file, 0, PNG_HEAD_BYTES).await?;
        Ok(png_problem(&head))
    }

    /// A range of a file's bytes, shorter at its end.
    async fn part(&self, file: &Artifact, from: u64, to: u64) -> ServiceResult<Vec<u8>> {
        let range = from..to.min(file.size_bytes);
        let mut part = Vec::new();
        if range.is_empty() {
            return Ok(part);
        }
        let objects = self.store.objects();
        let mut reader = objects.read(&file.key, Some(range)).await.map_err(unread)?;
        while let Some(bytes) = reader.stream.next().await {
            part.extend_from_slice(&bytes.map_err(unread)?);
        }
        Ok(part)
    }

    /// Refuses a result whose verdict lacks checks, contradicts itself, or contradicts the file.
    pub(super) async fn check_result(
        &self,
        agent: &AgentCredential,
        id: AttemptId,
        result: &mut TrainResult,
    ) -> ServiceResult<()> {
        let attempt = attempts::get(&self.store, id).await?;
        let Subject::Job(job) = attempt.subject else {
            return Err(ServiceError::field("result", "belongs to a training"));
        };
        if !attempt.belongs_to(agent) || attempt.phase == AttemptPhase::Gone {
            // The transaction that follows says what that means.
            return Ok(());
        }
        let wrong = |field: &str, problem: String| Err(ServiceError::field(field, problem));
        if let Some(problem) = result.verdict.contradiction() {
            return wrong("result.verdict", problem);
        }
        let n_steps = jobs::state(&self.store, job).await?.recipe.parameters().n_steps;
        if !(1..=n_steps).contains(&result.n_steps) {
            let problem = format!(
                "must be from 1 to {n_steps} (the steps of the recipe), not {}",
                result.n_steps
            );
            return wrong("result.n_steps", problem);
        }
        let file = match artifacts::find(&self.store, result.artifact_id).await {
            Ok(file) if file.attempt_id == id && file.is_stored => file,
            // The transaction that follows says what is wrong with it.
            Ok(_) | Err(StoreError::NotFound { .. }) => return Ok(()),
            Err(err) => return Err(err.into()),
        };
        let ArtifactKind::Lora { step } = file.kind else {
            return Ok(());
        };
        if step != result.n_steps {
            let problem = format!("must be {step} as in the file, not {}", result.n_steps);
            return wrong("result.n_steps", problem);
        }
        let header = match self.header(&file).await? {
            Ok(header) => header,
            Err(problem) => return wrong("result.artifact_id", format!("is not a LoRA: {problem}")),
        };
        let sizes = header
            .metadata
            .iter()
            .map(|(name, value)| name.len() + value.len());
        let n_bytes: usize = sizes.sum();
        if n_bytes > MAX_METADATA_BYTES {
            let problem = format!("has metadata of {n_bytes} bytes; the limit is {MAX_METADATA_BYTES}");
            return wrong("result.artifact_id", problem);
        }
        result.metadata = header.metadata.clone();
        if let Some(problem) = self.numbers_problem(&file.key, header, &result.verdict).await? {
            return wrong("result.verdict", problem);
        }
        Ok(())
    }

    /// How the numbers of a LoRA contradict its verdict.
    async fn numbers_problem(
        &self,
        key: &BlobKey,
        header: Header,
        verdict: &Verdict,
    ) -> ServiceResult<Option<String>> {
        let first = header.tensors.values().map(|tensor| tensor.range.start).min();
        let Some(mut skipped) = first.and_then(|first| usize::try_from(first).ok()) else {
            return Ok(None);
        };
        let mut scan = Scan::new(header);
        let objects = self.store.objects();
        let mut reader = objects.read(key, None).await.map_err(unread)?;
        while let Some(bytes) = reader.stream.next().await {
            let bytes = bytes.map_err(unread)?;
            let n_skipped = skipped.min(bytes.len());
            skipped -= n_skipped;
            scan.take(&bytes[n_skipped..]);
        }
        let seen = scan.end();
        let passed = |name: &str| {
            verdict
                .checks
                .iter()
                .any(|check| check.name == name && check.passed)
        };
        if let Some(tensor) = seen.not_finite.filter(|_| passed("finite")) {
            return Ok(Some(format!(
                "claims that every number is finite, but the tensor `{tensor}` has others"
            )));
        }
        if let Some(module) = seen.zero.first().filter(|_| passed("non_zero")) {
            return Ok(Some(format!(
                "claims that every module changes its layer, but `{module}` is zero"
            )));
        }
        Ok(None)
    }
}

fn unread(err: BlobError) -> ServiceError {
    StoreError::from(err).into()
}

/// What is wrong with a picture, by its first bytes.
fn png_problem(head: &[u8]) -> Option<String> {
    let sides = head
        .strip_prefix(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        .and_then(|rest| Some((rest.first_chunk::<4>()?, rest.get(4..8)?.first_chunk::<4>()?)));
    let Some((width, height)) = sides else {
        return Some("is not a PNG".to_owned());
    };
    let (width, height) = (u32::from_be_bytes(*width), u32::from_be_bytes(*height));
    let limit = 1..=MAX_AGENT_PICTURE_SIDE;
    (!limit.contains(&width) || !limit.contains(&height)).then(|| {
        format!("has {width} × {height} pixels, but each side must be from 1 to {MAX_AGENT_PICTURE_SIDE}")
    })
}

#[cfg(test)]
mod tests {
    use super::png_problem;

    #[test]
    fn pictures_are_told_by_their_head() {
        assert_eq!(png_problem(&sim::files::png("")), None);
        assert_eq!(png_problem(b"GIF89a").as_deref(), Some("is not a PNG"));
        assert_eq!(
            png_problem(&sim::files::png("")[..20]).as_deref(),
            Some("is not a PNG")
        );
        for side in [[0; 4], [0, 0, 0x20, 1], [0xff; 4]] {
            let mut head = sim::files::png("");
            head[16..20].copy_from_slice(&side);
            let problem = png_problem(&head).unwrap();
            assert!(problem.contains("each side must be from 1 to 8192"), "{problem}");
        }
    }
}
