//! Many threads at one store, at full speed.
use super::*;
use crate::backend::{Backend, Condition, GetOptions, SetOptions};
use crate::timeout::Life;
use bytes::Bytes;
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 8;

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
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn variants() -> [MemoryConfig; 3] {
    [MemoryConfig::bytes(8 << 20), MemoryConfig::bytes(8 << 20).with_shards(1), MemoryConfig::lru(1 << 20, 3)]
}

#[test]
fn eight_threads_count_exactly() {
    for config in variants() {
        let backend = MemoryBackend::new(config);
        let keys: Vec<String> = (0..4).map(|n| format!("counter{n}")).collect();
        for key in &keys {
            backend.set(key, Bytes::from_static(b"0"), &SetOptions::new(Life::Never)).unwrap();
        }
        together(|n| (0..5_000).for_each(|round| assert!(backend.incr(&keys[(n + round) % 4], 1).is_ok())));
        let sums = keys.iter().map(|key| backend.incr(key, 0).unwrap());
        assert_eq!(sums.collect::<Vec<_>>(), [10_000; 4]);
    }
}

#[test]
fn every_key_has_exactly_one_adder() {
    for config in variants() {
        let backend = MemoryBackend::new(config);
        let add = SetOptions::new(Life::Never).when(Condition::IfAbsent);
        let won = together(|_| {
            (0..5_000).filter(|n| backend.set(&format!("key{n}"), Bytes::new(), &add).unwrap()).count()
        });
        assert_eq!(won.iter().sum::<usize>(), 5_000, "{won:?}");
    }
}

#[test]
fn compare_and_set_loses_no_step() {
    let backend = MemoryBackend::default();
    backend.set("key", Bytes::from_static(b"0"), &SetOptions::new(Life::Never)).unwrap();
    let read = GetOptions { want_cas: true, ..GetOptions::default() };
    let step = || {
        let entry = backend.get("key", &read).unwrap().unwrap();
        let number: u64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
        let options = SetOptions::new(Life::Never).when(Condition::IfCas(entry.cas.unwrap()));
        backend.set("key", Bytes::from((number + 1).to_string()), &options).unwrap()
    };
    let steps: usize = together(|_| (0..2_000).filter(|_| step()).count()).iter().sum();
    assert_eq!(backend.incr("key", 0).unwrap(), steps as i128);
    assert!(steps >= 2_000, "somebody always gets on: {steps}");
}

#[test]
fn limits_hold_when_all_is_quiet_again() {
    for config in [
        MemoryConfig::bytes(50_000).with_shards(8),
        MemoryConfig::entries(100).with_shards(8),
        MemoryConfig::bytes(50_000).with_policy(Policy::Lru),
    ] {
        let backend = MemoryBackend::new(config.clone());
        together(|n| {
            for round in 0..3_000_usize {
                let value = Bytes::from(vec![n as u8; round * 37 % 4_000]);
                let key = format!("key{}", (round * 7 + n) % 300);
                backend.set(&key, value, &SetOptions::new(Life::Never)).unwrap();
                if round % 500 == 0 {
                    backend.clear(crate::backend::Scope::All).unwrap();
                }
                if let Some(entry) = backend.get(&key, &GetOptions::default()).unwrap() {
                    assert!(entry.value.windows(2).all(|pair| pair[0] == pair[1]), "a torn value");
                }
            }
        });
        let stats = backend.stats().unwrap();
        let ghosts = 64 << 10;
        assert!(stats.bytes <= 50_000 + ghosts || config.max_bytes().is_none(), "{stats}");
        assert!(stats.entries <= 100 || config.max_entries().is_none(), "{stats}");
        assert!(stats.entries > 0);
    }
}
