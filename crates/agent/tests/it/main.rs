//! The agent's engines, driven as the agent drives them.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod diffusers;
mod kohya;
