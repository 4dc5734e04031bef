//! Bytes that no pickler has written: an error each, soon, and without much memory.
use super::*;
use std::time::{Duration, Instant};

/// Pickles of older protocols, to break them in pieces too.
const OLD: &[&[u8]] = &[
    b"(dp0\nVa\\u00e9\np1\n(lp2\nI1\naL12345678901L\naF1.5\nasS'x\\n'\nI01\nsNNs.",
    b"c_codecs\nencode\n(V\xff\nVlatin1\ntR.",
    b"\x80\x02c__builtin__\nset\n]q\x00(K\x01K\x02e\x85Rq\x01.",
    b"\x80\x03cdatetime\ndatetime\nC\n\x07\xea\x01\x02\x03\x04\x05\0\0\0cdatetime\ntimezone\n\
      cdatetime\ntimedelta\nK\0M\x10\x0eK\0\x87R\x85R\x86R.",
];

fn seeds() -> Vec<Vec<u8>> {
    let golden = GOLDEN.iter().map(|(_, golden)| unhex(golden));
    golden.chain(OLD.iter().map(|old| old.to_vec())).chain([unhex(SHARED)]).collect()
}

#[track_caller]
fn refused(bytes: &[u8], because: &str) {
    let start = Instant::now();
    let error = value_from_slice(bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().contains(because), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// Marsaglia's xorshift: the same numbers in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(bytes.len());
        match self.below(4) {
            0 => bytes[at] = self.below(256) as u8,
            1 => bytes[at] ^= 1 << self.below(8),
            2 => bytes.insert(at, self.below(256) as u8),
            _ if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => (),
        }
    }
}

#[test]
fn the_seeds_are_sound() {
    for seed in seeds() {
        value_from_slice(&seed).unwrap();
    }
}

#[test]
fn a_truncated_pickle_is_an_error() {
    for seed in seeds() {
        for end in 0..seed.len() {
            assert!(value_from_slice(&seed[..end]).is_err(), "{:02x?} up to {end}", seed);
        }
    }
}

#[test]
fn mutations_never_panic() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for seed in seeds() {
        for _ in 0..4000 {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(4) {
                random.mutate(&mut bytes);
            }
            if let Ok(value) = value_from_slice(&bytes) {
                let _ = (to_vec(&value), value.to_string());
            }
            let _ = from_slice::<City>(&bytes);
            let _ = from_slice::<Vec<Shape>>(&bytes);
            let _ = from_slice::<BTreeMap<String, DateTime>>(&bytes);
        }
    }
}

#[test]
fn a_memo_bomb_is_refused_before_it_grows() {
    let mut bytes = b"]q\x00".to_vec();
    for level in 1..100 {
        bytes.extend([b']', b'q', level, b'(']);
        bytes.extend([b'h', level - 1].repeat(10));
        bytes.push(b'e');
    }
    bytes.push(b'.');
    refused(&bytes, "out of proportion");
}

#[test]
fn a_long_text_is_not_copied_without_end() {
    let mut bytes = vec![b'(', b'X'];
    bytes.extend(1_000_000_u32.to_le_bytes());
    bytes.resize(bytes.len() + 1_000_000, b'x');
    bytes.extend(b"q\x00");
    bytes.extend(b"h\x00".repeat(100_000));
    bytes.extend(b"l.");
    refused(&bytes, "out of proportion");
}

#[test]
fn a_long_list_is_not_made_a_set_without_end() {
    let mut bytes = b"c__builtin__\nset\nq\x00((".to_vec();
    bytes.resize(bytes.len() + 300_000, b'N');
    bytes.extend(b"l\x85q\x01");
    bytes.extend(b"h\x00h\x01R".repeat(100_000));
    bytes.extend(b"l.");
    refused(&bytes, "out of proportion");
}

#[test]
fn a_list_that_holds_itself_is_refused() {
    refused(b"]q\x00h\x00a.", "holds itself");
    refused(b"]q\x00(NNNh\x00h\x00e.", "holds itself");
    refused(b"}q\x00K\x01h\x00s.", "holds itself");
}

#[test]
fn deep_nesting_is_refused() {
    for (open, close) in [(b']', b'a'), (b')', 0x85)] {
        let mut bytes = match open {
            b']' => vec![b']'; 100_000],
            _ => vec![b')'],
        };
        bytes.extend([close].repeat(99_999));
        bytes.push(b'.');
        refused(&bytes, "nests deeper");
    }
}

#[test]
fn a_type_without_end_is_refused() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "never made")]
    struct Endless(Option<Box<Endless>>);
    let error = from_slice::<Endless>(b"K\x01.").unwrap_err();
    assert!(error.message().contains("nests deeper"), "{error}");
}

#[test]
fn lengths_and_numbers_are_not_believed() {
    refused(b"\x8e\xff\xff\xff\xff\xff\xff\xff\xff.", "the pickle ends");
    refused(b"\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.", "the pickle ends");
    refused(b"B\xff\xff\xff\xff.", "the pickle ends");
    refused(b"Nr\xff\xff\xff\xff.", "of its memo");
    refused(b"Np99999999999999999999\n.", "as a number");
    refused(
        b"\x8a\x11\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01.",
        "an int of 17 bytes",
    );
    refused(format!("I{}\n.", "9".repeat(5000)).as_bytes(), "5000 decimal digits");
}

#[test]
fn the_stack_is_not_left() {
    for bytes in
        [&b"."[..], b"a.", b"(.", b"N(.", b"t.", b"N\x86.", b"N(\x85.", b"0.", b"NK\x01a.", b"](Ns.", b"N(e."]
    {
        assert!(value_from_slice(bytes).is_err(), "{bytes:?}");
    }
    refused(b"}(Nu.", "a key without a value");
    refused(b"(Nd.", "a key without a value");
    refused(b"(h\x07l.", "nothing under number 7");
}

#[test]
fn another_class_is_named() {
    refused(
        b"cdecimal\nDecimal\n(V1.5\ntR.",
        "the pickle holds a decimal.Decimal, which this codec does not read",
    );
    refused(b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R.", "holds a os.system, which");
    refused(
        b"ccopy_reg\n_reconstructor\n(c__main__\nFoo\nc__builtin__\nobject\nNtR.",
        "a __main__.Foo, which",
    );
    refused(b"(iposix\nsystem\n.", "a posix.system, which");
    refused(b"cdatetime\ntimedelta\n(K\x01K\x01K\x01tR.", "a datetime.timedelta, which");
    refused(b"c__builtin__\nset\n.", "a class, builtins.set, which");
    refused(b"\x80\x06N.", "protocol 6");
    refused(b"Nb.", "opcode 0x62 at byte 1");
}

#[test]
fn impossible_dates_are_refused() {
    let datetime = |state: &[u8; 10]| [&b"\x80\x03cdatetime\ndatetime\nC\x0a"[..], state, b"\x85R."].concat();
    value_from_slice(&datetime(b"\x07\xea\x01\x02\x03\x04\x05\x0f\x42\x3f")).unwrap();
    refused(&datetime(b"\x07\xea\x02\x1e\x03\x04\x05\0\0\0"), "a datetime.datetime of arguments");
    refused(&datetime(b"\x07\xea\x01\x02\x03\x04\x05\xff\xff\xff"), "a datetime.datetime of arguments");
    refused(b"cdatetime\ndate\n(C\x04\0\0\x01\x01tR.", "a datetime.date of arguments");
}
