//! From what the user typed to what the backend sees: `prefix:version:key`.
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A custom key function, called as `(key, prefix, version)` (Django's KEY_FUNCTION).
pub type KeyFunction = Arc<dyn Fn(&str, &str, i64) -> String + Send + Sync>;

/// Key prefix and version: what separates caches that share a store.
#[derive(Clone)]
pub(crate) struct Namespace {
    pub(crate) prefix: Arc<str>,
    pub(crate) version: i64,
    pub(crate) function: Option<KeyFunction>,
    /// `prefix:version:`, made once.
    head: Arc<str>,
}

impl Namespace {
    pub(crate) fn new(prefix: Arc<str>, version: i64, function: Option<KeyFunction>) -> Self {
        let head = format!("{prefix}:{version}:").into();
        Namespace { prefix, version, function, head }
    }

    pub(crate) fn with_version(&self, version: i64) -> Self {
        Namespace::new(self.prefix.clone(), version, self.function.clone())
    }

    /// The full key. Nothing is escaped, as in Django.
    pub(crate) fn full_key(&self, key: &str) -> FullKey {
        match &self.function {
            None => FullKey::join(&self.head, key),
            Some(function) => FullKey::Long(function(key, &self.prefix, self.version)),
        }
    }

    /// What all full keys of this prefix start with, whatever the version; none under a custom function.
    pub(crate) fn shared_prefix(&self) -> Option<String> {
        self.function.is_none().then(|| format!("{}:", self.prefix))
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("prefix", &self.prefix)
            .field("version", &self.version)
            .field("custom_function", &self.function.is_some())
            .finish()
    }
}

const SHORT: usize = 120;

/// A composed key; short ones live on the stack.
#[derive(Clone)]
pub(crate) enum FullKey {
    Short { bytes: [u8; SHORT], length: u8 },
    Long(String),
}

impl FullKey {
    fn join(head: &str, key: &str) -> Self {
        let length = head.len() + key.len();
        if length > SHORT {
            return FullKey::Long([head, key].concat());
        }
        let mut bytes = [0; SHORT];
        bytes[..head.len()].copy_from_slice(head.as_bytes());
        bytes[head.len()..length].copy_from_slice(key.as_bytes());
        FullKey::Short { bytes, length: length as u8 }
    }
}

impl Deref for FullKey {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            // SAFETY: `join` is the only maker; it puts two whole strings one after the other.
            FullKey::Short { bytes, length } => unsafe {
                std::str::from_utf8_unchecked(&bytes[..usize::from(*length)])
            },
            FullKey::Long(key) => key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn namespace(prefix: &str, version: i64) -> Namespace {
        Namespace::new(prefix.into(), version, None)
    }

    #[test]
    fn keys_are_composed_as_django_composes_them() {
        assert_eq!(&*namespace("", 1).full_key("foo"), ":1:foo");
        assert_eq!(&*namespace("shop", -2).full_key("a:b é"), "shop:-2:a:b é");
    }

    #[test]
    fn long_keys_are_kept_whole() {
        for length in [SHORT - 4, SHORT - 3, SHORT - 2, 1000] {
            let key = "é".repeat(length / 2);
            assert_eq!(*namespace("", 1).full_key(&key), format!(":1:{key}"));
        }
    }

    #[test]
    fn a_custom_function_decides_alone() {
        let function: KeyFunction = Arc::new(|key, prefix, version| format!("{key}/{version}/{prefix}"));
        let namespace = Namespace::new("shop".into(), 3, Some(function));
        assert_eq!(&*namespace.full_key("a"), "a/3/shop");
        assert_eq!(namespace.shared_prefix(), None);
    }
}
