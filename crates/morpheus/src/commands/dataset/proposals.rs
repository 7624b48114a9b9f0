//! What `tag` and `describe` have in common: whose captions may change, what is shown, and what is written.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use dataset::{
    caption::proposals::{Origin, Policy, Proposal, Rules},
    captioning::{CaptionFolder, CaptionedPicture, CaptioningError},
};
use fetch::chat::ChatError;
use protocol::dataset::RefusedFile;
use serde::Serialize;

use crate::{decoding, output, progress};

#[derive(clap::Args)]
pub(super) struct Flags {
    /// Folder with pictures and captions
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Write the captions. Without it, they are only shown
    #[arg(long)]
    write: bool,
    /// Add to captions that a person wrote, too
    #[arg(long, conflicts_with = "replace")]
    add: bool,
    /// Replace captions that a person wrote, too
    #[arg(long)]
    replace: bool,
    /// The word that activates the LoRA; it comes first in each caption
    #[arg(long, value_name = "WORD", default_value = "", hide_default_value = true)]
    trigger_word: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The result, for programs.
#[derive(Serialize)]
struct Summary<'a> {
    /// Captions that changed, or would.
    proposals: &'a [Proposal],
    n_pictures: usize,
    n_changed: usize,
    /// Captions of people, which nothing was asked about.
    n_kept: usize,
    written: bool,
    /// Files that are no pictures, and pictures that got no caption, with the reason.
    refused: &'a [RefusedFile],
}

impl Flags {
    fn policy(&self) -> Policy {
        match (self.add, self.replace) {
            (true, _) => Policy::Add,
            (_, true) => Policy::Replace,
            _ => Policy::Keep,
        }
    }

    pub(super) fn trigger_word(&self) -> &str {
        self.trigger_word.trim()
    }

    /// Whether captions that a program wrote and nobody changed are asked for again.
    pub(super) fn replaces(&self) -> bool {
        self.replace
    }

    pub(super) fn open(&self) -> anyhow::Result<CaptionFolder> {
        Ok(CaptionFolder::open(&self.folder, decoding::decoder()?)?)
    }

    /// Proposes captions one by one, and writes each at once if that was asked for, so that nothing is lost when the command
    /// is interrupted. `propose` returns none for a picture that needs no new caption. What is wrong with one picture is
    /// reported, and the others go on.
    pub(super) fn propose(
        &self,
        folder: &mut CaptionFolder,
        writer: (Origin, &str),
        propose: &mut Propose<'_>,
    ) -> anyhow::Result<()> {
        let pictures = std::mem::take(&mut folder.pictures);
        let rules = Rules {
            policy: self.policy(),
            trigger_word: self.trigger_word(),
        };
        let bar = progress::steps(self.json);
        bar.set_length(pictures.len() as u64);
        let (mut proposals, mut n_kept) = (Vec::new(), 0);
        let (mut n_asked, mut n_failed) = (0, 0);
        for picture in &pictures {
            bar.set_message(picture.file_name.clone());
            if folder.is_open_to(self.policy(), picture) {
                n_asked += 1;
                match self.captioned(folder, picture, rules, writer, propose) {
                    Ok(None) => {}
                    Ok(Some(proposal)) => {
                        if !self.json {
                            bar.suspend(|| show(&proposal));
                        }
                        proposals.push(proposal);
                    }
                    Err(err) => {
                        let Some(reason) = of_picture(&err) else {
                            return Err(err).with_context(|| format!("failed at `{}`", picture.file_name));
                        };
                        n_failed += 1;
                        folder.refused.push(RefusedFile {
                            file_name: picture.file_name.clone(),
                            reason,
                        });
                    }
                }
            } else {
                n_kept += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let summary = Summary {
            n_pictures: pictures.len(),
            n_changed: proposals.len(),
            n_kept,
            written: self.write,
            refused: &folder.refused,
            proposals: &proposals,
        };
        match self.json {
            true => output::json(&summary)?,
            false => summary.show(),
        }
        if n_failed > 0 && n_failed == n_asked {
            bail!("no picture could be captioned");
        }
        Ok(())
    }

    /// What changes in the caption of a picture; written if that was asked for.
    fn captioned(
        &self,
        folder: &mut CaptionFolder,
        picture: &CaptionedPicture,
        rules: Rules<'_>,
        writer: (Origin, &str),
        propose: &mut Propose<'_>,
    ) -> anyhow::Result<Option<Proposal>> {
        let proposed = propose(folder, picture, rules)?;
        let Some(proposal) = proposed.filter(Proposal::is_change) else {
            return Ok(None);
        };
        if self.write {
            folder.accept(picture, &proposal, writer)?;
        }
        Ok(Some(proposal))
    }
}

/// What is wrong with one picture, so that the others can go on; none if it is wrong for all of them.
fn of_picture(err: &anyhow::Error) -> Option<String> {
    if let Some(err) = err.downcast_ref::<CaptioningError>() {
        return err.of_picture();
    }
    let err = err.downcast_ref::<ChatError>()?;
    err.is_about_picture().then(|| format!("got no caption: {err}"))
}

/// Proposes the caption of a picture by some rules.
pub(super) type Propose<'a> =
    dyn FnMut(&CaptionFolder, &CaptionedPicture, Rules<'_>) -> anyhow::Result<Option<Proposal>> + 'a;

fn show(proposal: &Proposal) {
    output::line(&proposal.file_name);
    if !proposal.old.is_empty() {
        output::line(format_args!("  - {}", proposal.old.replace('\n', "\n    ")));
    }
    output::line(format_args!("  + {}", proposal.new));
    if !proposal.left_out.is_empty() {
        let tags = proposal.left_out.join(", ");
        output::line(format_args!("    left out, since somebody removed them: {tags}"));
    }
}

impl Summary<'_> {
    fn show(&self) {
        for file in self.refused {
            output::note(format_args!("`{}` {}", file.file_name, file.reason));
        }
        let (n, n_changed) = (self.n_pictures, self.n_changed);
        match self.written {
            true => output::line(format_args!("{n} pictures, {n_changed} captions written")),
            false => output::line(format_args!(
                "{n} pictures, {n_changed} captions proposed: nothing is written without --write"
            )),
        }
        if self.n_kept > 0 {
            output::line(format_args!(
                "{} captions that people wrote stay as they are: --add adds to them, --replace replaces them",
                self.n_kept
            ));
        }
    }
}
