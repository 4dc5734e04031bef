//! Through both fronts, by URL, as users have it.
use super::*;
use crate::{Cache, ErrorKind, blocking};

#[test]
fn both_fronts_share_what_they_store() {
    for server in Shared::all("both_fronts_share_what_they_store") {
        for (layout, codec) in [("own", "messagepack"), ("django", "django")] {
            let table = plain_table();
            let url = format!(
                "{}?table={table}&layout={layout}&codec={codec}&prefix=shop&timeout=60",
                server.url()
            );
            let threads = blocking::Cache::open(&url).unwrap();
            let tasks = Cache::open(&url).unwrap();
            threads.set("name", "Django Reinhardt").unwrap();
            threads.set("n", &41).unwrap();
            runtime().block_on(async {
                assert_eq!(tasks.get::<String>("name").await.unwrap().as_deref(), Some("Django Reinhardt"));
                assert_eq!(tasks.incr("n", 1).await.unwrap(), 42);
                tasks.set("list", &vec![1, 2, 3]).await.unwrap();
            });
            assert_eq!(threads.get::<Vec<i32>>("list").unwrap(), Some(vec![1, 2, 3]));
            assert_eq!(threads.get::<i64>("n").unwrap(), Some(42));
            let key = if layout == "own" { "key" } else { "cache_key" };
            let keys = match server {
                Shared::Postgres => format!("SELECT \"{key}\" FROM \"{table}\" ORDER BY 1"),
                Shared::MariaDb => format!("SELECT CAST(\"{key}\" AS CHAR) FROM \"{table}\" ORDER BY 1"),
            };
            assert_eq!(server.sql(&keys), "shop:1:list\nshop:1:n\nshop:1:name");
        }
    }
}

#[test]
fn aliases_open_the_same_rooms() {
    for (url, scheme) in [("postgresql://db/site", "postgres"), ("mariadb://db/site", "mysql")] {
        let error = Cache::open(&format!("{url}?no_such=1")).unwrap_err();
        assert_eq!((error.kind(), error.backend()), (ErrorKind::Config, Some(scheme)));
        assert!(error.to_string().contains("no_such"), "{error}");
    }
}

#[test]
fn sockets_and_passwords() {
    for server in Shared::all("sockets_and_passwords") {
        let table = plain_table();
        set(&server.backend("own", &table), "key", "1").unwrap();
        let socket = match server {
            Shared::Postgres => format!(
                "postgres://hotclub@localhost:{}/hotclub?socket={}",
                POSTGRES.port(),
                POSTGRES.socket_directory().display()
            ),
            Shared::MariaDb => {
                format!(
                    "mysql:///hotclub?socket={}&username=hotclub&password=swing-61",
                    MARIADB.unix_path().display()
                )
            }
        };
        let backend_here = backend(&format!("{socket}&table={table}"));
        assert_eq!(get(&backend_here, "key").unwrap().as_deref(), Some("1"));
        let wrong = server.url().replace("swing-61", "secret-word");
        let error = get(&backend(&wrong), "key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(!format!("{error} {error:?} {:?}", backend(&wrong)).contains("secret-word"), "{error}");
        assert!(error.place().unwrap().contains("127.0.0.1:"), "{error}");
        let missing = server.url().replace("/hotclub", "/nowhere");
        assert_eq!(get(&backend(&missing), "key").unwrap_err().kind(), ErrorKind::Refused);
    }
}
