//! Edits of many captions of a dataset at once.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    CaptionEditId, ItemId,
    problem::{FieldError, InvalidFields},
    text,
};

/// Most characters of a text or a pattern.
const MAX_CHARS: usize = 1000;
/// Most tags that are merged.
const MAX_TAGS: usize = 100;
/// Most pictures that are named in one request; all of a dataset need no names.
const MAX_ITEMS: usize = 10_000;

/// What is done to each caption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CaptionOperation {
    /// Puts tags or words in front. Tags that stand elsewhere move there.
    AddFirst {
        /// What is added.
        #[schema(min_length = 1, max_length = 1000)]
        text: String,
    },
    /// Puts tags or words at the end, unless all of the tags are in the caption.
    AddLast {
        /// What is added.
        #[schema(min_length = 1, max_length = 1000)]
        text: String,
    },
    /// Removes a tag. Upper and lower case, and underscores and spaces, are the same.
    RemoveTag {
        /// The tag.
        #[schema(min_length = 1, max_length = 1000)]
        tag: String,
    },
    /// Replaces a text wherever it stands.
    Replace {
        /// The text.
        #[schema(min_length = 1, max_length = 1000)]
        find: String,
        /// What takes its place; empty to remove it.
        #[schema(max_length = 1000)]
        replacement: String,
        /// Upper and lower case are the same.
        #[serde(default)]
        ignore_case: bool,
    },
    /// Replaces what a regular expression matches, in the syntax of Rust's `regex` crate.
    ReplacePattern {
        /// The expression.
        #[schema(min_length = 1, max_length = 1000)]
        pattern: String,
        /// What takes its place: `$1` or `${name}` is what a group has matched, `$$` a dollar sign.
        #[schema(max_length = 1000)]
        replacement: String,
        /// Upper and lower case are the same.
        #[serde(default)]
        ignore_case: bool,
    },
    /// Gives a tag another name. A caption that has both keeps one.
    RenameTag {
        /// The tag.
        #[schema(min_length = 1, max_length = 1000)]
        tag: String,
        /// Its new name.
        #[schema(min_length = 1, max_length = 1000)]
        new_tag: String,
    },
    /// Makes one tag of several, in the place of the first.
    MergeTags {
        /// The tags, 1 to 100.
        #[schema(min_items = 1, max_items = 100)]
        tags: Vec<String>,
        /// The tag that they become.
        #[schema(min_length = 1, max_length = 1000)]
        new_tag: String,
    },
    /// What a model proposed was accepted. Only accepting proposals makes such an edit; a request for one is refused.
    Accept {
        /// The model.
        model: String,
    },
}

/// Edits captions, or shows what an edit would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EditCaptions {
    /// The pictures, at most 10 000; all of the dataset if absent.
    #[serde(default)]
    pub items: Option<Vec<ItemId>>,
    /// What is done.
    pub operation: CaptionOperation,
    /// Only show what would change.
    #[serde(default)]
    pub dry_run: bool,
}

/// An edit of captions that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CaptionEdit {
    /// Its id.
    pub id: CaptionEditId,
    /// What was done.
    pub operation: CaptionOperation,
    /// What was done, in words.
    pub description: String,
    /// Number of captions that it changed.
    pub n_changed: u64,
    /// When.
    pub created_at: DateTime<Utc>,
    /// When it was undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone_at: Option<DateTime<Utc>>,
}

/// What an edit changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CaptionEditReport {
    /// The edit; absent for a dry run, and if nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<CaptionEdit>,
    /// Number of captions that change.
    pub n_changed: u64,
    /// The first of them, at most 50.
    pub changes: Vec<ChangedCaption>,
}

/// A caption that an edit changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedCaption {
    /// The picture.
    pub item_id: ItemId,
    /// Its file name.
    pub file_name: String,
    /// Its caption before.
    pub before: String,
    /// Its caption after.
    pub after: String,
}

/// Undoes an edit of captions.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UndoCaptionEdit {
    /// Leave captions that were changed since as they are, and undo the others. Without it, such captions are a conflict
    /// (409), and nothing is undone.
    pub skip_changed: bool,
}

/// What was undone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UndoneCaptionEdit {
    /// The edit.
    pub edit: CaptionEdit,
    /// Number of captions that are what they were before it.
    pub n_restored: u64,
    /// Number of captions that were changed since, or whose picture was deleted, and stay as they are.
    pub n_skipped: u64,
}

impl EditCaptions {
    /// Checks what limits the fields have.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn validate(&self) -> Result<(), InvalidFields> {
        let mut errors = Vec::new();
        let mut check = |field: &str, text: &str, may_be_empty: bool| {
            let n_chars = text.chars().count();
            let problem = if n_chars > MAX_CHARS {
                format!("must have at most {MAX_CHARS} characters, not {n_chars}")
            } else if !may_be_empty && text.trim().is_empty() {
                "must not be empty".to_owned()
            } else if let Err(unfit) = text::check_line(text) {
                unfit.to_string()
            } else {
                return;
            };
            errors.push(FieldError::new(format!("operation.{field}"), problem));
        };
        match &self.operation {
            CaptionOperation::AddFirst { text } | CaptionOperation::AddLast { text } => {
                check("text", text, false);
            }
            CaptionOperation::RemoveTag { tag } => check("tag", tag, false),
            CaptionOperation::Replace {
                find, replacement, ..
            } => {
                // White space may be what is looked for.
                check("find", find, !find.is_empty());
                check("replacement", replacement, true);
            }
            CaptionOperation::ReplacePattern {
                pattern, replacement, ..
            } => {
                check("pattern", pattern, !pattern.is_empty());
                check("replacement", replacement, true);
            }
            CaptionOperation::RenameTag { tag, new_tag } => {
                check("tag", tag, false);
                check("new_tag", new_tag, false);
            }
            CaptionOperation::MergeTags { tags, new_tag } => {
                for (index, tag) in tags.iter().take(MAX_TAGS).enumerate() {
                    check(&format!("tags[{index}]"), tag, false);
                }
                check("new_tag", new_tag, false);
            }
            CaptionOperation::Accept { .. } => errors.push(FieldError::new(
                "operation.kind",
                "must not be `accept`: accept the proposals of a run instead",
            )),
        }
        if let CaptionOperation::MergeTags { tags, .. } = &self.operation
            && !(1..=MAX_TAGS).contains(&tags.len())
        {
            let message = format!("must be 1 to {MAX_TAGS} tags, not {}", tags.len());
            errors.push(FieldError::new("operation.tags", message));
        }
        if let Some(items) = &self.items
            && !(1..=MAX_ITEMS).contains(&items.len())
        {
            let message = format!(
                "must be 1 to {MAX_ITEMS} pictures, or absent for all, not {}",
                items.len()
            );
            errors.push(FieldError::new("items", message));
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidFields(errors))
        }
    }
}

impl fmt::Display for CaptionOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddFirst { text } => write!(f, "Put `{text}` first"),
            Self::AddLast { text } => write!(f, "Put `{text}` last"),
            Self::RemoveTag { tag } => write!(f, "Remove the tag `{tag}`"),
            Self::Replace {
                find, replacement, ..
            } => write!(f, "Replace `{find}` by `{replacement}`"),
            Self::ReplacePattern {
                pattern, replacement, ..
            } => write!(f, "Replace the pattern `{pattern}` by `{replacement}`"),
            Self::RenameTag { tag, new_tag } => write!(f, "Rename the tag `{tag}` to `{new_tag}`"),
            Self::MergeTags { tags, new_tag } => {
                write!(f, "Merge the tags `{}` into `{new_tag}`", tags.join("`, `"))
            }
            Self::Accept { model } => write!(f, "Accept captions of `{model}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(operation: CaptionOperation, items: Option<Vec<ItemId>>) -> Vec<String> {
        let request = EditCaptions {
            items,
            operation,
            dry_run: false,
        };
        match request.validate() {
            Ok(()) => Vec::new(),
            Err(InvalidFields(errors)) => errors.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_cannot_be_done_is_named() {
        let tag = |tag: &str| CaptionOperation::RemoveTag { tag: tag.to_owned() };
        assert_eq!(errors(tag("hat"), None), [""; 0]);
        assert_eq!(errors(tag(" "), None), ["operation.tag: must not be empty"]);
        let accept = CaptionOperation::Accept { model: "m".into() };
        assert_eq!(
            errors(accept, None),
            ["operation.kind: must not be `accept`: accept the proposals of a run instead"]
        );
        assert_eq!(
            errors(tag("a\nb"), Some(Vec::new())),
            [
                "operation.tag: must not contain U+000A, a line break",
                "items: must be 1 to 10000 pictures, or absent for all, not 0"
            ]
        );
        let merge = CaptionOperation::MergeTags {
            tags: vec!["x".into(); 101],
            new_tag: "y".repeat(1001),
        };
        assert_eq!(
            errors(merge, None),
            [
                "operation.new_tag: must have at most 1000 characters, not 1001",
                "operation.tags: must be 1 to 100 tags, not 101"
            ]
        );
        let spaces = CaptionOperation::Replace {
            find: "  ".into(),
            replacement: " ".into(),
            ignore_case: false,
        };
        assert_eq!(errors(spaces, None), [""; 0]);
    }
}
