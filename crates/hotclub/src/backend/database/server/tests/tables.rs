//! Whose table it is: Django's rows in both directions, and what is refused.
use super::*;
use crate::ErrorKind;
use crate::backend::Condition;

#[test]
fn rows_of_django_are_read_as_what_they_are() {
    for server in Shared::all("rows_of_django_are_read_as_what_they_are") {
        let table = plain_table();
        let backend = server.backend("django", &table);
        assert!(!backend.delete("made").unwrap());
        // As Django writes them: base64 of a pickle, whole seconds in UTC, and the end of its calendar for ever.
        let rows = [
            (":1:n", "gAVLKi4=", "9999-12-31 23:59:59"),
            (":1:text", "gAWVBgAAAAAAAACMAmhplC4=", "2199-01-15 08:00:00"),
            (":1:true", "gAWILg==", "2199-01-15 08:00:00.25"),
            (":1:over", "gAVLKi4=", "2020-01-01 00:00:00"),
            (":1:broken", "no base64!", "9999-12-31 23:59:59"),
        ];
        for (key, value, expires) in rows {
            let zone = if matches!(server, Shared::Postgres) { "+00" } else { "" };
            server.sql(&format!("INSERT INTO \"{table}\" VALUES ('{key}', '{value}', '{expires}{zone}')"));
        }
        let wanted = GetOptions { want_deadline: true, ..GetOptions::default() };
        let read = |key: &str| backend.get(key, &wanted).unwrap().unwrap();
        assert_eq!((read(":1:n").value.as_ref(), read(":1:n").deadline), (&b"42"[..], None));
        let text = read(":1:text");
        let decoded: String = crate::codec::pickle::from_slice(&text.value).unwrap();
        assert_eq!((decoded.as_str(), text.deadline.unwrap().0), ("hi", 7_227_820_800_000));
        let truth: bool = crate::codec::pickle::from_slice(&read(":1:true").value).unwrap();
        assert_eq!((truth, read(":1:true").deadline.unwrap().0), (true, 7_227_820_800_250));
        assert_eq!(get(&backend, ":1:over").unwrap(), None);
        assert!(
            backend.set(":1:over", Bytes::from_static(b"1"), &never().when(Condition::IfAbsent)).unwrap()
        );
        let error = get(&backend, ":1:broken").unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("base64"), "{error}");
        assert_eq!(backend.incr(":1:n", 1).unwrap(), 43);
        let error = backend.incr(":1:text", 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotAnInteger, "{error}");
    }
}

#[test]
fn rows_are_written_as_django_writes_them() {
    for server in Shared::all("rows_are_written_as_django_writes_them") {
        let table = plain_table();
        let hand = crate::testing::ManualClock::new();
        let url = format!("{}?layout=django&table={table}", server.url());
        let backend = ServerBackend::with_clock(config(&url), hand.clock()).unwrap();
        let pickled = crate::codec::pickle::to_vec("hi").unwrap();
        let (whole, part) = (Duration::from_secs(60), Duration::from_millis(60_250));
        backend.set(":1:n", Bytes::from_static(b"42"), &never()).unwrap();
        backend.set(":1:text", pickled.into(), &SetOptions::new(Life::For(whole))).unwrap();
        backend.set(":1:part", Bytes::from_static(b"-7"), &SetOptions::new(Life::For(part))).unwrap();
        let cut = if matches!(server, Shared::Postgres) { "::text" } else { "" };
        let rows =
            server.sql(&format!("SELECT cache_key, value, expires{cut} FROM \"{table}\" ORDER BY cache_key"));
        let expected = match server {
            Shared::Postgres => [
                ":1:n|gAVLKi4=|9999-12-31 23:59:59+00",
                ":1:part|gAWVBgAAAAAAAABK+f///y4=|2027-01-15 08:01:00.25+00",
                ":1:text|gAWVBgAAAAAAAACMAmhplC4=|2027-01-15 08:01:00+00",
            ],
            Shared::MariaDb => [
                ":1:n\tgAVLKi4=\t9999-12-31 23:59:59.000000",
                ":1:part\tgAWVBgAAAAAAAABK+f///y4=\t2027-01-15 08:01:00.250000",
                ":1:text\tgAWVBgAAAAAAAACMAmhplC4=\t2027-01-15 08:01:00.000000",
            ],
        };
        assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
        assert_eq!(backend.incr(":1:n", 1).unwrap(), 43);
        let value = server.sql(&format!("SELECT value FROM \"{table}\" WHERE cache_key = ':1:n'"));
        assert_eq!(value, "gAVLKy4=");
    }
}

#[test]
fn the_table_that_is_made_for_django_is_djangos() {
    for server in Shared::all("the_table_that_is_made_for_django_is_djangos") {
        let table = plain_table();
        set(&server.backend("django", &table), "key", "1").unwrap();
        let (columns, index) = match server {
            Shared::Postgres => (
                format!(
                    "SELECT column_name, data_type, character_maximum_length, is_nullable \
                     FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
                ),
                format!("SELECT indexname FROM pg_indexes WHERE tablename = '{table}' ORDER BY 1"),
            ),
            Shared::MariaDb => (
                format!(
                    "SELECT column_name, column_type, character_maximum_length, is_nullable \
                     FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
                ),
                format!(
                    "SELECT DISTINCT index_name FROM information_schema.statistics \
                     WHERE table_name = '{table}' ORDER BY 1"
                ),
            ),
        };
        let (columns, index) = (server.sql(&columns).replace('\t', "|"), server.sql(&index));
        let expected = match server {
            Shared::Postgres => {
                "cache_key|character varying|255|NO\nvalue|text||NO\nexpires|timestamp with time zone||NO"
            }
            Shared::MariaDb => {
                "cache_key|varchar(255)|255|NO\nvalue|longtext|4294967295|NO\nexpires|datetime(6)|NULL|NO"
            }
        };
        assert_eq!(columns, expected);
        assert!(index.contains(&format!("{table}_expires")), "{index}");
    }
}

#[test]
fn tables_of_others_are_refused_with_what_was_found() {
    for server in Shared::all("tables_of_others_are_refused_with_what_was_found") {
        let (own, django, foreign) = (plain_table(), plain_table(), plain_table());
        set(&server.backend("own", &own), "key", "1").unwrap();
        set(&server.backend("django", &django), "key", "1").unwrap();
        server.sql(&format!("CREATE TABLE \"{foreign}\" (id int, name varchar(20))"));
        for (layout, table, found, wanted) in [
            ("django", &own, "flags bigint", "cache_key"),
            ("own", &django, "cache_key", "deadline bigint"),
            ("own", &foreign, "id int", "deadline bigint"),
            ("django", &foreign, "id int", "expires"),
        ] {
            let error = set(&server.backend(layout, table), "key", "2").unwrap_err();
            let said = error.to_string();
            assert_eq!(error.kind(), ErrorKind::Config, "{error}");
            assert!([table.as_str(), found, wanted].iter().all(|word| said.contains(word)), "{said}");
        }
        assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM \"{foreign}\"")), "0");
        assert_eq!(get(&server.backend("own", &own), "key").unwrap().as_deref(), Some("1"));
    }
}

#[test]
fn a_table_that_is_dropped_is_made_anew() {
    for server in Shared::all("a_table_that_is_dropped_is_made_anew") {
        for layout in ["own", "django"] {
            let table = plain_table();
            let backend = server.backend(layout, &table);
            set(&backend, "key", "1").unwrap();
            server.sql(&format!("DROP TABLE \"{table}\""));
            assert_eq!(get(&backend, "key").unwrap(), None);
            server.sql(&format!("DROP TABLE \"{table}\""));
            assert!(
                backend.set("key", Bytes::from_static(b"2"), &never().when(Condition::IfAbsent)).unwrap()
            );
            assert_eq!(backend.incr("key", 1).unwrap(), 3);
        }
    }
}

#[test]
fn a_table_is_made_once_by_many_at_the_same_time() {
    for server in Shared::all("a_table_is_made_once_by_many_at_the_same_time") {
        let table = plain_table();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let table = &table;
                scope.spawn(move || {
                    let backend = server.backend("own", table);
                    set(&backend, &number.to_string(), "1").unwrap();
                });
            }
        });
        assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM \"{table}\"")), "8");
    }
}

#[test]
fn keys_that_do_not_fit_are_refused_and_never_cut() {
    for server in Shared::all("keys_that_do_not_fit_are_refused_and_never_cut") {
        for (layout, longest) in [("own", "k".repeat(2048)), ("django", "é".repeat(255))] {
            let table = plain_table();
            let backend = server.backend(layout, &table);
            set(&backend, &longest, "1").unwrap();
            let longer = format!("{longest}k");
            for error in [
                set(&backend, &longer, "2").unwrap_err(),
                get(&backend, &longer).unwrap_err(),
                backend.incr(&longer, 1).unwrap_err(),
                backend.delete_many(&["a", &longer]).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::InvalidKey, "{error}");
            }
            assert_eq!(get(&backend, &longest).unwrap().as_deref(), Some("1"));
            assert_eq!(server.sql(&format!("SELECT COUNT(*) FROM \"{table}\"")), "1");
        }
    }
}

/// Databases compare texts as people do, unless they are told not to.
#[test]
fn keys_that_look_alike_in_a_table_of_djangos_own_making_are_no_hits() {
    if !mariadb_or_skip("keys_that_look_alike_in_a_table_of_djangos_own_making_are_no_hits") {
        return;
    }
    let (server, table) = (Shared::MariaDb, plain_table());
    server.sql(&format!(
        "CREATE TABLE \"{table}\" (\"cache_key\" varchar(255) COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, \
         \"value\" longtext NOT NULL, \"expires\" datetime(6) NOT NULL)"
    ));
    let backend = server.backend("django", &table);
    set(&backend, "Key", "1").unwrap();
    assert_eq!(get(&backend, "key").unwrap(), None);
    assert!(!backend.delete("key").unwrap() && !backend.touch("key", Life::Never).unwrap());
    assert_eq!(backend.incr("kéy", 1).unwrap_err().kind(), ErrorKind::KeyNotFound);
    backend.clear(crate::backend::Scope::Prefix("k")).unwrap();
    assert_eq!(get(&backend, "Key").unwrap().as_deref(), Some("1"));
    // One of them has the place in the index, the one written last.
    set(&backend, "key", "2").unwrap();
    assert_eq!(get(&backend, "key").unwrap().as_deref(), Some("2"));
    assert_eq!(get(&backend, "Key").unwrap(), None);
}

#[test]
fn flags_and_many_values_come_back() {
    for server in Shared::all("flags_and_many_values_come_back") {
        let backend = server.backend("own", &plain_table());
        let keys: Vec<String> = (0..1500).map(|number| format!("key{number}")).collect();
        let item = |(number, key): (usize, &'static str)| crate::backend::Item {
            key,
            value: Bytes::from(number.to_string()),
            flags: Flags(number as u32),
        };
        let names: Vec<&'static str> = keys.iter().map(|key| &*key.clone().leak()).collect();
        let items: Vec<_> = names.iter().copied().enumerate().map(item).collect();
        assert!(backend.set_many(&items, &never()).unwrap().into_iter().all(|written| written));
        let read = backend.get_many(&names, &GetOptions::default()).unwrap();
        for (number, entry) in read.into_iter().enumerate() {
            let entry = entry.unwrap();
            assert_eq!((entry.value, entry.flags), (Bytes::from(number.to_string()), Flags(number as u32)));
        }
        assert_eq!(backend.delete_many(&names).unwrap(), 1500);
    }
}
