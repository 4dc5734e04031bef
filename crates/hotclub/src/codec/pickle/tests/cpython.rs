//! The judge: a real CPython writes what is read here, and reads what is written here.
use super::*;
use crate::codec::pickle::input::shortened;
use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

/// Writes each case at each protocol; or reads cases back and compares value and exact types.
const PEER: &str = r#"
import datetime, pickle, sys
from datetime import date, timedelta, timezone

class Same(str):
    "A case that is written byte for byte as CPython does."

moment = datetime.datetime(2026, 10, 25, 2, 30, 1, 65537)
CASES = [Same(case) for case in r"""
None|True|False|()|[]|{}|set()|frozenset()|''|b''
0|255|256|65535|65536|-1|-128|-32769|2**31-1|2**31|-2**31|-2**31-1|2**32|2**63|2**64|-2**63|-2**63-1
2**127-1|-2**127|-2**126|2**80|-2**80|128|-255|32768|-2**39|2**39
0.0|-0.0|1.5|-2.25|1e16|1e-5|1e300|5e-324|123456789012345.0|1e22|0.0001|float('inf')|float('-inf')|1/3
'hi'|'h\xe9'|'\u20ac \U0001f600'|'it\'s'|'"\''|'a\\b\n\r\t\x00\x7f\x1a\xa0'|'\\u0041'|'x'*255|'x'*256|'\xe9'*200
'x'*65535|'x'*65536|'\u20ac'*70000|['x'*65536,'y'*70000]|['x'*40000,'y'*40000,'z'*40000,1]|('x'*65536,)
b'ab'|bytes(range(256))|b'x'*65536|b'x'*300000|[b'x'*65530,b'y'*65536,None]|{'k':b'x'*100000}
(1,)|(1,2)|(1,2,3)|(1,2,3,4)|tuple(range(3000))|[1]|[1,2]|list(range(999))|list(range(1000))|list(range(1001))
list(range(2500))|{i:-i for i in range(2500)}|{i:i for i in range(1000)}|{'a':1}|{1:'a',(2,3):None,b'k':2.5}
{1}|{1,2,3}|set(range(1000))|set(range(2500))|frozenset({1})|frozenset(range(2500))|{(1,2)}|{frozenset({1})}
[[[]],[[1],(2,),{3:{4:[5]}}]]|['item %d'%i for i in range(20000)]|{'row %d'%i:[i,float(i)] for i in range(3000)}
moment|date(1,1,1)|date(9999,12,31)|datetime.datetime(1,1,1)|moment.replace(fold=1)|[moment,date(2024,2,29)]
moment.replace(tzinfo=timezone.utc)|moment.replace(tzinfo=timezone(timedelta(hours=-5)))
moment.replace(tzinfo=timezone(timedelta(seconds=5*3600+1800+7)),fold=1)
""".strip().replace("\n", "|").split("|")] + [
    "bytearray(b'ab')", "bytearray()", "bytearray(b'\\xff' * 70000)", "['ab'] * 2", "[[1]] * 3", "[{}] * 300",
    "(lambda t: [t, t, (t,)])((1, 'x', [None]))", "[moment.replace(tzinfo=timezone.utc)] * 2",
    "[moment.replace(tzinfo=timezone(timedelta(hours=h % 3))) for h in range(400)]", "['a', 'a', 'b', {'a': 'b'}]",
    "[moment, moment.date(), moment.replace(year=1970)]",
]

def written(case, protocol):
    return pickle.dumps(eval(case), protocol)

def kept(pickled):
    "What Python itself gets back: old protocols lose a fold. A bytearray may come back as bytes."
    value = pickle.loads(pickled)
    return bytes(value) if type(value) is bytearray else value

def same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a.items()), list(b.items()))
    if isinstance(a, datetime.datetime):
        return a == b and a.fold == b.fold and same(a.tzinfo, b.tzinfo)
    return repr(a) == repr(b) if isinstance(a, float) else a == b

# Which bytes a version writes is no promise of Python's; these are known to be all the same.
KNOWN = (3, 8) <= sys.version_info < (3, 14)

if sys.argv[1] == "write":
    for case in CASES:
        for protocol in range(6):
            judged = KNOWN and protocol == 5 and isinstance(case, Same)
            pickled = written(case, protocol)
            print(int(judged), pickled.hex(), ascii(kept(pickled)), sep="\t")
else:
    for line in sys.stdin:
        number, ours = line.split("\t")
        index, protocol = divmod(int(number), 6)
        theirs = written(CASES[index], protocol)
        assert same(pickle.loads(bytes.fromhex(ours)), kept(theirs)), CASES[index][:60]
"#;

/// A Python that knows protocol 5, or the reason why the test is skipped.
fn has_python() -> bool {
    let check = "import pickle, sys; sys.exit(pickle.HIGHEST_PROTOCOL < 5)";
    let found = Command::new("python3").args(["-c", check]).stderr(Stdio::null()).status();
    let found = found.is_ok_and(|status| status.success());
    assert!(found || env::var_os("CI").is_none(), "no python3 of 3.8 or later");
    if !found {
        eprintln!("skipped: no python3 of 3.8 or later");
    }
    found
}

fn peer(mode: &str, input: String) -> String {
    let mut peer = Command::new("python3")
        .args(["-X", "utf8", "-c", PEER, mode])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = peer.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = peer.wait_with_output().unwrap();
    assert!(output.status.success(), "python3 says no: see above");
    writer.join().unwrap().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// `repr` with what is not ASCII escaped, as Python's `ascii`.
fn ascii(value: &Value) -> String {
    let escaped = |char: char| match u32::from(char) {
        ..0x80 => char.to_string(),
        code @ 0x80..0x100 => format!("\\x{code:02x}"),
        code @ 0x100..0x1_0000 => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    };
    value.to_string().chars().map(escaped).collect()
}

#[test]
fn cpython_and_this_codec_read_each_other_at_every_protocol() {
    if !has_python() {
        return;
    }
    let mut written = String::new();
    for (line, case) in peer("write", String::new()).lines().enumerate() {
        let [judged, theirs, repr] = case.splitn(3, '\t').collect::<Vec<_>>().try_into().unwrap();
        let protocol = line % 6;
        let start = shortened(repr);
        let value =
            value_from_slice(&unhex(theirs)).unwrap_or_else(|error| panic!("{start} ({protocol}): {error}"));
        assert!(ascii(&value) == repr, "{start} ({protocol}) is read as {}", shortened(&ascii(&value)));
        let ours = hex(&to_vec(&value).unwrap());
        assert!(judged == "0" || ours == theirs, "{start} is not written as CPython does");
        written += &format!("{line}\t{ours}\n");
    }
    peer("read", written);
}
