//! Settings as text: what a URL's query or a table says, taken option by option, the rest refused.
use crate::error::{Error, Result};
use crate::timeout::Life;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// One cache as a table (TOML, JSON, any serde format): `backend` or `url`, and options beside it.
///
/// ```
/// let config: hotclub::CacheConfig =
///     serde_json::from_str(r#"{"backend": "memory", "max_bytes": "1MiB", "timeout": 60}"#)?;
/// let cache = hotclub::Cache::from_config(&config)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, Deserialize, PartialEq)]
#[serde(transparent)]
pub struct CacheConfig(BTreeMap<String, Scalar>);

impl CacheConfig {
    /// A cache that this URL opens.
    pub fn url(url: impl ToString) -> Self {
        CacheConfig::default().option("url", url)
    }

    /// The same with an option more.
    #[must_use]
    pub fn option(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), Scalar::Text(value.to_string()));
        self
    }

    pub(crate) fn options(&self) -> Options {
        Options(self.0.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.to_string())).collect())
    }
}

/// Shows names only: a value may hold a password.
impl fmt::Debug for CacheConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheConfig").field(&self.0.keys()).finish()
    }
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Nothing(()),
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Bool(value) => value.fmt(f),
            Scalar::Integer(value) => value.fmt(f),
            Scalar::Float(value) => value.fmt(f),
            Scalar::Text(value) => value.fmt(f),
            Scalar::Nothing(()) => f.write_str("none"),
        }
    }
}

/// Options not yet taken, by name in lower case.
#[derive(Default)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// Options of a URL's query. A name given twice is an error.
    pub(crate) fn from_query(url: &url::Url) -> Result<Self> {
        let mut options = Options::default();
        for (name, value) in url.query_pairs() {
            options.add(name.into_owned(), value.into_owned())?;
        }
        Ok(options)
    }

    pub(crate) fn add(&mut self, name: String, value: String) -> Result<()> {
        let name = name.to_ascii_lowercase();
        if self.0.contains_key(&name) {
            return Err(Error::config(format!("the option {name} is given twice")));
        }
        self.0.insert(name, value);
        Ok(())
    }

    pub(crate) fn extend(&mut self, other: Options) -> Result<()> {
        other.0.into_iter().try_for_each(|(name, value)| self.add(name, value))
    }

    /// Whether an option is given and not yet taken.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether an option has this value.
    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.0.get(name).is_some_and(|given| given == value)
    }

    /// Takes an option's text.
    pub fn take(&mut self, name: &str) -> Option<String> {
        self.0.remove(name)
    }

    /// Takes a whole number.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is none.
    pub fn take_integer(&mut self, name: &str) -> Result<Option<i64>> {
        let parse = |text: String| {
            text.trim()
                .parse()
                .map_err(|_| Error::config(format!("{name} must be a whole number, not {text:?}")))
        };
        self.take(name).map(parse).transpose()
    }

    /// Takes a number.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the text is none.
    pub fn take_number(&mut self, name: &str) -> Result<Option<f64>> {
        let parse = |text: String| match text.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number),
            _ => Err(Error::config(format!("{name} must be a number, not {text:?}"))),
        };
        self.take(name).map(parse).transpose()
    }

    /// Takes a timeout: seconds, or `never`.
    pub(crate) fn take_life(&mut self, name: &str) -> Result<Option<Life>> {
        let Some(text) = self.take(name) else { return Ok(None) };
        if ["never", "none"].iter().any(|never| text.eq_ignore_ascii_case(never)) {
            return Ok(Some(Life::Never));
        }
        let seconds = text.trim().parse::<f64>().ok().filter(|seconds| !seconds.is_nan());
        let Some(seconds) = seconds else {
            return Err(Error::config(format!(
                "{name} must be a number of seconds or \"never\", not {text:?}"
            )));
        };
        Ok(Some(match Duration::try_from_secs_f64(seconds) {
            Ok(Duration::ZERO) => Life::Gone,
            Ok(time) => Life::For(time),
            Err(_) if seconds < 0.0 => Life::Gone,
            Err(_) => Life::Never,
        }))
    }

    /// Refuses what nobody took, with the list of what is known.
    pub(crate) fn finish<'a>(self, known: impl Iterator<Item = &'a str>) -> Result<()> {
        let unknown: Vec<_> = self.0.into_keys().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let known: Vec<_> = known.collect();
        Err(Error::config(format!("unknown option {}; known are {}", unknown.join(", "), known.join(", "))))
    }
}

/// Reads a number of bytes: `1048576`, `64MiB`, `64 mb` (binary units either way), `1GiB`.
#[cfg(any(test, feature = "memory", feature = "file", feature = "sqlite"))]
pub(crate) fn parse_bytes(name: &str, text: &str) -> Result<usize> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &lower[digits.len()..] {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1_usize << 30),
        _ => None,
    };
    let bytes =
        unit.zip(digits.trim().parse::<usize>().ok()).and_then(|(unit, number)| number.checked_mul(unit));
    bytes.filter(|&bytes| bytes > 0).ok_or_else(|| {
        Error::config(format!("{name} must be a number of bytes like 1048576 or 64MiB, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_and_without_unit() {
        for (text, bytes) in [("7", 7), ("64MiB", 64 << 20), ("64 mb", 64 << 20), ("1g", 1 << 30)] {
            assert_eq!(parse_bytes("max_bytes", text).unwrap(), bytes);
        }
        for text in ["", "x", "-1", "0", "1.5MiB", "64 parsecs", "99999999999GiB"] {
            let error = parse_bytes("max_bytes", text).unwrap_err().to_string();
            assert!(error.contains("max_bytes") && error.contains(text), "{error}");
        }
    }

    #[test]
    fn a_config_never_shows_its_values() {
        let config = CacheConfig::url("redis://user:secret@host/1");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn what_nobody_takes_is_refused_with_what_is_known() {
        let mut options = Options::default();
        options.add("Max_Entires".into(), "5".into()).unwrap();
        let error = options.finish(["max_entries", "policy"].into_iter()).unwrap_err().to_string();
        assert!(error.contains("max_entires") && error.contains("max_entries, policy"), "{error}");
    }
}
