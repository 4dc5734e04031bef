//! Whole numbers that are counted up and down where they lie.
use super::Fixture;
use crate::ErrorKind;
use crate::timeout::Life;

/// A number is counted up and down; the sum is returned and stored.
pub fn incr_adds_and_returns_the_sum(fixture: &Fixture) {
    fixture.set("key", "41");
    if !fixture.keeps() {
        return;
    }
    for (delta, sum) in [(1, 42), (10, 52), (-2, 50), (0, 50), (1_000_000_007, 1_000_000_057)] {
        assert_eq!(fixture.backend().incr("key", delta).ok(), Some(sum));
    }
}

/// The sum is stored as digits: another reader sees a plain number.
pub fn incr_stores_decimal_digits(fixture: &Fixture) {
    fixture.set("key", "9");
    if fixture.keeps() {
        assert_eq!(fixture.backend().incr("key", 1).ok(), Some(10));
        assert_eq!(fixture.get("key").as_deref(), Some("10"));
    }
}

/// No sum passes through a number that cannot hold it: to a double, 2^53 and 2^53 + 1 are the same.
pub fn sums_are_exact_beyond_what_a_double_holds(fixture: &Fixture) {
    let start = 1_i128 << 62;
    fixture.set("key", &start.to_string());
    if fixture.keeps() {
        let sums = [1, 1, -3].map(|delta| fixture.backend().incr("key", delta).ok());
        assert_eq!(sums, [Some(start + 1), Some(start + 2), Some(start - 1)]);
    }
}

/// A miss is `KeyNotFound` (Django's ValueError), not a new counter.
pub fn incr_of_a_missing_key_is_an_error_and_creates_nothing(fixture: &Fixture) {
    let error = fixture.backend().incr("key", 1).expect_err("there is nothing to count");
    assert_eq!(error.kind(), ErrorKind::KeyNotFound);
    assert!(error.to_string().contains("key"), "the error names the key: {error}");
    assert!(!fixture.has("key"));
}

/// What is no number stays as it is.
pub fn incr_of_text_is_an_error_and_changes_nothing(fixture: &Fixture) {
    for text in ["swing", "", "1.5", "1e3", "0x10", "--1"] {
        fixture.set("key", text);
        if fixture.keeps() {
            let error = fixture.backend().incr("key", 1).expect_err("no number");
            assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{text:?}");
        }
        assert_eq!(fixture.get("key"), fixture.kept(text));
    }
}

/// A sum that does not fit is an error, and the number stays.
pub fn incr_beyond_the_range_is_an_error_and_changes_nothing(fixture: &Fixture) {
    let most = i128::MAX.to_string();
    fixture.set("key", &most);
    if fixture.keeps() {
        let error = fixture.backend().incr("key", 1).expect_err("the sum does not fit");
        assert_eq!(error.kind(), ErrorKind::NotAnInteger);
    }
    assert_eq!(fixture.get("key"), fixture.kept(&most));
}

/// Counting is no new life.
pub fn incr_keeps_the_deadline(fixture: &Fixture) {
    fixture.set_for("key", "1", fixture.unit());
    if fixture.keeps() {
        assert_eq!(fixture.backend().incr("key", 1).ok(), Some(2));
    }
    fixture.outlive(fixture.unit());
    assert_eq!(fixture.get("key"), None);
}

/// A counter without a timeout gets none from counting.
pub fn incr_keeps_never(fixture: &Fixture) {
    fixture.set_for("key", "1", fixture.unit());
    fixture.touch("key", Life::Never);
    if fixture.keeps() {
        assert_eq!(fixture.backend().incr("key", 1).ok(), Some(2));
    }
    fixture.outlive(fixture.unit());
    assert_eq!(fixture.get("key"), fixture.kept("2"));
}
