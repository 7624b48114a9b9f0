//! Checks of captions and the trigger word, by the tokens that are trained on.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use prompt::tokenizer::Tokenizer;
use protocol::{finding::FindingCode, text};

use super::{Found, Purpose, Subject, tags::contradiction};
use crate::caption::{self, plain_tag};

/// A trigger word that begins behind this many tokens is late: the first words of a caption count most.
const LATE_TOKENS: usize = 20;
/// A trigger word of more tokens is spread over many meanings.
const MOST_TRIGGER_TOKENS: usize = 4;
/// Fewer captions say nothing about what all have in common.
const LEAST_CAPTIONS: usize = 5;
/// Percent of the captions with a tag that is called dominating.
const DOMINATING: usize = 80;
/// Tags that nearly every picture of a person has, and that belong there.
const EXPECTED: [&str; 3] = ["1girl", "1boy", "solo"];
/// Characters shown of what is cut off.
const N_SHOWN: usize = 40;

/// Checks captions.
pub(super) fn judge(subjects: &[Subject<'_>], purpose: &Purpose, found: &mut Found) {
    trigger_tokens(&purpose.trigger_word, found);
    for (index, subject) in subjects.iter().enumerate() {
        if caption::says_nothing(subject.caption) {
            found.of(FindingCode::NoCaption, index, "has no caption");
            continue;
        }
        if let Some(sign) = wrong_encoding(subject.caption) {
            let detail = format!("its caption has `{sign}`, as text in a wrong encoding has");
            found.of(FindingCode::CaptionEncoding, index, detail);
        }
        let trained = trained(subject, purpose);
        if let Some(rest) = cut_off(&trained, usize::from(purpose.max_tokens)) {
            let detail = format!(
                "its caption has {} tokens, and after {} `{}` is cut off",
                Tokenizer.count(&trained),
                purpose.max_tokens,
                text::shown(rest.trim(), N_SHOWN)
            );
            found.of(FindingCode::CaptionTooLong, index, detail);
        }
        let tags: BTreeSet<String> = caption::tags(subject.caption)
            .map(|tag| plain_tag(&tag))
            .collect();
        if let Some((one, other)) = contradiction(&tags) {
            let detail = format!("its caption has both `{one}` and `{other}`");
            found.of(FindingCode::ContradictingTags, index, detail);
        }
        if !subject.showing.regularization {
            trigger(index, subject.caption, &trained, &purpose.trigger_word, found);
        }
    }
    same_captions(subjects, found);
    dominating_tags(subjects, &purpose.trigger_word, found);
}

/// The caption as training reads it when nothing is drawn.
fn trained<'a>(subject: &Subject<'a>, purpose: &Purpose) -> Cow<'a, str> {
    match (&purpose.rules, subject.showing.regularization) {
        (Some(rules), false) => rules.settled(&rules.written(subject.caption)).into(),
        (Some(rules), true) => {
            let rules = rules.without_trigger_word();
            rules.settled(&rules.written(subject.caption)).into()
        }
        (None, false) => caption::with_trigger(subject.caption, &purpose.trigger_word),
        (None, true) => Cow::Borrowed(subject.caption),
    }
}

/// What of a caption lies behind so many tokens.
fn cut_off(caption: &str, max_tokens: usize) -> Option<&str> {
    let tokens = Tokenizer.encode_with_ends(caption);
    if tokens.len() <= max_tokens {
        return None;
    }
    let (_, end) = *tokens.get(max_tokens.checked_sub(1)?)?;
    caption.get(end..)
}

fn trigger(index: usize, written: &str, trained: &str, word: &str, found: &mut Found) {
    if word.is_empty() {
        return;
    }
    let places = caption::places_of_word(written, word);
    if places.is_empty() {
        let detail = format!("its caption lacks `{word}`, which will be prepended");
        found.of(FindingCode::TriggerMissing, index, detail);
        return;
    }
    if places.len() > 1 {
        let detail = format!("its caption has `{word}` {} times", places.len());
        found.of(FindingCode::TriggerRepeated, index, detail);
    }
    let before = caption::places_of_word(trained, word)
        .first()
        .and_then(|&place| trained.get(..place));
    let n_before = before.map_or(0, |before| Tokenizer.count(before));
    if n_before > LATE_TOKENS {
        let detail = format!("its caption has `{word}` after {n_before} other tokens");
        found.of(FindingCode::TriggerLate, index, detail);
    }
}

fn trigger_tokens(word: &str, found: &mut Found) {
    if word.is_empty() {
        return;
    }
    let n_tokens = Tokenizer.count(word);
    let what = if word.chars().any(|c| c.is_ascii_digit()) {
        format!(
            "the trigger word `{word}` has digits, which are tokens of their own with many other meanings"
        )
    } else if n_tokens > MOST_TRIGGER_TOKENS {
        format!("the trigger word `{word}` is {n_tokens} tokens, which is hard to learn as one word")
    } else if n_tokens == 1 {
        format!(
            "the trigger word `{word}` is a single token, which the base model knows with a meaning of its own"
        )
    } else {
        return;
    };
    found.of_all(FindingCode::TriggerTokens, what);
}

/// Characters that UTF-8 read as Latin-1 or Windows-1252 leaves, or that stand for what could not be read.
fn wrong_encoding(caption: &str) -> Option<String> {
    let chars: Vec<char> = caption.chars().collect();
    let at = chars.windows(2).position(|pair| {
        let continues = matches!(pair[1], '\u{80}'..='\u{bf}' | '€' | '™' | 'œ' | '‚' | '„');
        matches!(pair[0], 'Ã' | 'Â' | 'â') && continues
    });
    let at = at.or_else(|| chars.iter().position(|&c| c == char::REPLACEMENT_CHARACTER))?;
    let end = chars.len().min(at + 3);
    Some(text::shown(&chars[at..end].iter().collect::<String>(), N_SHOWN))
}

/// One caption for more than half of the pictures.
fn same_captions(subjects: &[Subject<'_>], found: &mut Found) {
    let mut by_caption: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut n_captions = 0;
    for (index, subject) in subjects.iter().enumerate() {
        if !subject.showing.regularization && !caption::says_nothing(subject.caption) {
            n_captions += 1;
            by_caption
                .entry(subject.caption.trim().to_lowercase())
                .or_default()
                .push(index);
        }
    }
    let Some(most) = by_caption.values().max_by_key(|indices| indices.len()) else {
        return;
    };
    if most.len() < 4 || most.len() * 2 <= n_captions {
        return;
    }
    for &index in most {
        let shown = text::shown(subjects[index].caption, N_SHOWN);
        found.of(
            FindingCode::SameCaption,
            index,
            format!("has the caption `{shown}`"),
        );
    }
}

/// Tags that nearly all captions have, besides the trigger word.
fn dominating_tags(subjects: &[Subject<'_>], trigger_word: &str, found: &mut Found) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut n_captions, mut n_tags) = (0_usize, 0_usize);
    for subject in subjects {
        if subject.showing.regularization || caption::says_nothing(subject.caption) {
            continue;
        }
        let tags: BTreeSet<String> = caption::tags(subject.caption)
            .map(|tag| plain_tag(&tag))
            .collect();
        n_captions += 1;
        n_tags += tags.len();
        for tag in tags {
            *counts.entry(tag).or_default() += 1;
        }
    }
    // Sentences have no tags in common.
    if n_captions < LEAST_CAPTIONS || n_tags < 3 * n_captions {
        return;
    }
    let is_trigger =
        |tag: &str| !trigger_word.is_empty() && caption::holds_word(tag, &trigger_word.to_lowercase());
    let dominating: Vec<String> = counts
        .iter()
        .filter(|(tag, n)| {
            **n * 100 > DOMINATING * n_captions && !is_trigger(tag) && !EXPECTED.contains(&tag.as_str())
        })
        .map(|(tag, n)| format!("`{}` ({n})", text::shown(tag, N_SHOWN)))
        .collect();
    if !dominating.is_empty() {
        let what = format!(
            "more than {DOMINATING} % of the {n_captions} captions have {}",
            dominating.join(", ")
        );
        found.of_all(FindingCode::DominatingTag, what);
    }
}
