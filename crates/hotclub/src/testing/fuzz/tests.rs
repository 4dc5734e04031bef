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
