//! The sentences of findings. They stand here once, for every place that shows them.

use protocol::{finding::FindingCode, preset::Preset};

use super::Purpose;

/// What is wrong, with the number of pictures that have the problem.
pub(super) fn message(code: FindingCode, n: usize) -> String {
    let (one, many) = match code {
        FindingCode::FileRefused => ("file was not accepted", "files were not accepted"),
        FindingCode::Enlarged => (
            "picture is smaller than its training size",
            "pictures are smaller than their training size",
        ),
        FindingCode::CroppedAway => (
            "picture loses much of itself to the crop",
            "pictures lose much of themselves to the crop",
        ),
        FindingCode::Blurred => ("picture is blurred", "pictures are blurred"),
        FindingCode::TooDark => ("picture is too dark", "pictures are too dark"),
        FindingCode::TooBright => ("picture is too bright", "pictures are too bright"),
        FindingCode::Blank => ("picture is blank", "pictures are blank"),
        FindingCode::Framed => (
            "picture has bars or a frame around it",
            "pictures have bars or a frame around them",
        ),
        FindingCode::WholePage => ("picture is a whole comic page", "pictures are whole comic pages"),
        FindingCode::NearDuplicate => (
            "picture is nearly the same as another",
            "pictures are nearly the same as others",
        ),
        FindingCode::HeldOutDuplicate => (
            "picture is nearly the same as one on the other side of the split",
            "pictures are nearly the same as others on the other side of the split",
        ),
        FindingCode::NoCaption => ("picture has no caption", "pictures have no caption"),
        FindingCode::CaptionTooLong => (
            "caption is longer than what is read",
            "captions are longer than what is read",
        ),
        FindingCode::CaptionEncoding => (
            "caption was saved in a wrong encoding",
            "captions were saved in a wrong encoding",
        ),
        FindingCode::SameCaption => ("picture shares its caption", "pictures share one caption"),
        FindingCode::ContradictingTags => ("caption contradicts itself", "captions contradict themselves"),
        FindingCode::TriggerMissing => ("caption lacks the trigger word", "captions lack the trigger word"),
        FindingCode::TriggerLate => (
            "caption has the trigger word late",
            "captions have the trigger word late",
        ),
        FindingCode::TriggerRepeated => (
            "caption repeats the trigger word",
            "captions repeat the trigger word",
        ),
        FindingCode::Changed => ("picture or caption has a note", "pictures or captions have notes"),
        // Their sentences come with what was found.
        FindingCode::CannotTrain
        | FindingCode::FewPictures
        | FindingCode::UnbalancedGroups
        | FindingCode::SmallBucket
        | FindingCode::DominatingTag
        | FindingCode::TriggerTokens => ("problem", "problems"),
    };
    match n {
        1 => format!("1 {one}."),
        n => format!("{n} {many}."),
    }
}

/// What to do about it.
pub(super) fn repair(code: FindingCode, purpose: Option<&Purpose>) -> &'static str {
    match code {
        FindingCode::CannotTrain => "Add pictures to train on, or change which are held out.",
        FindingCode::FileRefused => "Fix each file as its line says, and add it again.",
        FindingCode::FewPictures => match purpose.map(|purpose| purpose.preset).unwrap_or_default() {
            Preset::Character => "Add more: 15 to 30 are usual for a character.",
            Preset::Style => "Add more: 30 to 100 are usual for a style.",
            Preset::Concept => "Add more: 10 to 30 are usual for a concept.",
        },
        FindingCode::UnbalancedGroups => "Balance the groups, or change their repeats.",
        FindingCode::SmallBucket => {
            "Nothing has to be done: those batches are smaller. Crop to fewer shapes, or use a smaller batch, for even steps."
        }
        FindingCode::Enlarged => "Use larger pictures, or train at a lower resolution.",
        FindingCode::CroppedAway => "Crop the pictures to a less extreme shape yourself.",
        FindingCode::Blurred => "Use sharper pictures, or leave these out.",
        FindingCode::TooDark => "Brighten the pictures, or leave them out.",
        FindingCode::TooBright => "Darken the pictures, or leave them out.",
        FindingCode::Blank => "Leave them out.",
        FindingCode::Framed => "Cut the bars or the frame off, or the LoRA learns to draw them.",
        FindingCode::WholePage => {
            "Split into panels, on the dataset's page or with `morpheus dataset split-pages`, or the LoRA learns the layout of pages."
        }
        FindingCode::NearDuplicate => {
            "Keep the best of each, since the others only make it count more often."
        }
        FindingCode::HeldOutDuplicate => "Remove one of each pair, or use both for the same purpose.",
        FindingCode::NoCaption => {
            "Describe each picture, in a .txt file of its name or on the dataset's page."
        }
        FindingCode::CaptionTooLong => match purpose.map(|purpose| purpose.max_tokens) {
            Some(225) => "Shorten the captions to 225 tokens.",
            _ => "Shorten the captions, or raise max_tokens, up to 225.",
        },
        FindingCode::CaptionEncoding => "Save the captions as UTF-8 and upload them again, or correct them.",
        FindingCode::SameCaption => "Describe how the pictures differ.",
        FindingCode::ContradictingTags => "Remove the tags that are wrong.",
        FindingCode::DominatingTag => {
            "Remove what always belongs to the subject, so that the trigger word learns it; keep what you want to change later."
        }
        FindingCode::TriggerMissing => "Nothing has to be done: training puts it in front.",
        FindingCode::TriggerLate => "Put the trigger word first.",
        FindingCode::TriggerRepeated => "Write the trigger word once.",
        FindingCode::TriggerTokens => {
            "Choose an invented word of letters, with two to four syllables, that means nothing else."
        }
        FindingCode::Changed => "Nothing has to be done.",
    }
}

/// A text with a capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars
        .next()
        .map(|c| c.to_uppercase().collect())
        .unwrap_or_default();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}
