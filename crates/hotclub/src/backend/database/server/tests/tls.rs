//! TLS by the names that each vendor's clients have.
use super::*;
use crate::ErrorKind;
use crate::testing::servers::{Certificates, tls_certificates_or_skip};

/// Options: the mode, and the authority that is trusted.
fn options(server: Shared, mode: &str, authority: Option<&std::path::Path>) -> String {
    let [mode_name, ca_name] = match server {
        Shared::Postgres => ["sslmode", "sslrootcert"],
        Shared::MariaDb => ["ssl-mode", "ssl-ca"],
    };
    let authority = authority.map(|file| format!("&{ca_name}={}", file.display())).unwrap_or_default();
    format!("{mode_name}={mode}{authority}&table={}", plain_table())
}

#[test]
fn a_server_is_trusted_by_its_authority_only() {
    let test = "a_server_is_trusted_by_its_authority_only";
    if !tls_certificates_or_skip(test) {
        return;
    }
    let (right, other) = (Certificates::get().authority(), Certificates::get().other_authority());
    for server in Shared::all(test) {
        let (postgres, mariadb);
        let (url, full, needed) = match server {
            Shared::Postgres => {
                postgres = PostgresServer::start(PostgresOptions::new().tls());
                (postgres.url(), "verify-full", "require")
            }
            Shared::MariaDb => {
                mariadb = MariaDbServer::start(MariaDbOptions::new().tls());
                (mariadb.url(), "verify_identity", "required")
            }
        };
        let trusting = backend(&format!("{url}?{}", options(server, full, Some(&right))));
        set(&trusting, "key", "1").unwrap();
        assert_eq!(get(&trusting, "key").unwrap().as_deref(), Some("1"));
        for authority in [None, Some(&*other)] {
            let wrong = backend(&format!("{url}?{}", options(server, full, authority)));
            let error = get(&wrong, "key").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
        }
        let whatever = backend(&format!("{url}?{}", options(server, needed, None)));
        set(&whatever, "key", "1").unwrap();
    }
}

#[test]
fn a_server_without_tls_is_refused_where_tls_is_asked_for() {
    for server in Shared::all("a_server_without_tls_is_refused_where_tls_is_asked_for") {
        let mode = if matches!(server, Shared::Postgres) { "require" } else { "required" };
        let wrong = backend(&format!("{}?{}", server.url(), options(server, mode, None)));
        let error = get(&wrong, "key").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("TLS"), "{error}");
        let unknown = backend(&format!("{}?{}", server.url(), options(server, "sometimes", None)));
        assert_eq!(get(&unknown, "key").unwrap_err().kind(), ErrorKind::Config);
    }
}
