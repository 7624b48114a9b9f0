//! Previews of a picture that is being rendered, a few in a second at most.

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use diffusion::{networks::NetworkError, pipeline::Step, preview::Colors};
use protocol::{generation::Preview, problem::chain};

/// From one preview to the next: an eye sees it move, and a step of a small base takes less.
const EVERY: Duration = Duration::from_millis(500);

/// Previews of one picture.
pub(super) struct Previews<'a> {
    tell: &'a dyn Fn(Preview),
    colors: Option<Colors>,
    due: Instant,
}

impl<'a> Previews<'a> {
    /// Told to a function. The first comes with the first step.
    pub(super) fn new(tell: &'a dyn Fn(Preview)) -> Self {
        Self {
            tell,
            colors: None,
            due: Instant::now(),
        }
    }

    /// Takes the colors of a base's latents, which are found once for a base. Without them there are no previews, and
    /// the picture will say what is wrong with the VAE.
    pub(super) fn color(
        &mut self,
        known: &mut Option<Colors>,
        find: impl FnOnce() -> Result<Colors, NetworkError>,
    ) {
        if known.is_none() {
            match find() {
                Ok(colors) => *known = Some(colors),
                Err(err) => tracing::warn!(error = chain(&err), "no previews"),
            }
        }
        self.colors.clone_from(known);
    }

    /// Shows what the picture looks like after a step, if it is time. The finished picture follows the last step.
    pub(super) fn show(&mut self, step: &Step<'_>) {
        let Some(colors) = &self.colors else { return };
        if step.n_done >= step.n_steps || Instant::now() < self.due {
            return;
        }
        match step.picture().and_then(|latents| colors.paint(&latents)) {
            Ok(picture) => (self.tell)(Preview {
                step: step.n_done as u32,
                n_steps: step.n_steps as u32,
                png: BASE64_STANDARD.encode(dataset::picture::encode_png(&picture)),
            }),
            Err(err) => tracing::warn!(error = chain(&err), "no preview"),
        }
        self.due = Instant::now() + EVERY;
    }
}
