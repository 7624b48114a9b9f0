//! Every limit that somebody outside can run into, in one place.
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
    /// An object with an agent's requests in its mailbox; a larger one is not read.
    pub const MAX_MAILBOX_REQUEST_BYTES: u64 = 16 << 20;
    /// An object with answers in an agent's mailbox; a larger one is not read. A dataset's list of pictures is the
    /// largest answer.
    pub const MAX_MAILBOX_ANSWER_BYTES: u64 = 64 << 20;
    /// Requests in one mailbox that are carried out at once; those beyond wait.
    pub const MAX_MAILBOX_REQUESTS: usize = 32;
    /// The header of a safetensors file that an agent uploads. That of a LoRA of SDXL has half a megabyte.
    pub const MAX_SAFETENSORS_HEADER_BYTES: u64 = 16 << 20;
    /// Tensors of a safetensors file that an agent uploads. A LoRA of SDXL has some thousand.
    pub const MAX_SAFETENSORS_TENSORS: usize = 100_000;
    /// A LoRA that an agent uploads.
    pub const MAX_LORA_BYTES: u64 = 8 << 30;
    /// A picture that an agent uploads.
    pub const MAX_AGENT_PICTURE_BYTES: u64 = 64 << 20;
    /// Width or height, in pixels, of a picture that an agent uploads.
    pub const MAX_AGENT_PICTURE_SIDE: u32 = 8192;
}

/// A value as the table shows it.
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
