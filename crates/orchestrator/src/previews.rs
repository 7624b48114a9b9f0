//! Previews of pictures that are being rendered: from heartbeats of agents to those who follow them here.
//!
//! They are kept nowhere, and go to no other server: who follows a generation at one server, while its agent speaks with
//! another, sees the picture when it is done.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use protocol::{GenerationId, generation::Preview};
use tokio::sync::watch;

/// The newest preview of a generation, if there was one.
pub type Newest = watch::Receiver<Option<Arc<Preview>>>;

/// The newest preview of each generation that somebody follows here, and of the one that an agent spoke of last.
#[derive(Debug, Default)]
pub(crate) struct Previews(Mutex<HashMap<GenerationId, watch::Sender<Option<Arc<Preview>>>>>);

impl Previews {
    /// Follows a generation; the newest preview counts as news.
    pub(crate) fn follow(&self, id: GenerationId) -> Newest {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut newest = all.entry(id).or_default().subscribe();
        newest.mark_changed();
        newest
    }

    /// Shows the newest preview of a generation.
    pub(crate) fn show(&self, id: GenerationId, preview: Preview) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key, sender| *key == id || sender.receiver_count() > 0);
        all.entry(id).or_default().send_replace(Some(Arc::new(preview)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preview(step: u32) -> Preview {
        Preview {
            step,
            n_steps: 9,
            png: String::new(),
        }
    }

    #[test]
    fn only_what_is_followed_and_the_newest_are_kept() {
        let previews = Previews::default();
        let [one, other, third] = [(); 3].map(|()| GenerationId::new());
        previews.show(one, preview(1));
        let mut newest = previews.follow(one);
        assert!(newest.has_changed().unwrap());
        assert_eq!(
            newest.borrow_and_update().as_ref().map(|preview| preview.step),
            Some(1)
        );
        previews.show(other, preview(2));
        previews.show(third, preview(3));
        let n_kept = || previews.0.lock().unwrap().len();
        assert_eq!(n_kept(), 2, "nobody follows the other one");
        previews.show(one, preview(4));
        assert_eq!(
            newest.borrow_and_update().as_ref().map(|preview| preview.step),
            Some(4)
        );
        drop(newest);
        previews.show(third, preview(5));
        assert_eq!(n_kept(), 1);
        assert!(previews.follow(other).borrow().is_none());
    }
}
