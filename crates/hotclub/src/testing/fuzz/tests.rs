//! Every body over a few thousand inputs: random ones, and good ones with a few bytes changed.
use super::*;
use crate::testing::Random;

const ROUNDS: usize = 3_000;

fn over_random_input(body: fn(&[u8]), seed: u64, most: usize) {
    let mut random = Random::new(seed);
    body(&[]);
    for _ in 0..ROUNDS {
        body(&random.bytes(most));
    }
}

fn over_damaged_input(body: fn(&[u8]), seed: u64, good: &[Vec<u8>]) {
    let mut random = Random::new(seed);
    for round in 0..ROUNDS {
        let mut data = good[round % good.len()].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(data.len());
            match random.below(4) {
                0 => data.truncate(at + 1),
                1 => data.insert(at, random.word() as u8),
                2 => data.extend_from_within(at..),
                _ => data[at] = random.word() as u8,
            }
        }
        body(&data);
    }
}

#[test]
fn keys_of_random_parts_hold_their_promises() {
    over_random_input(keys, 1, 300);
}

#[test]
fn codecs_over_random_input_hold_their_promises() {
    over_random_input(codecs, 2, 60);
}

#[test]
fn codecs_over_damaged_values_hold_their_promises() {
    let mixed = Mixed::from([("é".to_owned(), (Some(1.5), vec![1, 2, 255], -7))]);
    let good = [Codec::MessagePack, Codec::Json, Codec::Pickle].map(|codec| {
        let (bytes, flags) = codec.encode(&mixed).expect("data of plain types");
        [&flags.0.to_be_bytes()[..], &bytes].concat()
    });
    over_damaged_input(codecs, 3, &good);
}

#[test]
fn pickles_of_random_bytes_hold_their_promises() {
    over_random_input(pickle, 4, 80);
}

#[test]
fn damaged_pickles_hold_their_promises() {
    let item = |n: i128| Value::Tuple(vec![Value::Int(n), Value::Str("swing".into()), Value::Float(0.5)]);
    let pairs = vec![(Value::Str("a".into()), item(1)), (Value::Int(2), Value::List(vec![item(2); 3]))];
    let values = [
        Value::Dict(pairs),
        Value::Set(vec![Value::Bytes(vec![0, 255]), Value::None, Value::Bool(true)]),
        Value::FrozenSet(vec![Value::Int(i128::MAX), Value::Int(-1)]),
    ];
    let good = values.map(|value| pickle::to_vec(&value).expect("data of plain types"));
    over_damaged_input(pickle, 5, &good);
}

#[cfg(feature = "memory")]
#[test]
fn random_verbs_over_memory_agree_with_the_model() {
    let mut random = Random::new(6);
    for _ in 0..300 {
        memory(&random.bytes(600));
    }
}

#[cfg(feature = "memcached-blocking")]
#[test]
fn replies_of_random_bytes_hold_their_promises() {
    over_random_input(memcached_replies, 7, 80);
}

#[cfg(feature = "memcached-blocking")]
#[test]
fn damaged_replies_hold_their_promises() {
    let good: [&[u8]; 7] = [
        b"\x01VA 5 f16 c7 t-1 O3 W X\r\na\r\nb \r\nEN\r\nHD\r\nMN\r\n",
        b"\x02VALUE :1:a 16 2\r\nhi\r\nVALUE :1:c 2 1 99\r\n7\r\nEND\r\nNS\r\nEX\r\n",
        b"\x03VALUE k 0 3\r\nEND\r\nEND\r\nVA 0 t60\r\n\r\nHD O3 c5\r\n",
        b"\x04SERVER_ERROR object too large for cache\r\n18446744073709551615\r\nERROR\r\n",
        b"\x05VERSION 1.6.18\r\nCLIENT_ERROR bad\r\nVA 2 f1\r\n\r\n\r\nSTORED\r\n",
        b"\x06HD\r\nVA 18446744073709551615 f0\r\nVALUE k 0 18446744073709551000\r\n",
        b"\x07VALUE a 1 4\r\nVA 1\r\nVALUE b 0 0\r\n\r\nSERVER_ERROR out of memory\r\n9\r\n",
    ];
    over_damaged_input(memcached_replies, 8, &good.map(<[u8]>::to_vec));
}
