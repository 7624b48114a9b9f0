//! The check of the Python with diffusers: what it has, and what it computes on.

use agent::diffusers::Engine;
use protocol::problem::chain;

use super::Finding;
use crate::diffusers::DiffusersFlags;

/// Checks what the flag names; nothing if it names nothing. Takes some seconds.
pub(super) fn check(flags: &DiffusersFlags) -> Option<Finding> {
    let settings = flags.setup()?;
    let (name, shown) = ("diffusers", settings.python.display().to_string());
    let hello = Engine::new(settings).and_then(|mut engine| engine.hello());
    Some(match hello {
        Ok(hello) => Finding::ok(
            name,
            format!(
                "`{shown}`, diffusers {}, torch {} on {} in {}",
                hello.diffusers, hello.torch, hello.device, hello.dtype
            ),
        ),
        Err(err) => Finding::problem(
            name,
            chain(&err),
            "install torch, diffusers, transformers and safetensors as deploy/worker/requirements.txt names them, and \
             set --diffusers-python to that Python",
        ),
    })
}
