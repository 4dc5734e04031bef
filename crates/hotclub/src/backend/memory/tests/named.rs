//! Stores by name: one name, one store, one configuration.
use super::*;
use crate::ErrorKind;
use std::sync::Arc;

#[test]
fn one_name_is_one_store() {
    let one = MemoryBackend::named("tests::one", MemoryConfig::default()).unwrap();
    let two = MemoryBackend::named("tests::one", MemoryConfig::default()).unwrap();
    let other = MemoryBackend::named("tests::other", MemoryConfig::default()).unwrap();
    assert!(Arc::ptr_eq(&one, &two));
    assert!(!Arc::ptr_eq(&one, &other));
}

#[test]
fn a_second_configuration_is_refused() {
    MemoryBackend::named("tests::fixed", MemoryConfig::entries(10)).unwrap();
    let error = MemoryBackend::named("tests::fixed", MemoryConfig::entries(11)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("tests::fixed"), "{error}");
}
