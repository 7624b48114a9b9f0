//! What sd-scripts prints, line by line: bytes in, meaning out.
//!
//! Three things stand in the way. Progress bars are separated by carriage returns and share lines with messages;
//! messages of its default logger are wrapped at 80 columns and padded; and while a sample is rendered a nested bar
//! moves the cursor. The engine asks for plain lines, but a reader that needs them would be deaf where they are
//! refused.

pub use crate::tail::Stream;

/// One thing that sd-scripts said.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// The bar that counts optimizer steps.
    Steps(StepBar),
    /// Another bar: pictures that are read or cached, steps of a sample.
    Bar {
        /// Finished parts.
        done: u32,
        /// All parts.
        total: u32,
    },
    /// `epoch 1/2`.
    Epoch {
        /// From 1.
        epoch: u32,
        /// All.
        n_epochs: u32,
    },
    /// `num batches per epoch`: batches in an epoch.
    Batches(u32),
    /// `gradient accumulation steps`: batches in a step.
    Accumulation(u32),
    /// `accelerator device: cuda`: what it computes on.
    Device(String),
    /// It begins with something that takes a while.
    Stage(&'static str),
    /// `model saved.`: the only word on success.
    ModelSaved,
    /// `No data found`: it ends with exit code 0 and no file.
    NoData,
    /// Anything else, unwrapped.
    Text(String),
}

/// The bar that counts optimizer steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepBar {
    /// Steps done.
    pub step: u32,
    /// All steps of this run.
    pub total: u32,
    /// Mean time of a step so far.
    pub seconds_per_step: Option<f64>,
    /// Estimated time to the last step.
    pub eta_seconds: Option<f64>,
    /// Mean loss, with three digits; NaN for good after a single NaN.
    pub average_loss: Option<f64>,
}

/// What sd-scripts begins with, and how a person would say it.
const STAGES: [(&str, &str); 9] = [
    ("loading image sizes", "inspecting the pictures"),
    ("loading model for process", "loading the base model"),
    ("caching latents with", "caching latents"),
    ("caching Text Encoder outputs with", "caching captions"),
    ("create LoRA network", "creating the LoRA network"),
    ("prepare optimizer", "preparing the optimizer"),
    ("running training", "starting to train"),
    ("generating sample images", RENDERING),
    ("saving checkpoint", "saving a checkpoint"),
];
/// What sd-scripts does each time it looks for prompts, even if it finds none.
pub const RENDERING: &str = "rendering samples";
/// What it says then.
pub const NO_PROMPTS: &str = "No prompt file";
const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"];
/// Columns before the text of a message: time, level, and a space after each.
const INDENT: usize = 29;
/// A line that never ends is cut here; it is no message of sd-scripts.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Makes lines of one stream's bytes.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Vec<u8>,
    wrapped: Option<Wrapped>,
}

/// A message of which more lines may come.
#[derive(Debug)]
struct Wrapped {
    text: String,
    /// Columns of text on each of its lines.
    width: usize,
    /// The line before was filled to the last column, so the word goes on.
    is_full: bool,
}

impl Reader {
    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            if byte != b'\n' && byte != b'\r' {
                self.partial.push(byte);
            }
            if byte == b'\n' || byte == b'\r' || self.partial.len() > MAX_LINE_BYTES {
                self.end_line(&mut lines);
            }
        }
        lines
    }

    /// The stream is over.
    pub fn finish(mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        self.end_line(&mut lines);
        self.end_message(&mut lines);
        lines
    }

    fn end_line(&mut self, lines: &mut Vec<Line>) {
        let raw = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).replace("\u{1b}[A", "");
        if let Some(message) = Message::find(&raw) {
            self.end_message(lines);
            // A message may follow a bar on the same line.
            lines.extend(read_line(message.before));
            self.wrapped = Some(Wrapped {
                is_full: columns(message.text) == message.width,
                text: message.text.to_owned(),
                width: message.width,
            });
            return;
        }
        let is_indented = raw.len() > INDENT && raw.bytes().take(INDENT).all(|byte| byte == b' ');
        match &mut self.wrapped {
            Some(wrapped) if is_indented && !raw.trim().is_empty() => {
                let text = raw.trim();
                if !wrapped.is_full && !wrapped.text.is_empty() {
                    wrapped.text.push(' ');
                }
                wrapped.text.push_str(text);
                wrapped.is_full = columns(text) == wrapped.width;
            }
            _ => {
                self.end_message(lines);
                lines.extend(read_line(&raw));
            }
        }
    }

    fn end_message(&mut self, lines: &mut Vec<Line>) {
        if let Some(wrapped) = self.wrapped.take() {
            lines.extend(read_line(&wrapped.text));
        }
    }
}

/// The first line of a message of the wrapping logger:
/// `2026-11-22 12:47:31 INFO     load tokenizer from cache:      strategy_base.py:61`.
struct Message<'a> {
    before: &'a str,
    text: &'a str,
    width: usize,
}

impl<'a> Message<'a> {
    fn find(raw: &'a str) -> Option<Self> {
        let (at, level) = LEVELS.iter().find_map(|&level| {
            let at = raw.find(&format!(" {level} "))?;
            Some((at, level))
        })?;
        let time_at = at.checked_sub(19)?;
        let time = raw.get(time_at..at)?;
        let is_time = time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" -:".contains(&byte));
        let rest = raw.get(time_at + INDENT.max(20 + level.len())..)?;
        let (text, origin) = rest.trim_end().rsplit_once(' ').unwrap_or(("", rest.trim_end()));
        let (file, line) = origin.rsplit_once(':')?;
        if !is_time || !file.ends_with(".py") || !line.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Self {
            before: &raw[..time_at],
            width: columns(text),
            text: text.trim(),
        })
    }
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

fn read_line(raw: &str) -> Option<Line> {
    let text = raw.trim();
    if text.is_empty() {
        return None;
    }
    if let Some(bar) = text.strip_prefix("steps:") {
        return Some(step_bar(bar).map_or_else(|| Line::Text(text.to_owned()), Line::Steps));
    }
    if let Some((done, total)) = bar_counts(text) {
        return Some(Line::Bar { done, total });
    }
    if let Some((epoch, n_epochs)) = text.strip_prefix("epoch ").and_then(fraction) {
        return Some(Line::Epoch { epoch, n_epochs });
    }
    if text == "model saved." {
        return Some(Line::ModelSaved);
    }
    if text.starts_with("No data found") {
        return Some(Line::NoData);
    }
    if let Some(device) = text.strip_prefix("accelerator device: ") {
        return Some(Line::Device(device.to_owned()));
    }
    // Both name the number in two languages, and end with it.
    let number = || text.rsplit([' ', ':', '=']).next()?.parse().ok();
    if text.starts_with("num batches per epoch")
        && let Some(n) = number()
    {
        return Some(Line::Batches(n));
    }
    if text.starts_with("gradient accumulation steps")
        && let Some(n) = number()
    {
        return Some(Line::Accumulation(n));
    }
    let stage = STAGES.iter().find(|(start, _)| text.starts_with(start));
    Some(match stage {
        Some(&(_, name)) => Line::Stage(name),
        None => Line::Text(text.to_owned()),
    })
}

/// ` 50%|█████     | 10/20 [00:01<00:01,  5.55it/s, avr_loss=1.11]`
fn step_bar(bar: &str) -> Option<StepBar> {
    let (step, total) = bar_counts(bar)?;
    let inside = bar.split_once('[')?.1.split(']').next()?;
    let (times, rest) = inside.split_once(',').unwrap_or((inside, ""));
    let (_, left) = times.split_once('<')?;
    let mut parts = rest.split(',').map(str::trim);
    let rate = parts.next().unwrap_or_default();
    let seconds_per_step = match rate.strip_suffix("it/s") {
        Some(rate) => rate.parse::<f64>().ok().map(f64::recip),
        None => rate.strip_suffix("s/it").and_then(|rate| rate.parse().ok()),
    };
    let average_loss = parts.find_map(|part| part.strip_prefix("avr_loss="));
    Some(StepBar {
        step,
        total,
        seconds_per_step,
        eta_seconds: clock(left),
        average_loss: average_loss.and_then(|loss| loss.parse().ok()),
    })
}

/// `10` and `20` of `50%|█████     | 10/20 [00:01<…`.
fn bar_counts(bar: &str) -> Option<(u32, u32)> {
    let (percent, rest) = bar.split_once("%|")?;
    percent.rsplit([' ', ':']).next()?.parse::<u32>().ok()?;
    let (counts, _) = rest.split_once('|')?.1.split_once('[')?;
    fraction(counts)
}

fn fraction(text: &str) -> Option<(u32, u32)> {
    let (part, whole) = text.trim().split_once('/')?;
    Some((part.parse().ok()?, whole.parse().ok()?))
}

/// Seconds of `06:26` or `1:06:26`.
fn clock(text: &str) -> Option<f64> {
    text.split(':').try_fold(0.0, |seconds, part| {
        Some(60.0 * seconds + part.parse::<f64>().ok()?)
    })
}

#[cfg(test)]
mod tests;
