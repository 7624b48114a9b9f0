//! The prompts and seeds of a judgement: what is to be drawn, in the order of its importance.

use dataset::caption;
use protocol::preset::Preset;

/// What a prompt asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// What was trained, in combinations that were not.
    Caption,
    /// The trigger word, alone or in another setting.
    Trigger,
    /// The same as a caption with the class in place of the trigger word.
    Plain,
    /// Another subject.
    Other,
}

/// One prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// A prompt of the same kind whose picture it is not.
    pub(super) rival: Option<String>,
}

impl Kind {
    /// What the names of its pictures begin with.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Caption => "caption",
            Self::Trigger => "trigger",
            Self::Plain => "plain",
            Self::Other => "other",
        }
    }

    /// Seeds of its prompts in the least set, and in one more round.
    pub(super) fn n_seeds(self) -> [usize; 2] {
        match self {
            Self::Caption | Self::Trigger => [2, 1],
            Self::Plain | Self::Other => [1, 0],
        }
    }
}

const N_CAPTIONS: usize = 4;
const N_PLAIN: usize = 3;
/// The first seed; the others follow.
pub(super) const FIRST_SEED: u64 = 7;
/// Rounds after the least set, if there is time.
pub(super) const MAX_ROUNDS: usize = 3;
/// Weights other than 1 that one prompt is drawn with, to see how much the LoRA bears.
pub(super) const WEIGHTS: [f32; 3] = [0.6, 0.8, 1.2];

/// Stands for whoever is not the trained figure.
const CLASS: &str = "a person";
/// Subjects that nobody trains by accident, in words that every base knows.
const OTHERS: [&str; 2] = [
    "portrait of an old man with a beard, white background",
    "a person with long hair and glasses, green background",
];

/// The prompts of a training with this trigger word. `captions` are those of held-out pictures, or if there are none, of
/// trained ones, whose ends are then exchanged.
pub(super) fn prompts(
    (trigger, preset): (Option<&str>, Preset),
    held_out: &[String],
    trained: &[String],
) -> Vec<Prompt> {
    let captions: Vec<String> = if held_out.len() >= 2 {
        let mut captions = held_out.to_vec();
        dedup(&mut captions);
        captions
    } else {
        exchanged(trained)
    };
    let captions = spread(&captions, N_CAPTIONS);
    let mut prompts = of_kind(Kind::Caption, &captions);
    if let Some(trigger) = trigger {
        let setting = captions
            .iter()
            .find_map(|caption| parts(caption).1.map(str::to_owned));
        let mut with = vec![trigger.to_owned()];
        with.extend(setting.map(|setting| format!("{trigger}, {setting}")));
        prompts.extend(of_kind(Kind::Trigger, &with));
        let class = match preset {
            Preset::Character => CLASS,
            Preset::Style | Preset::Concept => "",
        };
        let mut plain: Vec<String> = captions
            .iter()
            .map(|caption| without(caption, trigger, class))
            .collect();
        dedup(&mut plain);
        plain.retain(|text| !text.is_empty());
        plain.truncate(N_PLAIN);
        prompts.extend(of_kind(Kind::Plain, &plain));
    }
    let others = OTHERS
        .iter()
        .filter(|text| trigger.is_none_or(|trigger| !caption::holds_word(text, trigger)));
    let others: Vec<String> = others.map(|text| (*text).to_owned()).collect();
    prompts.extend(of_kind(Kind::Other, &others));
    prompts
}

fn of_kind(kind: Kind, texts: &[String]) -> Vec<Prompt> {
    let prompt = |(index, text): (usize, &String)| {
        let rival = &texts[(index + 1) % texts.len()];
        Prompt {
            kind,
            text: text.clone(),
            rival: (rival != text).then(|| rival.clone()),
        }
    };
    texts.iter().enumerate().map(prompt).collect()
}

/// At most `n` of them, from all over the list.
pub(super) fn spread<T: Clone>(all: &[T], n: usize) -> Vec<T> {
    let n = n.min(all.len());
    (0..n).map(|index| all[index * all.len() / n].clone()).collect()
}

fn dedup(texts: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

/// A caption before and after its last comma.
fn parts(caption: &str) -> (&str, Option<&str>) {
    match caption.rsplit_once(',') {
        Some((start, end)) if !end.trim().is_empty() => (start.trim(), Some(end.trim())),
        _ => (caption.trim(), None),
    }
}

/// Captions that end as others do: combinations that the pictures do not show.
fn exchanged(captions: &[String]) -> Vec<String> {
    let n = captions.len();
    let mut made: Vec<String> = (0..n)
        .map(|index| {
            let (start, end) = parts(&captions[index]);
            let ends = (1..n).map(|step| parts(&captions[(index + step) % n]).1);
            match ends.flatten().find(|other| Some(*other) != end) {
                Some(other) if end.is_some() => format!("{start}, {other}"),
                _ => captions[index].clone(),
            }
        })
        .collect();
    dedup(&mut made);
    made
}

/// A caption with the class in place of the trigger word, where that stands as a word of its own.
fn without(caption: &str, trigger: &str, class: &str) -> String {
    let replaced = caption::replaced_word(caption, trigger, class);
    let tags = replaced.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    tags.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
