//! LoRAs that were made elsewhere, taken into the library.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use bytes::Bytes;
use dataset::ingest::displayable;
use orchestrator::{ImportedVersion, Incoming};
use protocol::{
    imported::{ImportLora, trigger_words},
    limits::{MAX_ADAPTER_CONFIG_BYTES, MAX_LORA_BYTES},
    model::ModelVersion,
};
use tokio::sync::mpsc;
use utoipa::ToSchema;

use crate::{
    auth::User,
    error::{ApiError, ApiResult},
    multipart::{Multipart, shortened},
    state::AppState,
};

/// Pieces of a file that wait to be written.
const N_WAITING: usize = 4;
/// Characters of a model's name.
const MAX_NAME_CHARS: usize = 80;
const ENDING: &str = ".safetensors";
/// Of a PEFT folder that was sent as an archive.
const ZIP: &str = ".zip";

/// The parts of an import, in any order.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes a multipart form, whose parts are read as a stream"
)]
struct ImportForm {
    /// The LoRA: a safetensors file, or a PEFT folder as a zip archive.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// The `adapter_config.json` that lies beside a file of PEFT, sent with a file name: it has the alphas.
    #[schema(format = Binary, content_media_type = "application/json")]
    config: Option<String>,
    /// Name of a base model that it is for. It can be used with all of that size.
    base_model: String,
    /// Name of the model that it becomes a version of; if omitted, that of the file.
    name: Option<String>,
    /// Use the file although a part of it cannot be applied.
    allow_partial: Option<bool>,
    /// Words that activate it in a prompt, with commas between them; if omitted, those of the file's metadata.
    trigger_words: Option<String>,
    /// Where it is from: a note or an address.
    source: Option<String>,
    /// Its license.
    license: Option<String>,
}

/// Import a LoRA that was made elsewhere
///
/// Of a PEFT folder, what its `adapter_config.json` says goes into the header of the stored file.
///
/// A file of which a part cannot be applied is refused, with what that is, unless `allow_partial` is set. The version has
/// no verdict: nothing has judged it. It can be used at once. The same file again gives the version that there is.
#[utoipa::path(
    post,
    path = "/models/import",
    tag = "models",
    request_body(content = ImportForm, content_type = "multipart/form-data"),
    responses((status = 201, body = ModelVersion), (status = 200, body = ModelVersion))
)]
pub(crate) async fn import_model(
    State(state): State<AppState>,
    user: User,
    headers: HeaderMap,
    mut multipart: Multipart,
) -> ApiResult<(StatusCode, axum::Json<ModelVersion>)> {
    let length = headers.get(header::CONTENT_LENGTH);
    let n_bytes = length.and_then(|length| length.to_str().ok()?.parse().ok());
    let n_bytes: u64 = n_bytes.unwrap_or(0);
    state.orchestrator.check_room(n_bytes)?;
    let mut request = ImportLora::default();
    let (mut file, mut config) = (None, None);
    while let Some(part) = multipart.next_part().await? {
        match (part.name.as_str(), part.file_name) {
            ("file", Some(_)) if file.is_some() => {
                return Err(ApiError::field(
                    "file",
                    "must be one file: import them one by one",
                ));
            }
            ("file", Some(file_name)) => {
                file = Some((named(&file_name), spool(&state, &mut multipart).await?));
            }
            ("config", Some(_)) => config = Some(small(&mut multipart).await?),
            ("file", None) => return Err(ApiError::field("file", NO_FILE)),
            ("base_model", None) => request.base_model = line(&mut multipart).await?,
            ("name", None) => request.name = line(&mut multipart).await?,
            ("allow_partial", None) => request.allow_partial = parse_yes(&multipart.text().await?)?,
            ("trigger_words", None) => request.trigger_words = trigger_words(&multipart.text().await?),
            ("source", None) => request.source = said(line(&mut multipart).await?),
            ("license", None) => request.license = said(line(&mut multipart).await?),
            (other, _) => {
                return Err(ApiError::field(
                    shortened(other),
                    "is not a known part; valid parts are `file`, `config`, `base_model`, `name`, `allow_partial`, \
                     `trigger_words`, `source`, `license`",
                ));
            }
        }
    }
    let Some((file_name, incoming)) = file else {
        return Err(ApiError::field("file", NO_FILE));
    };
    // A header takes many times its size while it is read.
    let _turn = state.checking.acquire().await.map_err(ApiError::internal)?;
    let folder = state.store().data_dir().to_owned();
    let preparing = tokio::task::spawn_blocking(move || incoming.prepared(&folder, config));
    let prepared = preparing
        .await
        .map_err(ApiError::internal)?
        .map_err(ApiError::file)?;
    let incoming = prepared.map_err(|err| ApiError::field(err.field, err.message))?;
    if request.name.is_empty() {
        let stem = file_name.strip_suffix(ENDING).unwrap_or(&file_name);
        request.name = stem.chars().take(MAX_NAME_CHARS).collect();
    }
    let imported = state
        .orchestrator
        .import_lora(user.owner, request, file_name, incoming);
    let ImportedVersion { version, is_new } = Box::pin(imported).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, axum::Json(version)))
}

const NO_FILE: &str = "must be a LoRA as a safetensors file, sent with a file name";

/// Writes the file of the upload to the disk, where it is looked at before it is stored.
async fn spool(state: &AppState, multipart: &mut Multipart) -> ApiResult<Incoming> {
    let folder = state.store().data_dir().to_owned();
    let (to_disk, mut pieces) = mpsc::channel::<Bytes>(N_WAITING);
    let writing = tokio::task::spawn_blocking(move || Incoming::write(&folder, || pieces.blocking_recv()));
    while let Some(piece) = multipart.chunk().await? {
        if to_disk.send(piece).await.is_err() {
            break; // the disk has failed, and says so below
        }
    }
    drop(to_disk);
    let written = writing.await.map_err(ApiError::internal)?;
    written.map_err(ApiError::file)?.ok_or_else(|| {
        ApiError::TooLarge(format!(
            "a LoRA must have at most {} GiB; nothing of it was kept",
            MAX_LORA_BYTES >> 30
        ))
    })
}

/// A configuration.
async fn small(multipart: &mut Multipart) -> ApiResult<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = multipart.chunk().await? {
        if (bytes.len() + piece.len()) as u64 > MAX_ADAPTER_CONFIG_BYTES {
            let most = MAX_ADAPTER_CONFIG_BYTES >> 20;
            return Err(ApiError::field("config", format!("must have at most {most} MiB")));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// A file's name for people and for downloads, which is that of a safetensors file whatever it was called.
fn named(file_name: &str) -> String {
    let last = file_name.rsplit(['/', '\\']).next().unwrap_or_default();
    let last = last.trim();
    let without_zip = last
        .len()
        .checked_sub(ZIP.len())
        .and_then(|at| last.split_at_checked(at));
    let last = match without_zip {
        Some((stem, end)) if end.eq_ignore_ascii_case(ZIP) => stem,
        _ => last,
    };
    let name = displayable(last);
    match name.to_lowercase().ends_with(ENDING) {
        true => name,
        false if name.is_empty() => format!("lora{ENDING}"),
        false => format!("{name}{ENDING}"),
    }
}

async fn line(multipart: &mut Multipart) -> ApiResult<String> {
    Ok(multipart.text().await?.trim().to_owned())
}

fn said(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn parse_yes(text: &str) -> ApiResult<bool> {
    match text.trim() {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        other => Err(ApiError::field(
            "allow_partial",
            format!("must be `true` or `false`, not `{}`", shortened(other)),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_file_is_named_as_what_it_is() {
        for (sent, name) in [
            ("ink.safetensors", "ink.safetensors"),
            ("Ink.SafeTensors", "Ink.SafeTensors"),
            ("C:\\loras\\ink.safetensors", "ink.safetensors"),
            ("../../etc/ink", "ink.safetensors"),
            ("ink-peft.ZIP", "ink-peft.safetensors"),
            ("", "lora.safetensors"),
        ] {
            assert_eq!(named(sent), name, "{sent}");
        }
    }
}
