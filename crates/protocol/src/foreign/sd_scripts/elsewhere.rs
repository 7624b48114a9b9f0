//! Options of sd-scripts that are said elsewhere in Morpheus: of the dataset, of the base model, or by other names.

use serde_json::json;

use super::super::draft::Draft;

/// What is left out, and where it is said instead.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "class_tokens",
        "is said by captions: give each picture one, or set the trigger word",
    ),
    ("clip_skip", "has no effect on SDXL"),
    (
        "conditioning_data_dir",
        "holds loss masks: upload it as a folder `masks` beside the pictures",
    ),
    (
        "is_reg",
        "is said by the dataset: mark the group of these pictures as regularization",
    ),
    (
        "reg_data_dir",
        "holds regularization pictures: upload it as a folder `reg`",
    ),
    ("vae", "is set for the base model"),
    (
        "validation_split",
        "is said by the dataset: mark pictures as held out",
    ),
];

/// Takes them out of the draft.
pub(super) fn read(draft: &mut Draft) {
    // A picture's transparency is a mask here, too.
    if draft.switch("alpha_mask") {
        draft.set("masked_loss", true);
    }
    for key in ["num_repeats", "dataset_repeats"] {
        if let Some(repeats) = draft.whole(key).filter(|repeats| *repeats > 1) {
            draft.leave(
                key,
                &json!(repeats),
                "is said by the dataset: give its groups repeats",
            );
        }
    }
    for (key, reason) in ELSEWHERE {
        draft.refuse(key, reason);
    }
}
