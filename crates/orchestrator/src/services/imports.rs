//! LoRAs that were made elsewhere, taken into the library.

use std::sync::Arc;

use protocol::{
    OwnerId,
    audit::AuditAction,
    imported::{ImportLora, Imported, LeftOut},
    lora::LoraSummary,
    model::ModelVersion,
    preset::BaseClass,
    safetensors::Header,
};
use store::{
    BlobKey, StoreError, audit, damage,
    models::{self, NewImport, VersionFile},
};
use tokio_util::io::ReaderStream;

use crate::{
    Orchestrator, ServiceError, ServiceResult,
    lora_file::{Incoming, ReadLora, words},
};

/// A version of the library.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedVersion {
    /// The version.
    pub version: ModelVersion,
    /// False if the model had a version of the same file.
    pub is_new: bool,
}

impl Orchestrator {
    /// Makes a model version of an uploaded file; nothing is stored of one that is refused.
    pub async fn import_lora(
        &self,
        owner: OwnerId,
        request: ImportLora,
        file_name: String,
        incoming: Incoming,
    ) -> ServiceResult<ImportedVersion> {
        request.validate()?;
        let Some(read) = self.options.read_lora else {
            let reason = "this server reads no LoRAs that were made elsewhere".to_owned();
            return Err(ServiceError::Unavailable(reason));
        };
        let base = self.base_model(&request.base_model).await?;
        let incoming = Arc::new(incoming);
        let (looked_at, class) = (Arc::clone(&incoming), base.class);
        let looking = tokio::task::spawn_blocking(move || look(&looked_at, class, read));
        let looked = looking.await.map_err(|err| unread(std::io::Error::other(err)))?;
        let (header, summary) = looked
            .map_err(unread)?
            .map_err(|problem| ServiceError::field("file", problem))?;
        if !request.allow_partial
            && let Some(left_out) = summary.left_out()
        {
            let problem = format!("{left_out}; set it to `true` to use the rest");
            return Err(ServiceError::field("allow_partial", problem));
        }
        let key = BlobKey::from_sha256(&incoming.sha256).expect("a digest is a valid hash");
        let bytes = tokio::fs::File::open(incoming.file.path())
            .await
            .map_err(unread)?;
        self.store
            .objects()
            .put_stream(&key, incoming.size_bytes, ReaderStream::new(bytes))
            .await
            .map_err(StoreError::from)?;
        let trigger_words = match (request.trigger_words.is_empty(), summary.trigger_words.is_empty()) {
            (false, _) => request.trigger_words,
            (true, false) => words::fit(summary.trigger_words.clone()),
            (true, true) => words::of_metadata(&header.metadata),
        };
        let imported = Imported {
            made: None,
            allow_partial: request.allow_partial,
            format: summary.format,
            left_out: LeftOut::of(&summary.leftovers),
            kinds: summary.kinds,
            n_modules: summary.n_modules,
            rank_min: summary.rank_min,
            rank_max: summary.rank_max,
            trained_on: summary.trained_on,
            base_class: class,
            trigger_words,
            source: request.source,
            license: request.license,
        };
        let file = VersionFile {
            file_name,
            sha256: incoming.sha256.clone(),
            size_bytes: incoming.size_bytes,
            key,
            allow_partial: imported.allow_partial,
        };
        let new = NewImport {
            owner,
            name: &request.name,
            base_model: &request.base_model,
            file: &file,
            metadata: &words::kept(&header.metadata),
            imported: &imported,
        };
        let tx = self.store.begin().await?;
        // The bytes are whole now, whatever was known of them.
        damage::clear(&tx, std::slice::from_ref(&file.key)).await?;
        let (id, is_new) = models::create_imported(&tx, new).await?;
        let detail = match is_new {
            true => "",
            false => "there already",
        };
        let subject = audit::named(&file.file_name, id);
        audit::record(&tx, AuditAction::LoraImported, &subject, detail).await?;
        let version = models::version(&tx, owner, id).await?;
        tx.commit().await?;
        tracing::info!(model_version.id = %id, is_new, "LoRA imported");
        Ok(ImportedVersion { version, is_new })
    }
}

/// What a file holds, or what is wrong with it. The data plane's reader is asked first: it knows what else a file may be.
/// Blocks.
fn look(
    incoming: &Incoming,
    class: BaseClass,
    read: ReadLora,
) -> std::io::Result<Result<(Header, LoraSummary), String>> {
    // That reader also serves files of its own user, and has no limits for those of others.
    if let Some(problem) = incoming.beyond_limits()? {
        return Ok(Err(problem));
    }
    let summary = match read(incoming.file.path(), class) {
        Ok(summary) => summary,
        Err(problem) => return Ok(Err(problem)),
    };
    let header = match incoming.header()? {
        Ok(header) => header,
        Err(problem) => return Ok(Err(problem)),
    };
    if summary.n_modules == 0 {
        return Ok(Err(
            "holds nothing that can be applied to an SDXL model".to_owned()
        ));
    }
    if let Some(tensor) = incoming.not_finite(&header)? {
        return Ok(Err(format!(
            "is broken: its tensor `{tensor}` holds NaN or infinity, as after a training that diverged"
        )));
    }
    Ok(Ok((header, summary)))
}

fn unread(err: std::io::Error) -> ServiceError {
    StoreError::from(store::objects::BlobError::Broken(err.into())).into()
}
