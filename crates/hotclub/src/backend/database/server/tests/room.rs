//! Limits: Django's counts, exact for one process; what is over goes by itself.
use super::*;
use crate::testing::ManualClock;

fn limited(server: Shared, layout: &str, limit: &str, table: &str) -> (ServerBackend, ManualClock) {
    let hand = ManualClock::new();
    let url = format!("{}?layout={layout}&table={table}&{limit}", server.url());
    (ServerBackend::with_clock(config(&url), hand.clock()).unwrap(), hand)
}

fn rows(server: Shared, table: &str) -> i64 {
    server.sql(&format!("SELECT COUNT(*) FROM \"{table}\"")).parse().unwrap()
}

#[test]
fn a_write_that_finds_the_limit_reached_culls_first() {
    for server in Shared::all("a_write_that_finds_the_limit_reached_culls_first") {
        for layout in ["own", "django"] {
            for (limit, written, left) in
                [("max_entries=30", 50, 30), ("max_entries=30&cull_frequency=0", 49, 19)]
            {
                let table = plain_table();
                let (backend, _) = limited(server, layout, limit, &table);
                for number in 1..=written {
                    set(&backend, &format!("key{number}"), "1").unwrap();
                    assert!(rows(server, &table) <= 30, "{limit}");
                }
                assert_eq!(rows(server, &table), left, "{layout} {limit}");
                assert_eq!(backend.stats().unwrap().culled as i64, written - left);
            }
        }
    }
}

#[test]
fn entries_over_go_before_those_that_live_and_those_unused_for_longest_before_others() {
    for server in Shared::all("entries_over_go_before_those_that_live") {
        let table = plain_table();
        let (backend, hand) = limited(server, "own", "max_entries=9&cull_frequency=3", &table);
        let short = SetOptions::new(Life::For(Duration::from_secs(5)));
        for number in 0..3 {
            backend.set(&format!("short{number}"), Bytes::from_static(b"1"), &short).unwrap();
        }
        for number in 0..6 {
            set(&backend, &format!("key{number}"), "1").unwrap();
            hand.advance(Duration::from_secs(1));
        }
        // The limit is reached, and those that are over make room enough.
        set(&backend, "key6", "1").unwrap();
        let stats = backend.stats().unwrap();
        assert_eq!((stats.expired, stats.culled, stats.entries), (3, 0, 7));
        set(&backend, "key7", "1").unwrap();
        set(&backend, "key8", "1").unwrap();
        backend.touch("key0", Life::Never).unwrap();
        hand.advance(Duration::from_secs(1));
        set(&backend, "key9", "1").unwrap();
        assert_eq!(backend.stats().unwrap().culled, 3);
        let is_there = |number: usize| get(&backend, &format!("key{number}")).unwrap().is_some();
        assert!(is_there(0) && ![1, 2, 3].into_iter().any(is_there) && (4..=9).all(is_there));
    }
}

#[test]
fn reads_are_uses_too() {
    for server in Shared::all("reads_are_uses_too") {
        let table = plain_table();
        let (backend, hand) = limited(server, "own", "max_entries=6&cull_frequency=2", &table);
        for number in 0..6 {
            set(&backend, &format!("key{number}"), "1").unwrap();
            hand.advance(Duration::from_secs(1));
        }
        hand.advance(Duration::from_secs(60));
        let read = |number: usize| get(&backend, &format!("key{number}")).unwrap().is_some();
        assert!(read(0) && read(2));
        let peeked = backend.get("key1", &GetOptions::peek()).unwrap();
        assert!(peeked.is_some());
        set(&backend, "key6", "1").unwrap();
        let left: Vec<usize> = (0..=6).filter(|number| read(*number)).collect();
        assert_eq!(left, [0, 2, 5, 6]);
    }
}

#[test]
fn writing_over_an_entry_takes_no_room() {
    for server in Shared::all("writing_over_an_entry_takes_no_room") {
        for layout in ["own", "django"] {
            let table = plain_table();
            let (backend, _) = limited(server, layout, "max_entries=10", &table);
            for number in 0..60 {
                set(&backend, &format!("key{}", number % 5), &number.to_string()).unwrap();
            }
            let many = |from: usize| {
                let keys: Vec<String> = (from..from + 3).map(|number| format!("key{number}")).collect();
                let items: Vec<_> = keys
                    .iter()
                    .map(|key| crate::backend::Item {
                        key,
                        value: Bytes::from_static(b"x"),
                        flags: Flags::RAW,
                    })
                    .collect();
                backend.set_many(&items, &never()).unwrap();
            };
            (0..20).for_each(|_| many(2));
            assert_eq!((rows(server, &table), backend.stats().unwrap().culled), (5, 0), "{layout}");
            many(4);
            assert_eq!(rows(server, &table), 7);
        }
    }
}

#[test]
fn what_is_over_is_swept_away_by_writes() {
    for server in Shared::all("what_is_over_is_swept_away_by_writes") {
        for layout in ["own", "django"] {
            let table = plain_table();
            let (backend, hand) = limited(server, layout, "", &table);
            let short = SetOptions::new(Life::For(Duration::from_secs(5)));
            let names: Vec<String> = (0..300).map(|number| format!("key{number}")).collect();
            let item = |key| crate::backend::Item { key, value: Bytes::from_static(b"x"), flags: Flags::RAW };
            let items: Vec<_> = names.iter().map(|name| item(name.as_str())).collect();
            backend.set_many(&items, &short).unwrap();
            hand.advance(Duration::from_secs(5));
            let end = Instant::now() + Duration::from_secs(10);
            while rows(server, &table) != 1 {
                set(&backend, "stays", "1").unwrap();
                assert!(Instant::now() < end, "{} rows are left", rows(server, &table));
            }
            assert_eq!(backend.stats().unwrap().expired, 300);
        }
    }
}

#[test]
fn caches_that_cull_at_once_do_not_remove_each_their_part() {
    for server in Shared::all("caches_that_cull_at_once_do_not_remove_each_their_part") {
        for layout in ["own", "django"] {
            let table = plain_table();
            // Each has a state of its own, as processes have.
            let backends: Vec<_> =
                (0..6).map(|_| limited(server, layout, "max_entries=300", &table).0).collect();
            let most: Vec<String> = (0..290).map(|number| format!("first{number}")).collect();
            let item = |key| crate::backend::Item { key, value: Bytes::from_static(b"x"), flags: Flags::RAW };
            let items: Vec<_> = most.iter().map(|key| item(key.as_str())).collect();
            backends[0].set_many(&items, &never()).unwrap();
            let fewest = std::thread::scope(|scope| {
                let writers: Vec<_> = backends
                    .iter()
                    .enumerate()
                    .map(|(writer, backend)| {
                        scope.spawn(move || {
                            for number in 0..200 {
                                set(backend, &format!("{writer}-{number}"), "1").unwrap();
                            }
                        })
                    })
                    .collect();
                let mut fewest = i64::MAX;
                while writers.iter().any(|writer| !writer.is_finished()) {
                    fewest = fewest.min(backends[0].stats().unwrap().entries as i64);
                }
                fewest
            });
            assert!((200..300).contains(&fewest), "{layout}: {fewest} of 300 rows were left");
            let culled: u64 = backends.iter().map(|backend| backend.stats().unwrap().culled).sum();
            assert_eq!(culled as i64, 290 + 1200 - rows(server, &table), "{layout}");
        }
    }
}

#[test]
fn rows_that_change_while_they_are_counted_cost_no_write() {
    if !mariadb_or_skip("rows_that_change_while_they_are_counted_cost_no_write") {
        return;
    }
    // The default since 11.6.
    let server = MariaDbServer::start(MariaDbOptions::new().argument("--innodb-snapshot-isolation=ON"));
    let url = format!("{}?max_entries=60&table={}", server.url(), plain_table());
    let backends: Vec<_> = (0..4).map(|_| backend(&url)).collect();
    std::thread::scope(|scope| {
        for (writer, backend) in backends.iter().enumerate() {
            scope.spawn(move || {
                for number in 0..150 {
                    set(backend, &format!("{writer}-{number}"), "1").unwrap();
                    backend.touch(&format!("{}-{number}", (writer + 1) % 4), Life::Never).unwrap();
                }
            });
        }
    });
    let culled: u64 = backends.iter().map(|backend| backend.stats().unwrap().culled).sum();
    assert!(culled > 500, "{culled}");
}

#[test]
fn a_deletion_counts_on_every_clock() {
    for server in Shared::all("a_deletion_counts_on_every_clock") {
        for layout in ["own", "django"] {
            let table = plain_table();
            let (behind, _) = limited(server, layout, "", &table);
            let (ahead, hand) = limited(server, layout, "", &table);
            hand.advance(Duration::from_secs(60));
            let short = SetOptions::new(Life::For(Duration::from_secs(30)));
            let write = || {
                for key in ["deleted", "many", "touched", "set", "read"] {
                    behind.set(key, Bytes::from_static(b"old"), &short).unwrap();
                    assert_eq!(get(&ahead, key).unwrap(), None);
                }
            };
            write();
            assert!(!ahead.delete("deleted").unwrap(), "nothing that it could see");
            assert_eq!(ahead.delete_many(&["many", "missing"]).unwrap(), 0);
            assert!(!ahead.touch("touched", Life::Gone).unwrap());
            assert!(ahead.set("set", Bytes::from_static(b"x"), &SetOptions::new(Life::Gone)).unwrap());
            let read = GetOptions { touch: Some(Life::Gone), ..GetOptions::default() };
            assert!(ahead.get("read", &read).unwrap().is_none());
            for key in ["deleted", "many", "touched", "set", "read"] {
                assert_eq!(get(&behind, key).unwrap(), None, "{layout} {key}");
            }
            assert_eq!(rows(server, &table), 0, "{layout}");
            write();
            assert_eq!(behind.delete_many(&["deleted", "many", "missing", "many"]).unwrap(), 2);
        }
    }
}

#[test]
fn a_large_table_is_cleared_in_steps() {
    for server in Shared::all("a_large_table_is_cleared_in_steps") {
        for layout in ["own", "django"] {
            let table = plain_table();
            let (backend, _) = limited(server, layout, "", &table);
            let names: Vec<String> = (0..22_000)
                .map(|number| format!("{}{number}", if number % 11 == 0 { "stays:" } else { "gone_%:" }))
                .collect();
            let item = |key| crate::backend::Item { key, value: Bytes::from_static(b"x"), flags: Flags::RAW };
            let items: Vec<_> = names.iter().map(|name| item(name.as_str())).collect();
            backend.set_many(&items, &never()).unwrap();
            set(&backend, "goneX%:", "stays").unwrap();
            backend.clear(crate::backend::Scope::Prefix("gone_%:")).unwrap();
            assert_eq!(rows(server, &table), 2001, "{layout}");
            backend.set_many(&items, &never()).unwrap();
            backend.clear(crate::backend::Scope::All).unwrap();
            assert_eq!(rows(server, &table), 0, "{layout}");
        }
    }
}

#[test]
fn a_use_that_cannot_be_noted_costs_a_read_little() {
    for server in Shared::all("a_use_that_cannot_be_noted_costs_a_read_little") {
        let table = plain_table();
        let (backend, hand) = limited(server, "own", "max_entries=9", &table);
        set(&backend, "key", "1").unwrap();
        hand.advance(Duration::from_secs(120));
        std::thread::scope(|scope| {
            let name = &table;
            let hold = match server {
                Shared::Postgres => "SELECT pg_sleep(3)",
                Shared::MariaDb => "SELECT SLEEP(3)",
            };
            let hold = format!("BEGIN; SELECT 1 FROM \"{name}\" FOR UPDATE; {hold}; COMMIT");
            let holder = scope.spawn(move || server.sql(&hold));
            let began = Instant::now();
            let mut slowest = Duration::ZERO;
            while !holder.is_finished() {
                let read = Instant::now();
                assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("1"));
                slowest = slowest.max(read.elapsed());
                hand.advance(Duration::from_secs(120));
            }
            assert!(
                began.elapsed() > Duration::from_secs(2) && slowest < Duration::from_secs(2),
                "{slowest:?}"
            );
        });
    }
}
