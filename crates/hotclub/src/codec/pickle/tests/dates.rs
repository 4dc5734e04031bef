//! Dates and times: as Python objects, and as text elsewhere.
use super::*;

#[test]
fn a_fold_survives_in_every_format() {
    let folded = moment().with_fold(true);
    makes_the_round_trip(folded, "datetime.datetime(2026, 10, 25, 2, 30, fold=1)");
    let json = serde_json::to_string(&folded).unwrap();
    assert_eq!(json, "\"2026-10-25T02:30:00[fold=1]\"");
    assert_eq!(serde_json::from_str::<DateTime>(&json).unwrap(), folded);
}

#[test]
fn dates_are_text_in_other_formats() {
    let dates = (moment().with_offset(3600).unwrap(), Date::new(2024, 2, 29).unwrap());
    let json = serde_json::to_string(&dates).unwrap();
    assert_eq!(json, r#"["2026-10-25T02:30:00+01:00","2024-02-29"]"#);
    assert_eq!(serde_json::from_str::<(DateTime, Date)>(&json).unwrap(), dates);
    let packed = rmp_serde::to_vec(&dates).unwrap();
    assert_eq!(rmp_serde::from_slice::<(DateTime, Date)>(&packed).unwrap(), dates);
}

#[test]
fn texts_of_dates_are_checked() {
    let good = ["2026-01-02T03:04:05", "2026-01-02T03:04:05.000006+23:59:59", "0001-01-01T00:00:00-00:00:01"];
    for text in good {
        assert_eq!(text.parse::<DateTime>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "2026-01-02",
        "2026-01-02T24:00",
        "2026-01-02T00:00+24:00",
        "2026-01-02T00:00Zx",
        "2026-1-2T00:00",
    ] {
        assert!(text.parse::<DateTime>().is_err(), "{text}");
    }
    for text in ["2025-02-29", "1900-02-29", "0000-01-01", "2026-13-01", "2026-00-01", "2026-04-31"] {
        assert!(text.parse::<Date>().is_err(), "{text}");
    }
}
