//! Several threads at one backend.
use super::Fixture;
use crate::backend::{Condition, SetOptions};
use crate::timeout::Life;
use bytes::Bytes;
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 8;
const ROUNDS: usize = 50;

/// Runs `work` on threads that start together; what each returned.
fn together<R: Send>(work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        let start = |n| {
            let (barrier, work) = (&barrier, &work);
            scope.spawn(move || {
                barrier.wait();
                work(n)
            })
        };
        let running: Vec<_> = (0..THREADS).map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}

/// For every key exactly one of the threads adds, and its value is the one that stays.
pub fn threads_add_with_exactly_one_winner(fixture: &Fixture) {
    let won = together(|n| {
        let add =
            |round: &usize| fixture.set_when(&format!("key{round}"), &n.to_string(), Condition::IfAbsent);
        (0..ROUNDS).filter(add).collect::<Vec<_>>()
    });
    for round in 0..ROUNDS {
        let winners: Vec<_> = (0..THREADS).filter(|&n| won[n].contains(&round)).collect();
        if fixture.keeps() {
            assert_eq!(winners.len(), 1, "key{round} was added by {winners:?}");
            assert_eq!(fixture.get(&format!("key{round}")), Some(winners[0].to_string()));
        } else {
            assert_eq!(winners.len(), THREADS);
        }
    }
}

/// Where `incr` is atomic, every sum is seen once and the last one is exact.
pub fn threads_increment_without_losing_any(fixture: &Fixture) {
    if !fixture.can().atomic_incr {
        return;
    }
    fixture.set("key", "0");
    let sums = together(|_| {
        (0..ROUNDS).map(|_| fixture.backend().incr("key", 1).expect("incr")).collect::<Vec<_>>()
    });
    let mut sums: Vec<i128> = sums.into_iter().flatten().collect();
    sums.sort_unstable();
    assert_eq!(sums, (1..=(THREADS * ROUNDS) as i128).collect::<Vec<_>>());
}

/// Readers see whole values of the key they asked for, while writers write and delete.
pub fn threads_read_only_what_was_written(fixture: &Fixture) {
    let hits: usize = together(|n| {
        let mut hits = 0;
        for round in 0..ROUNDS * 4 {
            let key = format!("key{}", (round + n) % 5);
            match (n + round) % 4 {
                0 => {
                    let text = format!("{key} by {n} ").repeat(1 + round % 40);
                    fixture
                        .backend()
                        .set(&key, Bytes::from(text), &SetOptions::new(Life::Never))
                        .expect("set");
                }
                1 if round % 16 == 1 => {
                    fixture.delete(&key);
                }
                _ => {
                    let Some(text) = fixture.get(&key) else { continue };
                    let writer = text.split(' ').nth(2).expect("the writer's number");
                    let unit = format!("{key} by {writer} ");
                    assert_eq!(text, unit.repeat(text.len() / unit.len()), "a torn or foreign value");
                    hits += 1;
                }
            }
        }
        hits
    })
    .into_iter()
    .sum();
    assert_eq!(hits > 0, fixture.keeps());
}
