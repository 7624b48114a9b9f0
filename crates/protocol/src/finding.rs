//! What the checks of a dataset find: the same findings in the API, on the page, and on the command line.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ItemId,
    preset::Preset,
    problem::{FieldError, InvalidFields},
};

/// One problem of a dataset, with the pictures that have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What was found.
    pub code: FindingCode,
    /// Severity.
    pub severity: Severity,
    /// What it is about.
    pub about: About,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub repair: String,
    /// The pictures that have the problem; empty if it is about the whole dataset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pictures: Vec<FoundPicture>,
    /// Hash of what the finding is about, in hexadecimal: it changes when a picture or caption that it names does.
    pub content: String,
    /// Whether a user has acknowledged it for just this content.
    #[serde(default)]
    pub acknowledged: bool,
}

/// A picture with a problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundPicture {
    /// Its id; absent for a file that is not in a dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ItemId>,
    /// Its file name.
    pub file_name: String,
    /// What is wrong with it, without a subject: `is 64×80 and will be enlarged 2.0 times to 128×160`.
    pub detail: String,
}

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// No training can start.
    Error,
    /// A training can start, but the result will probably be worse.
    Warning,
    /// Worth knowing.
    Note,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The dataset as a whole.
    Dataset,
    /// Pixels and sizes.
    Pictures,
    /// Captions and the trigger word.
    Captions,
}

/// Every problem that the checks know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingCode {
    /// Nothing to train on, or a held-out picture is trained on as well.
    CannotTrain,
    /// A file was not accepted.
    FileRefused,
    /// Fewer pictures than the purpose needs.
    FewPictures,
    /// Groups of pictures are shown unequally often.
    UnbalancedGroups,
    /// A bucket has fewer pictures than a batch.
    SmallBucket,
    /// Smaller than its bucket.
    Enlarged,
    /// Much of it is cut off to fit its bucket.
    CroppedAway,
    /// No edge in it is sharp.
    Blurred,
    /// Nothing in it is bright.
    TooDark,
    /// Nothing in it is dark.
    TooBright,
    /// One color all over.
    Blank,
    /// Has bars or a frame around it.
    Framed,
    /// A whole comic page.
    WholePage,
    /// Nearly the same picture twice, perhaps mirrored or rotated.
    NearDuplicate,
    /// Nearly the same picture is trained on and held out.
    HeldOutDuplicate,
    /// No caption.
    NoCaption,
    /// More tokens than are read.
    CaptionTooLong,
    /// Characters that come from reading a file in a wrong encoding.
    CaptionEncoding,
    /// One caption for every picture.
    SameCaption,
    /// Tags that exclude each other.
    ContradictingTags,
    /// A tag that nearly every caption has.
    DominatingTag,
    /// The trigger word is not in the caption.
    TriggerMissing,
    /// The trigger word comes late in the caption.
    TriggerLate,
    /// The trigger word is in the caption more than once.
    TriggerRepeated,
    /// The trigger word is made of tokens that learn badly.
    TriggerTokens,
    /// Something was changed at upload.
    Changed,
}

impl FindingCode {
    /// What it is about.
    pub fn about(self) -> About {
        match self {
            Self::CannotTrain
            | Self::FileRefused
            | Self::FewPictures
            | Self::UnbalancedGroups
            | Self::SmallBucket
            | Self::Changed => About::Dataset,
            Self::Enlarged
            | Self::CroppedAway
            | Self::Blurred
            | Self::TooDark
            | Self::TooBright
            | Self::Blank
            | Self::Framed
            | Self::WholePage
            | Self::NearDuplicate
            | Self::HeldOutDuplicate => About::Pictures,
            Self::NoCaption
            | Self::CaptionTooLong
            | Self::CaptionEncoding
            | Self::SameCaption
            | Self::ContradictingTags
            | Self::DominatingTag
            | Self::TriggerMissing
            | Self::TriggerLate
            | Self::TriggerRepeated
            | Self::TriggerTokens => About::Captions,
        }
    }

    /// Severity.
    pub fn severity(self) -> Severity {
        match self {
            Self::CannotTrain => Severity::Error,
            Self::FileRefused
            | Self::FewPictures
            | Self::Enlarged
            | Self::CroppedAway
            | Self::Blurred
            | Self::TooDark
            | Self::TooBright
            | Self::Blank
            | Self::Framed
            | Self::WholePage
            | Self::NearDuplicate
            | Self::HeldOutDuplicate
            | Self::NoCaption
            | Self::CaptionTooLong
            | Self::CaptionEncoding
            | Self::SameCaption
            | Self::ContradictingTags
            | Self::TriggerTokens => Severity::Warning,
            Self::UnbalancedGroups
            | Self::SmallBucket
            | Self::DominatingTag
            | Self::TriggerMissing
            | Self::TriggerLate
            | Self::TriggerRepeated
            | Self::Changed => Severity::Note,
        }
    }
}

/// What a picture's pixels were measured to be, once, when it was uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measures {
    /// How steep its sharpest edges are at about 1024 pixels, in thousandths of a step from one pixel to the next; absent
    /// where it has no edges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<u16>,
    /// Luma from 0 to 255 below which 0.5 % of its pixels are.
    pub darkest: u8,
    /// Luma above which 0.5 % of its pixels are.
    pub brightest: u8,
    /// Bars or a frame, in thousandths of its width and height: left, top, right, bottom.
    pub frame: [u16; 4],
    /// Signs of its lowest 8 × 8 cosine coefficients but the mean: a perceptual hash.
    pub signs: u64,
    /// Which of those coefficients are large enough to have a sign.
    pub strong: u64,
    /// Whether it is a whole comic page; absent in what older versions have measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<bool>,
}

/// What the pictures of a dataset are checked for.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckDataset {
    /// What the LoRA is for.
    pub preset: Preset,
    /// Resolution of the training, in pixels.
    #[schema(minimum = 64, maximum = 2048, default = 1024)]
    pub resolution: u32,
    /// Bucket sides are multiples of this, in pixels.
    #[schema(minimum = 32, maximum = 256, default = 64)]
    pub bucket_step: u32,
    /// Pictures in a batch.
    #[schema(minimum = 1, maximum = 64, default = 1)]
    pub batch_size: u16,
    /// Tokens of a caption that are read: 75, 150 or 225.
    #[schema(minimum = 75, maximum = 225, default = 75)]
    pub max_tokens: u16,
    /// The word that activates the LoRA; empty for none.
    #[schema(max_length = 80, default = "")]
    pub trigger_word: String,
}

impl Default for CheckDataset {
    fn default() -> Self {
        Self {
            preset: Preset::default(),
            resolution: 1024,
            bucket_step: 64,
            batch_size: 1,
            max_tokens: 75,
            trigger_word: String::new(),
        }
    }
}

impl CheckDataset {
    /// Checks what limits the fields have.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let range = |field: &str, value: u32, range: RangeInclusive<u32>| {
            let (from, to) = (*range.start(), *range.end());
            let problem = format!("must be from {from} to {to}, not {value}");
            (!range.contains(&value)).then(|| FieldError::new(field, problem))
        };
        let tokens = (!matches!(self.max_tokens, 75 | 150 | 225)).then(|| {
            let problem = format!("must be 75, 150 or 225, not {}", self.max_tokens);
            FieldError::new("max_tokens", problem)
        });
        let word = (self.trigger_word.chars().count() > 80)
            .then(|| FieldError::new("trigger_word", "must have at most 80 characters, on one line"));
        let found = [
            range("resolution", self.resolution, 64..=2048),
            range("bucket_step", self.bucket_step, 32..=256),
            range("batch_size", self.batch_size.into(), 1..=64),
            tokens,
            word,
        ];
        let errors: Vec<FieldError> = found.into_iter().flatten().collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

/// What the checks of a dataset find.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatasetFindings {
    /// Findings, errors first.
    pub findings: Vec<Finding>,
    /// Number of pictures whose pixels were not measured yet: the next request measures more. A picture whose stored file
    /// is lost or damaged cannot be measured and does not count.
    pub n_unmeasured: u64,
}

/// Acknowledges findings for what they are about now.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeFindings {
    /// The findings, at most 100.
    #[schema(max_items = 100)]
    pub findings: Vec<AcknowledgedFinding>,
}

/// A finding that is acknowledged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgedFinding {
    /// See [`Finding::code`].
    pub code: FindingCode,
    /// See [`Finding::content`].
    #[schema(min_length = 64, max_length = 64)]
    pub content: String,
}

impl AcknowledgeFindings {
    /// Checks what limits the fields have; errors cannot be acknowledged.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        if self.findings.len() > 100 {
            let problem = format!("must be at most 100, not {}", self.findings.len());
            return Err(InvalidFields(vec![FieldError::new("findings", problem)]));
        }
        let mut errors = Vec::new();
        for (index, finding) in self.findings.iter().enumerate() {
            let is_hash =
                finding.content.len() == 64 && finding.content.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_hash {
                errors.push(FieldError::new(
                    format!("findings[{index}].content"),
                    "must be the `content` of a finding, 64 hexadecimal digits",
                ));
            }
            if finding.code.severity() == Severity::Error {
                errors.push(FieldError::new(
                    format!("findings[{index}].code"),
                    "is an error, which has to be repaired: only warnings and notes can be acknowledged",
                ));
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}
