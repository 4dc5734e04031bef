//! Golden bytes of Django, and what serde types become and are made of.
use super::*;
use crate::error::ErrorKind;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Debug;

mod cpython;
mod dates;
mod hostile;

/// Values by their Python `repr`, and what `pickle.dumps(value, 5)` of CPython 3.13 gives.
const GOLDEN: &[(&str, &str)] = &[
    ("None", "80054e2e"),
    ("True", "8005882e"),
    ("False", "8005892e"),
    ("42", "80054b2a2e"),
    ("256", "80059504000000000000004d00012e"),
    ("-1", "80059506000000000000004affffffff2e"),
    ("2147483648", "80059508000000000000008a0500000080002e"),
    ("1.5", "8005950a00000000000000473ff80000000000002e"),
    ("'hi'", "80059506000000000000008c026869942e"),
    ("'é'", "80059506000000000000008c02c3a9942e"),
    ("''", "80059504000000000000008c00942e"),
    ("b'ab'", "800595060000000000000043026162942e"),
    ("(1, 'a')", "80059509000000000000004b018c01619486942e"),
    ("()", "8005292e"),
    ("(1,)", "80059505000000000000004b0185942e"),
    ("[1, 2]", "80059509000000000000005d94284b014b02652e"),
    ("[]", "80055d942e"),
    ("{'a': 1}", "8005950a000000000000007d948c0161944b01732e"),
    ("{}", "80057d942e"),
    ("{1}", "80059507000000000000008f94284b01902e"),
    ("frozenset({1})", "8005950600000000000000284b0191942e"),
    (
        "datetime.datetime(2026, 1, 2, 3, 4, 5)",
        "8005952a000000000000008c086461746574696d65948c086461746574696d65949394\
         430a07ea010203040500000094859452942e",
    ),
];

/// One object twice: written by CPython only.
const SHARED: &str = "8005950c000000000000005d94288c026162946801652e";

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("hexadecimal") as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What Python would print for a value of Rust.
fn python<T: Serialize>(value: T) -> String {
    value_from_slice(&to_vec(&value).unwrap()).unwrap().to_string()
}

#[track_caller]
fn makes_the_round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, shown: &str) {
    let bytes = to_vec(&value).unwrap();
    assert_eq!(value_from_slice(&bytes).unwrap().to_string(), shown);
    assert_eq!(from_slice::<T>(&bytes).unwrap(), value);
}

/// A value of serde from what Python prints as the same JSON.
fn read<T: DeserializeOwned>(json: &str) -> Result<T> {
    let value: Value = serde_json::from_str(json).unwrap();
    from_slice(&to_vec(&value).unwrap())
}

fn moment() -> DateTime {
    DateTime::new(Date::new(2026, 10, 25).unwrap(), 2, 30, 0).unwrap()
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct City {
    name: String,
    position: (f64, f64),
    founded: Option<Date>,
    seen: DateTime,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Line(i8, i8),
    Square { side: u8 },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Meters(u128);

#[test]
fn golden_values_are_read_and_written_byte_for_byte() {
    for (shown, golden) in GOLDEN {
        let value = value_from_slice(&unhex(golden)).unwrap();
        assert_eq!(value.to_string(), *shown);
        assert_eq!(hex(&to_vec(&value).unwrap()), *golden, "{shown}");
    }
}

#[test]
fn an_object_that_is_held_twice_is_read_twice() {
    assert_eq!(from_slice::<Vec<String>>(&unhex(SHARED)).unwrap(), ["ab", "ab"]);
    let one_list_twice = b"\x80\x02]q\x00(]q\x01K\x01ah\x01e.";
    assert_eq!(from_slice::<Vec<Vec<u8>>>(one_list_twice).unwrap(), [[1], [1]]);
}

#[test]
fn a_list_that_grows_after_it_was_remembered_is_read_whole() {
    assert_eq!(value_from_slice(b"]q\x00]q\x01h\x00aK\x07a0h\x00K\x05a.").unwrap().to_string(), "[5]");
}

#[test]
fn bytes_after_the_end_are_ignored() {
    assert_eq!(from_slice::<u8>(b"\x80\x05K\x2a.garbage").unwrap(), 42);
}

#[test]
fn a_struct_is_a_dict_with_real_dates() {
    let city = City {
        name: "Wien".into(),
        position: (48.5, 16.25),
        founded: Date::new(1, 2, 3),
        seen: moment().with_microsecond(7).unwrap().with_offset(-5400).unwrap(),
    };
    let shown = "{'name': 'Wien', 'position': (48.5, 16.25), 'founded': datetime.date(1, 2, 3), \
                 'seen': datetime.datetime(2026, 10, 25, 2, 30, 0, 7, \
                 tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=81000)))}";
    makes_the_round_trip(city, shown);
}

#[test]
fn enums_are_written_as_in_json() {
    let shapes = vec![Shape::Point, Shape::Circle(0.5), Shape::Line(1, -1), Shape::Square { side: 2 }];
    makes_the_round_trip(shapes, "['Point', {'Circle': 0.5}, {'Line': (1, -1)}, {'Square': {'side': 2}}]");
}

#[test]
fn wrappers_are_transparent() {
    makes_the_round_trip(Some(Meters(5)), "5");
    makes_the_round_trip((None::<u8>, (), 'é'), "(None, None, 'é')");
    makes_the_round_trip(BTreeMap::from([((1, 2), "a".to_owned())]), "{(1, 2): 'a'}");
}

#[test]
fn integers_of_128_bits_make_the_round_trip() {
    makes_the_round_trip(i128::MIN, "-170141183460469231731687303715884105728");
    makes_the_round_trip(i128::MAX, "170141183460469231731687303715884105727");
    let bytes = to_vec(&Meters(u128::MAX)).unwrap();
    assert_eq!(from_slice::<Meters>(&bytes).unwrap(), Meters(u128::MAX));
    assert_eq!(from_slice::<f64>(&bytes).unwrap(), u128::MAX as f64);
    assert!(
        value_from_slice(&bytes).unwrap_err().message().contains("340282366920938463463374607431768211455")
    );
}

#[test]
fn names_that_come_again_are_written_once() {
    let shapes = vec![Shape::Point, Shape::Point];
    assert_eq!(hex(&to_vec(&shapes).unwrap()), "8005950f000000000000005d94288c05506f696e74946801652e");
}

#[test]
fn a_reader_is_forgiving() {
    assert_eq!(read::<(u8, f32, char)>(r#"[1, 2, "x"]"#).unwrap(), (1, 2.0, 'x'));
    assert_eq!(read::<Vec<Option<i64>>>("[null, 3]").unwrap(), [None, Some(3)]);
    let bytes = to_vec(&Value::Bytes(vec![1, 255])).unwrap();
    assert_eq!(from_slice::<Vec<u8>>(&bytes).unwrap(), [1, 255]);
    let set = to_vec(&Value::FrozenSet(vec![Value::Int(1)])).unwrap();
    assert_eq!(from_slice::<Vec<u8>>(&set).unwrap(), [1]);
    assert_eq!(from_slice::<String>(&to_vec(&moment()).unwrap()).unwrap(), "2026-10-25T02:30:00");
    let text = to_vec("2026-10-25 02:30:00Z").unwrap();
    assert_eq!(from_slice::<DateTime>(&text).unwrap(), moment().with_offset(0).unwrap());
}

#[test]
fn a_wrong_type_is_an_error_that_says_what_was_found_and_wanted() {
    let message = |error: crate::error::Error| {
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        error.message().to_owned()
    };
    let error = message(read::<Vec<u8>>(r#"["a"]"#).unwrap_err());
    assert_eq!(error, "invalid type: string \"a\", expected u8");
    let error = message(read::<u8>("256").unwrap_err());
    assert_eq!(error, "invalid value: integer `256`, expected u8");
    let error = message(read::<(u8, u8)>("[1, 2, 3]").unwrap_err());
    assert_eq!(error, "invalid length 3, expected 2 items");
    let error = message(read::<Shape>(r#""Cube""#).unwrap_err());
    assert!(error.starts_with("unknown variant `Cube`, expected one of"), "{error}");
    let error = message(read::<Shape>(r#""Circle""#).unwrap_err());
    assert!(error.starts_with("a bare name was found"), "{error}");
    let error = message(read::<DateTime>(r#""2026-02-30T00:00""#).unwrap_err());
    assert_eq!(error, "\"2026-02-30T00:00\" is no date and time in ISO 8601");
}

#[test]
fn what_python_cannot_hash_is_no_key() {
    for error in [
        to_vec(&BTreeMap::from([(vec![1], 1)])).unwrap_err(),
        to_vec(&Value::Set(vec![Value::Tuple(vec![Value::List(vec![])])])).unwrap_err(),
        to_vec(&Value::Dict(vec![(Value::Dict(vec![]), Value::None)])).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.message().contains("can be no key of a Python dict"), "{error}");
    }
    assert_eq!(python(BTreeMap::from([((), vec![1])])), "{None: [1]}");
}

#[test]
fn a_value_that_is_too_deep_is_not_written() {
    let deep = |levels| (1..levels).fold(Value::List(vec![]), |inner, _| Value::List(vec![inner]));
    assert_eq!(value_from_slice(&to_vec(&deep(MAX_DEPTH)).unwrap()).unwrap(), deep(MAX_DEPTH));
    assert_eq!(to_vec(&deep(MAX_DEPTH + 1)).unwrap_err().kind(), ErrorKind::Encode);
}

#[test]
fn any_value_of_json_and_message_pack_is_a_value() {
    let json = r#"{"a":[1,-2,0.5,null,true,"x"]}"#;
    let value: Value = serde_json::from_str(json).unwrap();
    assert_eq!(value.to_string(), "{'a': [1, -2, 0.5, None, True, 'x']}");
    assert_eq!(serde_json::to_string(&value).unwrap(), json);
    let packed = rmp_serde::to_vec(&value).unwrap();
    assert_eq!(rmp_serde::from_slice::<Value>(&packed).unwrap(), value);
}
