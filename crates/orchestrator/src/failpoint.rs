//! Places where a test can kill this process between two steps, or hang one of its threads.

/// Ends the process at once, as `kill -9` would, if `MORPHEUS_DIE_AT` names this place; never returns if
/// `MORPHEUS_HANG_AT` does.
pub(crate) fn reached(place: &str) {
    let is_named = |variable: &str| std::env::var(variable).is_ok_and(|wanted| wanted == place);
    if is_named("MORPHEUS_DIE_AT") {
        std::process::abort();
    }
    if is_named("MORPHEUS_HANG_AT") {
        loop {
            std::thread::park();
        }
    }
}
