//! Which columns there are, and how a table is named in SQL.
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Which columns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Layout {
    /// Ours: flags beside the value, its size and last use, a deadline in milliseconds.
    #[default]
    Own,
    /// Django's `DatabaseCache`: `cache_key`, `value` (a pickle in base64), `expires`.
    Django,
}

impl Layout {
    const TABLE: &'static [(&'static str, Layout)] = &[("own", Layout::Own), ("django", Layout::Django)];
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Layout::Own { "own" } else { "django" })
    }
}

impl FromStr for Layout {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Layout::TABLE.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known
            .map(|&(_, layout)| layout)
            .ok_or_else(|| Error::config(format!("layout must be `own` or `django`, not {text:?}")))
    }
}

/// Checks the name of a table. It may hold blanks, as Django's LOCATION; it is always quoted.
///
/// # Errors
/// An empty name, one with a zero byte, or one that no database takes.
pub(super) fn check_table(name: &str) -> Result<()> {
    const LONGEST: usize = 63;
    if name.is_empty() || name.contains('\0') {
        return Err(Error::config(format!("table must be the name of a table, not {name:?}")));
    }
    if name.len() > LONGEST {
        return Err(Error::config(format!("table has {} bytes; databases take {LONGEST}", name.len())));
    }
    Ok(())
}

/// The name within quotes, which are doubled where they stand in it.
pub(super) fn quoted(name: &str, quote: char) -> String {
    let doubled: String = [quote, quote].iter().collect();
    format!("{quote}{}{quote}", name.replace(quote, &doubled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_named() {
        assert_eq!("Django".parse::<Layout>().unwrap(), Layout::Django);
        assert_eq!("own".parse::<Layout>().unwrap().to_string(), "own");
        assert!("mine".parse::<Layout>().unwrap_err().to_string().contains("`own` or `django`"));
    }

    #[test]
    fn names_of_tables_are_quoted() {
        assert_eq!(quoted("my \"cache\" table", '"'), "\"my \"\"cache\"\" table\"");
        assert!(check_table("my cache table").is_ok());
        for wrong in ["", "a\0b", &"x".repeat(64)] {
            assert!(check_table(wrong).is_err(), "{wrong:?}");
        }
    }
}
