//! Random verbs against a plain map: every answer is the map's.
use super::*;
use crate::testing::op::{Check, decode, run};
use crate::testing::{ManualClock, Random};

const SEQUENCES: u64 = 12;

fn agrees(server: Shared, layout: &str) {
    for seed in 0..SEQUENCES {
        let mut random = Random::new(seed);
        let bytes = random.bytes(900);
        let hand = ManualClock::new();
        let url = format!("{}?layout={layout}&table={}", server.url(), plain_table());
        let backend = ServerBackend::with_clock(config(&url), hand.clock()).unwrap();
        let ops = decode(&bytes);
        if let Err(difference) = run(&ops, &backend, &hand, Check::Exact) {
            panic!("{layout}, seed {seed}: {difference}\n{ops:#?}");
        }
    }
}

#[test]
fn a_table_is_a_map_with_deadlines() {
    Shared::all("a_table_is_a_map_with_deadlines").into_iter().for_each(|server| agrees(server, "own"));
}

#[test]
fn a_table_of_django_is_a_map_with_deadlines() {
    Shared::all("a_table_of_django_is_a_map_with_deadlines")
        .into_iter()
        .for_each(|server| agrees(server, "django"));
}
