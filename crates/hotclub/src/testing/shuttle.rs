//! How long the model checker looks.

/// Runs a test under random schedules: `HOTCLUB_SHUTTLE_ITERATIONS` of them, or 500.
pub(crate) fn check(test: impl Fn() + Send + Sync + 'static) {
    let wanted = std::env::var("HOTCLUB_SHUTTLE_ITERATIONS").ok();
    let iterations = wanted.map_or(500, |text| text.parse().expect("HOTCLUB_SHUTTLE_ITERATIONS is a number"));
    ::shuttle::check_random(test, iterations);
}
