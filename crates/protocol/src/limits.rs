//! Every limit that a client can hit, in one place.
//!
//! `docs/security.md` has a table of them, which `cargo xtask codegen` writes; a test fails when it differs.

use std::time::Duration;

/// Declares limits, and lists them in [`ALL`] with their documentation.
macro_rules! limits {
    ($($(#[doc = $doc:literal])+ pub const $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[doc = $doc])+ pub const $name: $type = $value;)+

        /// Every limit, in the order of this file.
        pub const ALL: &[Limit] = &[
            $(Limit {
                name: stringify!($name),
                meaning: concat!($($doc),+),
                value: || Shown::shown(&$name, stringify!($name)),
            },)+
        ];
    };
}

/// A limit, for people.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// Its constant.
    pub name: &'static str,
    /// What it limits.
    pub meaning: &'static str,
    value: fn() -> String,
}

impl Limit {
    /// Its value with a unit: `4 MiB`.
    pub fn value(&self) -> String {
        (self.value)()
    }
}

limits! {
    /// A JSON body. The longest legitimate one is a heartbeat with a batch of events.
    pub const MAX_JSON_BYTES: usize = 4 << 20;
    /// Objects and lists within each other in a JSON body.
    pub const MAX_JSON_DEPTH: usize = 32;
    /// Path and query of a request; a signed URL is the longest.
    pub const MAX_URI_BYTES: usize = 8 << 10;
    /// Names and values of all headers of a request.
    pub const MAX_HEADER_BYTES: usize = 32 << 10;
    /// Headers of a request.
    pub const MAX_HEADERS: usize = 100;
    /// Buffer for a request whose headers are still incomplete; the connection is closed when it overflows.
    pub const MAX_HEAD_BYTES: usize = 64 << 10;
    /// A message from a WebSocket client; our clients send none.
    pub const MAX_SOCKET_MESSAGE_BYTES: usize = 4 << 10;
    /// The base64 text of a preview of a picture that is being rendered; a larger one is left out.
    pub const MAX_PREVIEW_BYTES: usize = 96 << 10;
    /// Notes on a picture that an agent rendered; more are left out.
    pub const MAX_GENERATION_NOTES: usize = 20;
    /// A connection that has not sent a complete request head after this time is closed.
    pub const HEADER_TIME: Duration = Duration::from_secs(15);
    /// An idle connection is kept open for this long. Proxies keep theirs for a minute.
    pub const IDLE_TIME: Duration = Duration::from_secs(75);
    /// While a body arrives, at least `MIN_BODY_BYTES` must come within each period of this length.
    pub const BODY_TIME: Duration = Duration::from_secs(30);
    /// See `BODY_TIME`.
    pub const MIN_BODY_BYTES: usize = 4 << 10;
    /// A client that reads nothing of a response for this long is disconnected.
    pub const WRITE_TIME: Duration = Duration::from_secs(120);
    /// Connections at the same time, or half of the descriptors that the process may have.
    pub const MAX_CONNECTIONS: usize = 8192;
    /// Connections that have not presented a valid token, session or signed URL yet. When a new one arrives, the oldest
    /// of these is closed.
    pub const MAX_UNPROVEN_CONNECTIONS: usize = 512;
    /// The same limit per remote IP address.
    pub const MAX_UNPROVEN_PER_ADDRESS: usize = 64;
    /// File descriptors that the server requests from the system at startup.
    pub const WANTED_DESCRIPTORS: u64 = 65_536;
    /// LoRAs in one picture.
    pub const MAX_LORAS: usize = 64;
    /// Pictures that one request in the shape of OpenAI's API may ask for.
    pub const MAX_IMAGES: u32 = 10;
    /// Such a request waits this long for its pictures; then they are canceled.
    pub const IMAGES_TIME: Duration = Duration::from_secs(3600);
    /// Events in one heartbeat; more are rejected and must be sent with later heartbeats.
    pub const MAX_EVENTS_PER_HEARTBEAT: usize = 1000;
    /// Pictures in one report of what optimizer steps saw. The engine reports no more of a single step.
    pub const MAX_PICTURES_SEEN: usize = 1024;
    /// A log line of an agent; a longer one is shortened and says so.
    pub const MAX_LOG_BYTES: usize = 8 << 10;
    /// Details about the end of an attempt, or of a check; longer text is shortened.
    pub const MAX_DETAIL_BYTES: usize = 16 << 10;
    /// Names given by an agent (of a stage, check or module); longer ones are shortened.
    pub const MAX_STAGE_BYTES: usize = 256;
    /// Checks in a verdict.
    pub const MAX_VERDICT_CHECKS: usize = 64;
    /// Modules in a verdict. A LoRA of all layers of SDXL has about two thousand.
    pub const MAX_MODULE_NORMS: usize = 16_384;
    /// Fixed timesteps of the validation in a verdict.
    pub const MAX_VALIDATION_TIMESTEPS: usize = 1000;
    /// Metadata of a trained file.
    pub const MAX_METADATA_BYTES: usize = 2 << 20;
    /// An object with an agent's requests in its mailbox; a larger one is not read.
    pub const MAX_MAILBOX_REQUEST_BYTES: u64 = 16 << 20;
    /// An object with answers in an agent's mailbox; a larger one is not read. A dataset's list of pictures is the
    /// largest answer.
    pub const MAX_MAILBOX_ANSWER_BYTES: u64 = 64 << 20;
    /// Requests in one mailbox that are processed at once; the others wait.
    pub const MAX_MAILBOX_REQUESTS: usize = 32;
    /// Redirects of a download.
    pub const MAX_FETCH_REDIRECTS: u32 = 10;
    /// A download is aborted if the server sends nothing for this long.
    pub const FETCH_SILENCE: Duration = Duration::from_secs(60);
    /// Time within which a download must receive `MIN_FETCH_PACE_BYTES`.
    pub const FETCH_PACE_WINDOW: Duration = Duration::from_secs(60);
    /// Minimum that must arrive in `FETCH_PACE_WINDOW`, and for a retried connection to count as progress.
    pub const MIN_FETCH_PACE_BYTES: u64 = 64 << 10;
    /// Answer of an endpoint that describes a picture.
    pub const MAX_CHAT_ANSWER_BYTES: usize = 1 << 20;
    /// An endpoint that describes a picture is given up if its answer takes longer. A model on a processor takes minutes.
    pub const MAX_CHAT_TIME: Duration = Duration::from_secs(10 * 60);
    /// Time for the answer when an endpoint that describes pictures is tried.
    pub const CHAT_TRIAL_TIME: Duration = Duration::from_secs(2 * 60);
    /// Endpoints of a user that describe pictures.
    pub const MAX_CAPTION_ENDPOINTS: usize = 20;
    /// The base URL of such an endpoint.
    pub const MAX_CAPTION_URL_BYTES: usize = 2 << 10;
    /// The key of such an endpoint.
    pub const MAX_CAPTION_KEY_BYTES: usize = 4 << 10;
    /// Characters of what a model is told about each picture.
    pub const MAX_CAPTION_PROMPT_CHARS: usize = 4000;
    /// Runs of a dataset whose proposals are kept; older ones that have ended are deleted when another is started.
    pub const MAX_CAPTION_RUNS: usize = 20;
    /// Pictures or proposals that one request about captions may name; all of a dataset need no names.
    pub const MAX_NAMED_CAPTIONS: usize = 10_000;
    /// A hub's file list of a repository.
    pub const MAX_HUB_LIST_BYTES: u64 = 16 << 20;
    /// A file of a base model. SDXL's original has 7 GB.
    pub const MAX_BASE_FILE_BYTES: u64 = 64 << 30;
    /// Files of a base model.
    pub const MAX_BASE_FILES: usize = 200;
    /// File names read from a folder with a base model.
    pub const MAX_BASE_FOLDER_NAMES: usize = 10_000;
    /// Header of a safetensors file. SDXL's has some 300 kB.
    pub const MAX_TENSOR_HEADER_BYTES: u64 = 32 << 20;
    /// A configuration or a vocabulary of a base model.
    pub const MAX_BASE_TEXT_BYTES: u64 = 16 << 20;
    /// Reading a base model is aborted if the disk does not respond for this long.
    pub const BASE_DISK_SILENCE: Duration = Duration::from_secs(60);
    /// Time for the check or the copy of a base model.
    pub const MAX_BASE_WORK: Duration = Duration::from_secs(12 * 60 * 60);
    /// Base models that a server checks or copies at the same time.
    pub const MAX_BASES_AT_ONCE: usize = 4;
    /// The header of a safetensors file that is uploaded. That of a LoRA of SDXL has half a megabyte.
    pub const MAX_SAFETENSORS_HEADER_BYTES: u64 = 16 << 20;
    /// Tensors of a safetensors file that is uploaded. A LoRA of SDXL has some thousand.
    pub const MAX_SAFETENSORS_TENSORS: usize = 100_000;
    /// A LoRA that an agent uploads, or that a user imports.
    pub const MAX_LORA_BYTES: u64 = 8 << 30;
    /// The `adapter_config.json` of an imported PEFT folder.
    pub const MAX_ADAPTER_CONFIG_BYTES: u64 = 1 << 20;
    /// Characters of what a user writes about the source or the license of an imported LoRA.
    pub const MAX_IMPORT_TEXT_CHARS: usize = 1000;
    /// Trigger words of an imported LoRA.
    pub const MAX_TRIGGER_WORDS: usize = 32;
    /// Characters of a trigger word that is read from the metadata of an imported LoRA; longer ones are left out.
    pub const MAX_TRIGGER_WORD_CHARS: usize = 100;
    /// Characters of block weights.
    pub const MAX_BLOCK_WEIGHTS_CHARS: usize = 2000;
    /// Notes of an agent on a file that it made out of others; further ones are left out.
    pub const MAX_EDIT_NOTES: usize = 64;
    /// Characters of such a note; the rest is cut.
    pub const MAX_EDIT_NOTE_CHARS: usize = 1000;
    /// Measured numbers of a judgement; further ones are left out.
    pub const MAX_JUDGEMENT_MEASURES: usize = 64;
    /// Pictures that a judgement names; further ones are left out.
    pub const MAX_JUDGEMENT_EVIDENCE: usize = 32;
    /// Characters of an agent's report about a file that it cannot use.
    pub const MAX_PROBLEM_CHARS: usize = 2000;
    /// A picture that an agent uploads.
    pub const MAX_AGENT_PICTURE_BYTES: u64 = 64 << 20;
    /// Width or height, in pixels, of a picture that an agent uploads.
    pub const MAX_AGENT_PICTURE_SIDE: u32 = 8192;
    /// Characters of an `Idempotency-Key`.
    pub const MAX_IDEMPOTENCY_KEY_CHARS: usize = 255;
    /// How long the response to a request with an `Idempotency-Key` is kept: people return to a form after days.
    pub const IDEMPOTENCY_KEY_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
    /// Characters of a prompt. Three chunks of 75 tokens have some 1000; with long words or tags, more than 2000.
    pub const MAX_PROMPT_CHARS: usize = 4000;
    /// Chunks of 75 tokens in a prompt; the U-Net looks at all of them at every step.
    pub const MAX_PROMPT_CHUNKS: usize = 32;
    /// Prompts whose tokens are counted with one request.
    pub const MAX_COUNTED_PROMPTS: usize = 64;
    /// Presets that a user may keep.
    pub const MAX_OWN_PRESETS: usize = 200;
    /// Webhooks of a user.
    pub const MAX_WEBHOOKS: usize = 20;
    /// The URL of a webhook.
    pub const MAX_WEBHOOK_URL_BYTES: usize = 2 << 10;
    /// The reason in a notice; a longer one is shortened.
    pub const MAX_NOTICE_REASON_BYTES: usize = 2 << 10;
    /// A try to deliver a notice, until it counts as failed.
    pub const NOTICE_TIME: Duration = Duration::from_secs(30);
    /// Tries to deliver a notice, over about a day; then it is given up.
    pub const MAX_NOTICE_TRIES: u32 = 16;
    /// Deliveries of notices are listed for this long.
    pub const DELIVERY_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
    /// What was deleted can be brought back for this long; then its rows and files go.
    pub const TRASH_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
    /// Things that are deleted or brought back with one request, or by one clean-up.
    pub const MAX_TRASH_ITEMS: usize = 1000;
    /// Drafts of each model that a rule for cleaning up keeps.
    pub const MAX_DRAFTS_KEPT: u32 = 1000;
    /// Age in a rule for cleaning up, in days.
    pub const MAX_CLEAN_UP_DAYS: u32 = 3650;
    /// Things in the trash that are listed, the newest first.
    pub const MAX_TRASH_LISTED: usize = 500;
    /// A picture that is attached to a mail; a larger one is left out.
    pub const MAX_MAIL_PICTURE_BYTES: u64 = 1 << 20;
    /// Characters of the note of a job, a model or a picture.
    pub const MAX_NOTE_CHARS: usize = 200;
    /// Tags of a job, a model or a picture.
    pub const MAX_TAGS: usize = 20;
    /// Characters of such a tag.
    pub const MAX_TAG_CHARS: usize = 40;
    /// The thumbnail in the metadata of a LoRA that is downloaded; a larger one is left out.
    pub const MAX_METADATA_THUMBNAIL_BYTES: usize = 256 << 10;
    /// Settings of another trainer that are read as a recipe.
    pub const MAX_SETTINGS_BYTES: usize = 256 << 10;
    /// Characters of a prompt that an agent reports with a picture: the recipe's, with the trigger word.
    pub const MAX_REPORTED_PROMPT_CHARS: usize = 8000;
    /// Refused sign-ins that one address gets at once; then one more each `REFUSALS_EVERY`.
    pub const MAX_REFUSALS: u32 = 20;
    /// See `MAX_REFUSALS`.
    pub const REFUSALS_EVERY: Duration = Duration::from_secs(3);
    /// Refused sign-ins of all addresses together; then one more each `ALL_REFUSALS_EVERY`.
    pub const MAX_ALL_REFUSALS: u32 = 300;
    /// See `MAX_ALL_REFUSALS`.
    pub const ALL_REFUSALS_EVERY: Duration = Duration::from_millis(200);
    /// Addresses whose refused sign-ins are told apart; those beyond share what one may do.
    pub const MAX_REFUSED_ADDRESSES: usize = 4096;
    /// Entries that refused sign-ins get in the audit log each minute; the last one is for all other addresses.
    pub const MAX_REFUSAL_ENTRIES: usize = 64;
    /// Characters of a name or an address in the audit log; shortened.
    pub const MAX_AUDIT_CHARS: usize = 200;
    /// Days that an entry of the audit log is kept if no setting says otherwise.
    pub const AUDIT_DAYS: u32 = 365;
    /// One upload of pictures, captions and archives, with all of its parts.
    pub const MAX_UPLOAD_BYTES: u64 = 16 << 30;
    /// Parts of one upload: twice what an archive holds, for pictures with captions.
    pub const MAX_UPLOAD_PARTS: usize = 20_000;
    /// Files of one upload, those in archives among them.
    pub const MAX_UPLOAD_FILES: usize = 20_000;
    /// The captions of one upload together; each has at most 64 KiB.
    pub const MAX_CAPTIONS_BYTES: usize = 32 << 20;
    /// Bytes before the first part of an upload.
    pub const MAX_UPLOAD_PREAMBLE_BYTES: usize = 4 << 10;
    /// The headers of one part of an upload, its file name included.
    pub const MAX_PART_HEADER_BYTES: usize = 8 << 10;
    /// The value of a part of an upload that is not a file.
    pub const MAX_FIELD_VALUE_BYTES: usize = 4 << 10;
    /// A picture or caption, loose or unpacked from an archive.
    pub const MAX_UPLOADED_FILE_BYTES: u64 = 256 << 20;
    /// An archive: it may hold a gigabyte of pictures, which hardly get smaller in it.
    pub const MAX_ARCHIVE_BYTES: u64 = 1280 << 20;
    /// All files of an archive together, unpacked.
    pub const MAX_UNPACKED_BYTES: u64 = 1 << 30;
    /// Files in an archive.
    pub const MAX_ARCHIVE_ENTRIES: usize = 10_000;
    /// The list of files in an archive, with names and comments.
    pub const MAX_ARCHIVE_DIRECTORY_BYTES: u64 = 16 << 20;
    /// The longest side of a picture that is decoded, in pixels.
    pub const MAX_PICTURE_SIDE: u32 = 16_384;
    /// Pixels of a picture that is decoded; also of one frame, strip or tile of it.
    pub const MAX_PICTURE_PIXELS: u64 = 100_000_000;
    /// A color profile, unpacked. Those for print have two megabytes.
    pub const MAX_COLOR_PROFILE_BYTES: usize = 4 << 20;
    /// Memory that decoding one picture may take, the file included, by what its headers say.
    pub const MAX_DECODING_BYTES: u64 = 416 << 20;
    /// Memory of a process that decodes pictures, in addition to what it has at startup; the kernel ends one that uses
    /// more.
    pub const MAX_DECODER_BYTES: u64 = 512 << 20;
    /// Pixels decoded at the same time, in all uploads together.
    pub const MAX_PIXELS_AT_ONCE: u64 = 120_000_000;
    /// Decoding one picture, from its first byte to its last.
    pub const MAX_DECODING_TIME: Duration = Duration::from_secs(60);
    /// The texts in a PNG file together, unpacked: its prompt and settings. A large workflow of ComfyUI has a megabyte.
    pub const MAX_PICTURE_TEXT_BYTES: usize = 8 << 20;
    /// Texts in a PNG file that are read.
    pub const MAX_PICTURE_TEXTS: usize = 256;
    /// A line of an export of the database, which holds a row. The list of pictures of a dataset version is the
    /// longest.
    pub const MAX_EXPORT_LINE_BYTES: u64 = 256 << 20;
    /// The manifest of a backup, about 100 bytes per object.
    pub const MAX_BACKUP_MANIFEST_BYTES: u64 = 256 << 20;
}

/// Formats a value for the table.
trait Shown {
    fn shown(&self, name: &str) -> String;
}

impl Shown for u64 {
    fn shown(&self, name: &str) -> String {
        if !name.ends_with("BYTES") {
            return self.to_string();
        }
        let (unit, per) = match *self {
            n if n >= 1 << 30 && n % (1 << 30) == 0 => ("GiB", 1 << 30),
            n if n >= 1 << 20 && n % (1 << 20) == 0 => ("MiB", 1 << 20),
            n if n >= 1 << 10 && n % (1 << 10) == 0 => ("KiB", 1 << 10),
            _ => ("bytes", 1),
        };
        format!("{} {unit}", self / per)
    }
}

impl Shown for usize {
    fn shown(&self, name: &str) -> String {
        (*self as u64).shown(name)
    }
}

impl Shown for u32 {
    fn shown(&self, name: &str) -> String {
        u64::from(*self).shown(name)
    }
}

impl Shown for Duration {
    fn shown(&self, _: &str) -> String {
        match self.as_millis() {
            whole if whole % 1000 == 0 => format!("{} s", whole / 1000),
            part => format!("{part} ms"),
        }
    }
}

#[cfg(test)]
mod tests;
