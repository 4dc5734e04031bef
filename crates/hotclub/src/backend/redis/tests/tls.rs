//! TLS: with certificates on both sides, and every way in which that goes wrong.
use super::failures::{get, set};
use super::*;
use crate::ErrorKind;
use crate::testing::servers::{Certificates, ClientCertificate, tls_or_skip};
use std::time::Instant;

/// A server that asks its clients for certificates.
static STRICT: LazyLock<RedisServer> = LazyLock::new(|| {
    RedisServer::start(RedisOptions::new().databases(DATABASES).tls(ClientCertificate::Required))
});

fn trusting() -> String {
    format!("tls_ca={}", Certificates::get().authority().display())
}

fn with_certificate() -> String {
    let files = Certificates::get();
    let (certificate, key) = (files.client_certificate(), files.client_key());
    format!("{}&tls_certificate={}&tls_key={}", trusting(), certificate.display(), key.display())
}

pub(super) fn secured() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed) % DATABASES;
    format!("{}?{}", STRICT.url_db(number), with_certificate())
}

conformance!(tls, or_skip, || if tls_or_skip("tls") { fixture("tls", secured) } else { None });

/// The error of a first call, which must come soon.
fn refused(url: &str) -> crate::Error {
    let backend = backend(url);
    let began = Instant::now();
    let error = get(&backend, "key").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{error}: {:?}", began.elapsed());
    let second = get(&backend, "key").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(8), "{second}: {:?}", began.elapsed());
    error
}

#[test]
fn a_server_is_trusted_by_its_authority_only() {
    if !tls_or_skip("a_server_is_trusted_by_its_authority_only") {
        return;
    }
    let server = RedisServer::start(RedisOptions::new().tls(ClientCertificate::NotAsked));
    let trusting = backend(&format!("{}?{}", server.url(), trusting()));
    set(&trusting, "key", "1").unwrap();
    assert_eq!(get(&trusting, "key").unwrap().as_deref(), Some("1"));
    let other = Certificates::get().other_authority();
    let error = refused(&format!("{}?tls_ca={}", server.url(), other.display()));
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("TLS: invalid peer certificate"), "{error}");
    assert!(error.to_string().contains(&server.address()), "{error}");
    let nothing = backend(&format!("{}?tls_verify=nothing&tls_ca={}", server.url(), other.display()));
    assert_eq!(get(&nothing, "key").unwrap().as_deref(), Some("1"));
}

#[test]
fn a_client_without_a_certificate_is_refused_by_a_server_that_asks_for_one() {
    if !tls_or_skip("a_client_without_a_certificate_is_refused_by_a_server_that_asks_for_one") {
        return;
    }
    let error = refused(&format!("{}?{}", STRICT.url(), trusting()));
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("ertificate"), "{error}");
}

#[test]
fn tls_to_a_plain_port_is_an_error_that_says_so() {
    if !tls_or_skip("tls_to_a_plain_port_is_an_error_that_says_so") {
        return;
    }
    let url = format!("rediss://{}?reply_limit=1&{}", SERVER.address(), trusting());
    let error = refused(&url);
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("TLS"), "{error}");
}

#[test]
fn a_plain_client_of_a_tls_port_gets_an_error_soon() {
    if !tls_or_skip("a_plain_client_of_a_tls_port_gets_an_error_soon") {
        return;
    }
    let error = refused(&format!("redis://{}?reply_limit=1", STRICT.address()));
    assert!(error.to_string().contains(&STRICT.address()), "{error}");
    assert!(
        matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Protocol | ErrorKind::Timeout),
        "{error}"
    );
}
