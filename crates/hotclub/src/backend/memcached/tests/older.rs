//! A server that does not know the newer protocol: everything that the older one has works, through both doors.
use super::{backend, get, set};
use crate::backend::{Backend, Condition, GetOptions, Item, SetOptions};
use crate::testing::servers::{MemcachedOptions, MemcachedServer, memcached_or_skip};
use crate::{Error, ErrorKind, Flags, Life};
use bytes::Bytes;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

static NODE: LazyLock<MemcachedServer> = LazyLock::new(|| MemcachedServer::start(MemcachedOptions::new()));

/// So many lines of the newer protocol came to servers that do not know it.
static MISUNDERSTOOD: AtomicU32 = AtomicU32::new(0);

/// Stands before a real server and knows what memcached 1.5 knew: no `mg`, `ms`, `md`, `ma`, `mn`.
fn older() -> String {
    older_before(NODE.address().to_owned())
}

fn older_before(real: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let real = real.clone();
            thread::spawn(move || drop(serve(client, &real)));
        }
    });
    address
}

fn serve(mut client: TcpStream, real: &str) -> io::Result<()> {
    let real = TcpStream::connect(real)?;
    let (mut asked, mut told) = (BufReader::new(client.try_clone()?), BufReader::new(real.try_clone()?));
    let mut line = String::new();
    while asked.read_line(&mut line)? > 0 {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let is_read = words.first().is_some_and(|verb| matches!(*verb, "get" | "gets" | "gat" | "gats"));
        match words.as_slice() {
            ["version"] => client.write_all(b"VERSION 1.5.6\r\n")?,
            ["mg" | "ms" | "md" | "ma" | "mn", ..] | [] => {
                MISUNDERSTOOD.fetch_add(1, Relaxed);
                client.write_all(b"ERROR\r\n")?;
            }
            [_, _, _, _, size, ..] if !is_read => {
                let mut value = vec![0; size.parse::<usize>().unwrap() + 2];
                asked.read_exact(&mut value)?;
                (&real).write_all(&[line.as_bytes(), &value].concat())?;
                pass(&mut told, &mut client, false)?;
            }
            _ => {
                (&real).write_all(line.as_bytes())?;
                pass(&mut told, &mut client, is_read)?;
            }
        }
        line.clear();
    }
    Ok(())
}

fn pass(told: &mut impl BufRead, client: &mut TcpStream, to_the_end: bool) -> io::Result<()> {
    loop {
        let mut reply = Vec::new();
        told.read_until(b'\n', &mut reply)?;
        client.write_all(&reply)?;
        if !to_the_end || reply == b"END\r\n" {
            return Ok(());
        }
    }
}

fn item(key: &str) -> Item<'_> {
    Item { key, value: Bytes::copy_from_slice(key.as_bytes()), flags: Flags::RAW }
}

#[test]
fn an_older_server_is_spoken_to_in_its_own_words() {
    if !memcached_or_skip("an_older_server_is_spoken_to_in_its_own_words") {
        return;
    }
    // The first verb finds out; each begins with a client that knows nothing yet.
    let new = || backend(&format!("memcached://{}", older()));
    assert!(set(&new(), "old-a", "1").unwrap());
    assert_eq!(get(&new(), "old-a").unwrap().as_deref(), Some("1"));
    assert_eq!(new().incr("old-a", 41).unwrap(), 42);
    assert_eq!(new().incr("old-a", -2).unwrap(), 40);
    assert!(new().touch("old-a", Life::Never).unwrap() && !new().touch("old-none", Life::Never).unwrap());
    assert!(new().delete("old-a").unwrap() && !new().delete("old-a").unwrap());
    assert_eq!(new().incr("old-a", 1).unwrap_err().kind(), ErrorKind::KeyNotFound);
    let options = SetOptions::new(Life::Never);
    let items = ["old-b", "old-c", "old-d"].map(item);
    assert_eq!(new().set_many(&items, &options).unwrap(), [true; 3]);
    let found = new().get_many(&["old-b", "old-none", "old-d"], &GetOptions::default()).unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    let backend = new();
    let with_id = GetOptions { want_cas: true, ..GetOptions::default() };
    let id = backend.get("old-b", &with_id).unwrap().unwrap().cas.unwrap();
    let write = |condition| {
        let mut options = SetOptions::new(Life::For(Duration::from_secs(60)));
        options.condition = condition;
        backend.set("old-b", Bytes::from_static(b"new"), &options).unwrap()
    };
    assert!(!write(Condition::IfAbsent) && write(Condition::IfCas(id)) && !write(Condition::IfCas(id)));
    assert_eq!(new().delete_many(&["old-b", "old-c", "old-none"]).unwrap(), 2);
    // A server of its own: others have entries on the shared one.
    let cleared = MemcachedServer::start(MemcachedOptions::new());
    let backend = self::backend(&format!("memcached://{}", older_before(cleared.address().to_owned())));
    assert!(set(&backend, "old-e", "1").unwrap());
    backend.clear(crate::backend::Scope::All).unwrap();
    assert_eq!(get(&backend, "old-e").unwrap(), None);
}

#[test]
fn tasks_speak_to_an_older_server_as_threads_do() {
    if !memcached_or_skip("tasks_speak_to_an_older_server_as_threads_do") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime
        .block_on(async {
            let new = || backend(&format!("memcached://{}", older()));
            let options = SetOptions::new(Life::Never);
            assert!(new().aset("old-t", Bytes::from_static(b"7"), &options).await?);
            assert_eq!(new().aincr("old-t", 3).await?, 10);
            let items = ["old-u", "old-v"].map(item);
            assert_eq!(new().aset_many(&items, &options).await?, [true, true]);
            let found = new().aget_many(&["old-u", "old-none"], &GetOptions::default()).await?;
            assert!(found[0].is_some() && found[1].is_none());
            assert!(new().adelete("old-t").await?);
            Ok::<_, Error>(())
        })
        .unwrap();
}

/// Values that read as requests are the worst case: they were executed, and replies went to others.
#[test]
fn nothing_in_newer_words_reaches_an_older_server_however_many_threads_begin_at_once() {
    if !memcached_or_skip("nothing_in_newer_words_reaches_an_older_server_however_many_threads_begin_at_once")
    {
        return;
    }
    for turn in 0..20 {
        let backend = Arc::new(backend(&format!("memcached://{}", older())));
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (backend, key) = (backend.clone(), format!("old-{turn}-{thread}"));
                thread::spawn(move || {
                    assert!(set(&backend, &key, "get old-a old-b").unwrap());
                    assert_eq!(get(&backend, &key).unwrap().as_deref(), Some("get old-a old-b"));
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert_eq!(MISUNDERSTOOD.load(Relaxed), 0);
}
