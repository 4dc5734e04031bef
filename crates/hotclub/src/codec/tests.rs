//! Every codec, round and back; what each refuses.
use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Album {
    title: String,
    year: u16,
    rating: Option<f64>,
    tracks: Vec<String>,
    notes: BTreeMap<String, i64>,
}

fn album() -> Album {
    Album {
        title: "Minor Swing".into(),
        year: 1937,
        rating: Some(4.5),
        tracks: vec!["é".into(), String::new()],
        notes: BTreeMap::from([("a".into(), -1), ("b".into(), i64::MAX)]),
    }
}

const TYPED: &[Codec] = &[
    Codec::MessagePack,
    #[cfg(feature = "json")]
    Codec::Json,
    Codec::Pickle,
];

#[test]
fn structs_come_back_equal() {
    for &codec in TYPED {
        let (bytes, flags) = codec.encode(&album()).unwrap();
        assert_eq!(Codec::decode::<Album>(&bytes, flags).unwrap(), album(), "{codec}");
    }
}

#[test]
fn whole_numbers_are_digits_under_every_codec() {
    for codec in [Codec::MessagePack, Codec::Pickle, Codec::Raw] {
        for number in [0_i64, 42, -7, i64::MIN, i64::MAX] {
            let (bytes, flags) = codec.encode(&number).unwrap();
            assert_eq!((&bytes[..], flags), (number.to_string().as_bytes(), Flags::INTEGER));
            assert_eq!(Codec::decode::<i64>(&bytes, flags).unwrap(), number);
            assert_eq!(Codec::decode::<Option<i128>>(&bytes, flags).unwrap(), Some(number.into()));
        }
        let (bytes, flags) = codec.encode(&u64::MAX).unwrap();
        assert_eq!(Codec::decode::<u64>(&bytes, flags).unwrap(), u64::MAX);
        assert_eq!(Codec::decode::<u8>(&bytes, flags).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_bool_is_no_whole_number() {
    for &codec in TYPED {
        let (bytes, flags) = codec.encode(&true).unwrap();
        assert_ne!(flags, Flags::INTEGER);
        assert!(Codec::decode::<bool>(&bytes, flags).unwrap());
    }
}

#[test]
fn reading_goes_by_what_was_written() {
    let (bytes, flags) = Codec::Pickle.encode("hi").unwrap();
    assert_eq!(flags, Flags::PICKLE);
    assert_eq!(Codec::decode::<String>(&bytes, flags).unwrap(), "hi");
    assert_eq!(Codec::decode::<String>(b"hi", Flags::TEXT).unwrap(), "hi");
    // Who takes anything gets what it was, and writes the same again.
    let any = |flags| Codec::decode::<pickle::Value>(b"12", flags).unwrap();
    assert_eq!(any(Flags::TEXT), pickle::Value::Str("12".into()));
    assert_eq!(any(Flags::RAW), pickle::Value::Bytes(b"12".to_vec()));
    assert!(Codec::decode::<pickle::Value>(b"\xff", Flags::TEXT).is_err());
}

#[test]
fn raw_takes_bytes_and_text_as_they_are() {
    let (bytes, flags) = Codec::Raw.encode(&vec![1_u8, 0, 255]).unwrap();
    assert_eq!((&bytes[..], flags), (&[1, 0, 255][..], Flags::RAW));
    assert_eq!(Codec::decode::<Vec<u8>>(&bytes, flags).unwrap(), [1, 0, 255]);
    let (bytes, flags) = Codec::Raw.encode("swing").unwrap();
    assert_eq!((&bytes[..], flags), (&b"swing"[..], Flags::TEXT));
    assert_eq!(Codec::Raw.encode(&album()).unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(Codec::Raw.encode(&vec![256]).unwrap_err().kind(), ErrorKind::Encode);
    assert_eq!(Codec::decode::<String>(&[255], Flags::RAW).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn bytes_that_are_no_value_are_an_error() {
    for flags in [Flags::MESSAGE_PACK, Flags::JSON, Flags::PICKLE, Flags::INTEGER, Flags(1 << 30)] {
        let error = Codec::decode::<Album>(b"\xc1\xff no value", flags).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{flags:?}");
    }
}

#[test]
fn an_unknown_codec_names_the_known_ones() {
    let error = "yaml".parse::<Codec>().unwrap_err().to_string();
    assert!(error.contains("messagepack") && error.contains("django"), "{error}");
}
