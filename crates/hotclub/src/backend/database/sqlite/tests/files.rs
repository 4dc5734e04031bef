//! What stands in the place of a file, and what becomes of one.
use super::{Folder, set, value};
use crate::backend::database::sqlite::{SqliteConfig, Store};
use crate::{Cache, ErrorKind, Registry, blocking};
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

fn store(folder: &Folder) -> Store {
    Store::new(SqliteConfig::new(folder.file())).unwrap()
}

fn foreign(folder: &Folder, sql: &str) -> Connection {
    fs::create_dir_all(folder.file().parent().unwrap()).unwrap();
    let connection = Connection::open(folder.file()).unwrap();
    connection.execute_batch(sql).unwrap();
    connection
}

#[test]
fn files_and_directories_are_for_their_owner_alone() {
    let folder = Folder::new();
    set(&store(&folder), "key", b"value");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&folder.0), mode(folder.file().parent().unwrap())), (0o700, 0o700));
    for file in fs::read_dir(folder.file().parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn what_stands_in_the_way_of_a_new_file_is_left_alone() {
    let folder = Folder::new();
    let file = folder.file();
    let directory = file.parent().unwrap();
    fs::create_dir_all(directory).unwrap();
    let beside = file.with_extension("new");
    fs::write(&beside, "somebody's").unwrap();
    // Of a disk that is not there yet, say.
    std::os::unix::fs::symlink(directory.join("nowhere/file"), &file).unwrap();
    let error = store(&folder).get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(fs::symlink_metadata(&file).unwrap().is_symlink());
    fs::remove_file(&file).unwrap();
    set(&store(&folder), "key", b"value");
    assert_eq!(fs::read(&beside).unwrap(), b"somebody's");
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("-new-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn foreign_tables_are_refused_and_left_alone() {
    let folder = Folder::new();
    let theirs = foreign(&folder, "CREATE TABLE people (name TEXT); INSERT INTO people VALUES ('Django')");
    let error = store(&folder).get("key").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("tables that are not hotclub's"), "{error}");
    let name: String = theirs.query_row("SELECT name FROM people", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "Django");
    let columns = Store::new(SqliteConfig::django(folder.file(), "people")).unwrap().get("key").unwrap_err();
    assert!(columns.to_string().contains("has the columns name, not cache_key"), "{columns}");
}

#[test]
fn a_file_of_one_layout_is_refused_as_the_other() {
    let folder = Folder::new();
    set(&store(&folder), "key", b"value");
    let django = Store::new(SqliteConfig::django(folder.file(), "cache")).unwrap();
    let error = django.get("key").unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("layout `own`"), "{error}");

    let other = Folder::new();
    set(&Store::new(SqliteConfig::django(other.file(), "cache")).unwrap(), "key", b"value");
    let error = store(&other).get("key").unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.to_string().contains("layout=django"), "{error}");
}

#[test]
fn a_newer_form_and_no_database_are_refused() {
    let folder = Folder::new();
    set(&store(&folder), "key", b"value");
    Connection::open(folder.file()).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let error = store(&folder).get("key").unwrap_err();
    assert!(error.to_string().contains("has form 2, and this release knows form 1"), "{error}");

    let other = Folder::new();
    fs::create_dir_all(other.file().parent().unwrap()).unwrap();
    fs::write(other.file(), "no database, but long enough to be one ".repeat(200)).unwrap();
    let error = store(&other).get("key").unwrap_err();
    assert!(
        error.kind() == ErrorKind::Corrupt && error.to_string().contains("no SQLite database"),
        "{error}"
    );
}

#[test]
fn djangos_rows_are_read_and_written() {
    let folder = Folder::new();
    // As Django writes "hi", 42 and an entry that is over.
    let theirs = foreign(
        &folder,
        "CREATE TABLE \"my cache\" (cache_key varchar(255) NOT NULL PRIMARY KEY, value text NOT NULL, \
         expires datetime NOT NULL);
         INSERT INTO \"my cache\" VALUES (':1:hi', 'gAWVBgAAAAAAAACMAmhplC4=', '2100-01-01 00:00:00');
         INSERT INTO \"my cache\" VALUES (':1:n', 'gAVLKi4=', '9999-12-31 23:59:59');
         INSERT INTO \"my cache\" VALUES (':1:over', 'gAVLKi4=', '2001-01-01 00:00:00');",
    );
    let url = format!("sqlite://{}?layout=django&table=my%20cache&codec=django", folder.file().display());
    let cache = blocking::Cache::open(&url).unwrap();
    assert_eq!(cache.get::<String>("hi").unwrap().as_deref(), Some("hi"));
    assert_eq!(cache.get::<i64>("over").unwrap(), None);
    assert_eq!(cache.incr("n", 1).unwrap(), 43);
    let row = |key: &str| -> (String, String) {
        let sql = "SELECT value, expires FROM \"my cache\" WHERE cache_key = ?1";
        theirs.query_row(sql, [key], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    assert_eq!(row(":1:n"), ("gAVLKy4=".to_owned(), "9999-12-31 23:59:59".to_owned()));
    cache.set("new", "hi").unwrap();
    assert_eq!(row(":1:new").0, "gAWVBgAAAAAAAACMAmhplC4=");
}

#[test]
fn a_table_that_is_missing_is_made_as_django_makes_it() {
    let folder = Folder::new();
    set(&Store::new(SqliteConfig::django(folder.file(), "cache")).unwrap(), "key", b"value");
    let made = Connection::open(folder.file()).unwrap();
    let mut statement =
        made.prepare("SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").unwrap();
    let names: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(names, ["cache", "cache_expires"]);
}

#[test]
fn a_file_that_is_removed_is_made_anew_and_nobody_stays_behind() {
    let folder = Folder::new();
    let (one, other) = (store(&folder), store(&folder));
    set(&one, "key", b"value");
    assert!(value(&other, "key").is_some());
    fs::remove_dir_all(&folder.0).unwrap();
    set(&one, "key", b"new");
    assert_eq!(value(&other, "key").as_deref(), Some(&b"new"[..]));
}

#[test]
fn totals_that_are_wrong_are_found_and_counted_anew() {
    let folder = Folder::new();
    let store = store(&folder);
    set(&store, "key", b"value");
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    assert_eq!(store.repair().unwrap(), Vec::<String>::new());
    Connection::open(folder.file()).unwrap().execute("UPDATE total SET entries = 7", []).unwrap();
    let findings = store.check().unwrap();
    assert!(findings.len() == 1 && findings[0].contains("7 entries"), "{findings:?}");
    assert!(store.repair().unwrap()[0].contains("1 entries"));
    assert_eq!(store.check().unwrap(), Vec::<String>::new());
    assert!(value(&store, "key").is_some());
}

#[test]
fn a_damaged_file_is_set_aside_and_an_empty_one_takes_its_place() {
    let folder = Folder::new();
    let (damaged, other) = (store(&folder), store(&folder));
    (0..2000).for_each(|number| set(&damaged, &format!("{number}"), &[7; 200]));
    damaged.compact().unwrap();
    drop(damaged);
    let mut bytes = fs::read(folder.file()).unwrap();
    let end = bytes.len();
    bytes[4096 * 3..end].iter_mut().step_by(97).for_each(|byte| *byte ^= 0x5a);
    fs::write(folder.file(), &bytes).unwrap();
    let store = store(&folder);
    let findings = store.check().unwrap();
    assert!(!findings.is_empty());
    let done = store.repair().unwrap();
    assert!(done.len() == 1 && done[0].contains("damaged"), "{done:?}");
    assert_eq!((store.check().unwrap(), store.stats().unwrap().entries), (Vec::new(), 0));
    set(&store, "key", b"new");
    assert_eq!(value(&other, "key").as_deref(), Some(&b"new"[..]), "others follow");
    let aside = fs::read_dir(folder.file().parent().unwrap()).unwrap().flatten();
    assert!(aside.map(|file| file.file_name()).any(|name| name.to_string_lossy().contains(".damaged-")));
}

#[test]
fn a_lock_that_somebody_keeps_is_an_error_within_its_limit_and_readers_go_on() {
    let folder = Folder::new();
    let mut config = SqliteConfig::new(folder.file());
    config.lock_limit = Duration::from_millis(200);
    let store = Store::new(config).unwrap();
    set(&store, "key", b"value");
    let keeper = Connection::open(folder.file()).unwrap();
    keeper.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = Instant::now();
    let error = store.set("key", b"new", crate::Flags::RAW, super::FOR_EVER).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("for more than 0.2 s"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(value(&store, "key").as_deref(), Some(&b"value"[..]));
    keeper.execute_batch("ROLLBACK").unwrap();
    set(&store, "key", b"new");
}

#[test]
fn compacting_gives_space_back() {
    let folder = Folder::new();
    let store = store(&folder);
    (0..500).for_each(|number| set(&store, &format!("{number}"), &[7; 4000]));
    store.clear(None).unwrap();
    let before = store.volume();
    store.compact().unwrap();
    assert!(before > 1 << 20 && store.volume() < 1 << 16, "{before} and then {}", store.volume());
}

#[test]
fn urls_name_a_file() {
    let folder = Folder::new();
    let path = folder.0.join("with blank.db");
    let url = format!("sqlite://{}?max_bytes=1MiB&eviction=age&synchronous=off", path.display())
        .replace(' ', "%20");
    let cache = blocking::Cache::open(&url).unwrap();
    cache.set("key", &7).unwrap();
    assert_eq!(cache.get::<i64>("key").unwrap(), Some(7));
    assert!(path.exists());
    for (url, said) in [
        ("sqlite://host/file", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("sqlite:///f?layout=mine", "layout must be"),
        ("sqlite:///f?layout=django", "needs the table"),
        ("sqlite:///f?layout=django&table=t&max_bytes=5", "max_bytes is of layout `own`"),
        ("sqlite:///f?eviction=lru", "eviction must be"),
        ("sqlite:///f?synchronous=extra", "synchronous must be"),
        ("sqlite:///f?lock_limit=-1", "lock_limit must be"),
        ("sqlite:///f?max_bytes=none", "max_bytes must be"),
        ("sqlite:///f?table=t", "table is of layout `django`"),
    ] {
        let error = Registry::default().open(url).map(|_: Cache| ()).unwrap_err();
        assert!(error.kind() == ErrorKind::Config && error.to_string().contains(said), "{url}: {error}");
    }
    let in_memory = Store::new(SqliteConfig::new(":memory:")).unwrap_err();
    assert!(in_memory.to_string().contains("memory://"), "{in_memory}");
}
