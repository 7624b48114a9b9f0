//! What a caption says each time its picture is shown: prefix and suffix, wildcards, shuffled and dropped tags.
//!
//! The order of the steps and what each does are those of sd-scripts (`process_caption` in `library/train_util.py`), so
//! that both engines train on the same captions. Two things differ. Empty tags, as behind a comma at the end, are left
//! out. And the trigger word is never shuffled, dropped or left for later: its tag is moved to the front of the caption
//! and kept there ([`CaptionRules::written`]).
//!
//! No random numbers are made here. The caller passes a source of uniform ones for each time that a picture is shown.

use std::{borrow::Cow, ops::Range};

use protocol::recipe::{Parameters, Recipe};

use super::{holds_word, prepended};

mod wildcards;

/// How the captions of a training change from one time to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionRules {
    trigger_word: String,
    parameters: Parameters,
}

/// What a caption is drawn with.
pub struct Draw<'a> {
    /// Optimizer steps that are done.
    pub n_steps: u32,
    /// Gives numbers that are uniform in [0, 1).
    pub uniform: &'a mut dyn FnMut() -> f64,
}

impl CaptionRules {
    /// Those of a recipe.
    pub fn of(recipe: &Recipe) -> Self {
        Self {
            trigger_word: recipe.trigger_word().unwrap_or_default().trim().to_owned(),
            parameters: recipe.parameters().clone(),
        }
    }

    /// Those of regularization pictures, which show what the trigger word is not.
    pub fn without_trigger_word(&self) -> Self {
        Self {
            trigger_word: String::new(),
            parameters: self.parameters.clone(),
        }
    }

    /// The caption before anything is drawn: with trigger word, prefix and suffix, and with the trigger word's tag in
    /// front if tags are shuffled, dropped or held back. The kohya engine writes this into its caption files.
    ///
    /// With wildcards, each line of the caption is one of its own, of which one is drawn.
    pub fn written(&self, caption: &str) -> String {
        if !self.parameters.wildcards {
            return self.complete(caption).into_owned();
        }
        let lines: Vec<Cow<'_, str>> = lines(caption).map(|line| self.complete(line)).collect();
        if lines.is_empty() {
            return self.complete("").into_owned();
        }
        lines.join("\n")
    }

    /// Number of tags at the front of a written caption that stay where they are.
    pub fn n_kept_tags(&self) -> usize {
        let n_kept = usize::from(self.parameters.keep_tokens);
        if self.rearranges() {
            n_kept.max(self.trigger_tags().len())
        } else {
            n_kept
        }
    }

    /// What stands between two tags.
    pub fn separator(&self) -> &str {
        match self.parameters.tag_separator.as_str() {
            "" => ",",
            separator => separator,
        }
    }

    /// Whether a written caption may say something else the next time.
    pub fn changes(&self, written: &str) -> bool {
        self.rearranges() || (self.parameters.wildcards && (written.contains('{') || written.contains('\n')))
    }

    /// Whether written captions are trained on as they are, in every epoch.
    pub fn change_nothing(&self) -> bool {
        let p = &self.parameters;
        let drops = p.caption_dropout > 0.0 || p.caption_dropout_every_n_epochs > 0;
        !drops && !self.rearranges() && !p.wildcards && p.secondary_separator.is_empty()
    }

    /// Whether all captions are empty in an epoch, counted from 0.
    ///
    /// sd-scripts counts epochs from 1: with 3, those of the third epoch are.
    pub fn drops_epoch(&self, epoch: u32) -> bool {
        let every = self.parameters.caption_dropout_every_n_epochs;
        every > 0 && (u64::from(epoch) + 1).is_multiple_of(every.into())
    }

    /// What a written caption says this time.
    pub fn draw(&self, written: &str, draw: Draw<'_>) -> String {
        self.say(written, Some(draw))
    }

    /// What a written caption says when nothing is drawn: its first line, the first choice of each wildcard, and every
    /// tag in its place. Pictures are measured with it.
    pub fn settled(&self, written: &str) -> String {
        self.say(written, None)
    }

    fn say(&self, written: &str, mut draw: Option<Draw<'_>>) -> String {
        let p = &self.parameters;
        let mut caption = Cow::Borrowed(written);
        if p.wildcards {
            let lines: Vec<&str> = lines(written).collect();
            let chosen = pick(&mut draw, lines.len());
            let line = lines.get(chosen).copied().unwrap_or_default();
            caption = wildcards::resolve(line, &mut |n_choices| pick(&mut draw, n_choices)).into();
        }
        if self.rearranges() {
            caption = self.rearranged(&caption, draw).into();
        }
        if !p.secondary_separator.is_empty() {
            caption = caption.replace(&p.secondary_separator, self.separator()).into();
        }
        caption.into_owned()
    }

    /// Whether tags change places or are left out.
    fn rearranges(&self) -> bool {
        let p = &self.parameters;
        p.shuffle_tags || p.tag_dropout > 0.0 || p.token_warmup_steps > 0
    }

    fn rearranged(&self, caption: &str, draw: Option<Draw<'_>>) -> String {
        let p = &self.parameters;
        let Parts {
            head,
            mut flexible,
            tail,
        } = self.parts(caption);
        if let Some(Draw { n_steps, uniform }) = draw {
            flexible.truncate(self.n_warm(flexible.len(), n_steps));
            if p.shuffle_tags {
                shuffle(&mut flexible, uniform);
            }
            if p.tag_dropout > 0.0 {
                flexible.retain(|_| uniform() >= p.tag_dropout);
            }
        }
        // sd-scripts joins with a comma whatever it splits at.
        [head, flexible, tail].concat().join(", ")
    }

    /// How many tags of a written caption are used after so many steps, beside those that are kept; nothing if it has no
    /// more than are used from the first step on.
    pub fn n_warm_tags(&self, written: &str, n_steps: u32) -> Option<usize> {
        let line = lines(written).next().unwrap_or_default();
        let n_tags = self.parts(line).flexible.len();
        (n_tags > usize::from(self.parameters.token_warmup_min)).then(|| self.n_warm(n_tags, n_steps))
    }

    /// How many of the flexible tags are used after so many steps.
    fn n_warm(&self, n_tags: usize, n_steps: u32) -> usize {
        let p = &self.parameters;
        if n_steps >= p.token_warmup_steps {
            return n_tags;
        }
        let least = f64::from(p.token_warmup_min);
        let by_step = (n_tags as f64 - least) / f64::from(p.token_warmup_steps);
        let n_warm = (f64::from(n_steps) * by_step).floor() + least;
        (n_warm.max(0.0) as usize).min(n_tags)
    }

    fn parts<'a>(&self, caption: &'a str) -> Parts<'a> {
        let p = &self.parameters;
        let separator = self.separator();
        if !p.keep_tokens_separator.is_empty()
            && let Some((head, rest)) = caption.split_once(&p.keep_tokens_separator)
        {
            let (flexible, tail) = rest.split_once(&p.keep_tokens_separator).unwrap_or((rest, ""));
            return Parts {
                head: tags(head, separator).collect(),
                flexible: tags(flexible, separator).collect(),
                tail: tags(tail, separator).collect(),
            };
        }
        let mut head: Vec<&str> = tags(caption, separator).collect();
        let flexible = head.split_off(self.n_kept_tags().min(head.len()));
        Parts {
            head,
            flexible,
            tail: Vec::new(),
        }
    }

    /// A line with trigger word, prefix and suffix.
    fn complete<'a>(&self, line: &'a str) -> Cow<'a, str> {
        let p = &self.parameters;
        let (prefix, suffix) = (p.caption_prefix.trim(), p.caption_suffix.trim());
        // A trigger word that is one choice of several is not always there.
        let is_sure = |text: &str| {
            if p.wildcards {
                holds_word(&wildcards::blanked(text), &self.trigger_word)
            } else {
                holds_word(text, &self.trigger_word)
            }
        };
        let is_there = self.trigger_word.is_empty() || [line, prefix, suffix].into_iter().any(is_sure);
        let mut caption = if is_there {
            Cow::Borrowed(line)
        } else {
            prepended(line, &self.trigger_word).into()
        };
        if !prefix.is_empty() || !suffix.is_empty() {
            let parts = [prefix, caption.trim(), suffix];
            let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            caption = parts.join(" ").into();
        }
        if self.rearranges() && !self.trigger_word.is_empty() {
            caption = self.with_trigger_first(&caption).into();
        }
        caption
    }

    /// Moves the tag with the trigger word to the front, unless a part that stays in its place has it.
    fn with_trigger_first(&self, caption: &str) -> String {
        let p = &self.parameters;
        let separator = self.separator();
        let trigger = self.trigger_tags();
        if !p.keep_tokens_separator.is_empty()
            && let Some((head, rest)) = caption.split_once(&p.keep_tokens_separator)
        {
            let (flexible, tail) = match rest.split_once(&p.keep_tokens_separator) {
                Some((flexible, tail)) => (flexible, Some(tail)),
                None => (rest, None),
            };
            let stays = |text: &str| find(&self.whole_tags(text), &trigger).is_some();
            if stays(head) || tail.is_some_and(stays) {
                return caption.to_owned();
            }
            let mut flexible = self.whole_tags(flexible);
            let Some(found) = find(&flexible, &trigger) else {
                return caption.to_owned();
            };
            let mut front: Vec<String> = flexible.drain(found).collect();
            front.extend(self.whole_tags(head));
            let join = |tags: Vec<String>| tags.join(&format!("{separator} "));
            let mut parts = vec![join(front), join(flexible)];
            parts.extend(tail.map(|tail| tail.trim().to_owned()));
            return parts.join(&format!(" {} ", p.keep_tokens_separator));
        }
        let mut tags = self.whole_tags(caption);
        match find(&tags, &trigger) {
            None | Some(Range { start: 0, .. }) => caption.to_owned(),
            Some(found) => {
                tags[..found.end].rotate_right(found.len());
                tags.join(&format!("{separator} "))
            }
        }
    }

    /// The tags of a text in which wildcards are still to be drawn: what is in one is not split.
    fn whole_tags(&self, text: &str) -> Vec<String> {
        if !self.parameters.wildcards {
            return tags(text, self.separator()).map(str::to_owned).collect();
        }
        // Blanks have the length of what they hide.
        let blanked = wildcards::blanked(text);
        let mut from = 0;
        let mut found = Vec::new();
        let ends = blanked.match_indices(self.separator()).map(|(at, _)| at);
        for end in ends.chain([text.len()]) {
            found.push(text[from..end].trim().to_owned());
            from = end + self.separator().len();
        }
        found.retain(|tag| !tag.is_empty());
        found
    }

    fn trigger_tags(&self) -> Vec<&str> {
        tags(&self.trigger_word, self.separator()).collect()
    }
}

/// The tags of a caption.
struct Parts<'a> {
    /// They stay in front.
    head: Vec<&'a str>,
    /// They may be shuffled and left out.
    flexible: Vec<&'a str>,
    /// They stay at the end.
    tail: Vec<&'a str>,
}

fn lines(caption: &str) -> impl Iterator<Item = &str> {
    caption.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn tags<'a>(text: &'a str, separator: &str) -> impl Iterator<Item = &'a str> {
    text.split(separator).map(str::trim).filter(|tag| !tag.is_empty())
}

/// Where the tags of the trigger word stand one after the other.
fn find(tags: &[String], trigger: &[&str]) -> Option<Range<usize>> {
    let holds = |window: &[String]| {
        window
            .iter()
            .zip(trigger)
            .all(|(tag, word)| holds_word(tag, word))
    };
    let start = tags.windows(trigger.len().max(1)).position(holds)?;
    Some(start..start + trigger.len())
}

/// One of so many; the first if nothing is drawn.
fn pick(draw: &mut Option<Draw<'_>>, n_choices: usize) -> usize {
    match draw {
        Some(draw) if n_choices > 1 => below(n_choices, &mut *draw.uniform),
        _ => 0,
    }
}

fn below(n: usize, uniform: &mut dyn FnMut() -> f64) -> usize {
    ((uniform() * n as f64) as usize).min(n - 1)
}

/// Fisher and Yates.
fn shuffle<T>(items: &mut [T], uniform: &mut dyn FnMut() -> f64) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, uniform));
    }
}

#[cfg(test)]
mod tests;
