//! The simulated providers that every test of rented machines runs against.

/// Runs tests against every provider: `$suite!(NAME START TESTS)` for each, where `START` is a
/// [`Start`](crate::rented::Start).
///
/// A new provider is registered by one line here.
#[macro_export]
macro_rules! every_provider {
    ($suite:ident $tests:tt) => {
        $suite!(runpod $crate::runpod::start, $tests);
        $suite!(tally $crate::tally::start, $tests);
    };
}
