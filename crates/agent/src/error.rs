//! How errors are told to a person at the other end.

/// An error with everything that led to it: `failed to write `a`: no space left on device`.
pub(crate) fn chain(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        text = format!("{text}: {err}");
        source = err.source();
    }
    text
}
