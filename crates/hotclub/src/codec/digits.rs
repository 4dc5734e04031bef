//! Whole numbers where Django reads: a pickled number there, decimal digits to everyone above.
use super::{integer, pickle};
use crate::error::Result;
use bytes::Bytes;
use std::borrow::Cow;

/// What is stored for these bytes: digits are a pickled number, everything else is as it is.
pub(crate) fn to_pickle(value: &[u8]) -> Result<Cow<'_, [u8]>> {
    match integer::parse(value).filter(|number| integer::encode(*number) == value) {
        Some(number) => pickle::to_vec(&number).map(Cow::Owned),
        None => Ok(value.into()),
    }
}

/// The bytes of what was stored.
pub(crate) fn from_pickle(stored: Vec<u8>) -> Bytes {
    pickle::whole_number(&stored).map_or_else(|| Bytes::from(stored), integer::encode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_digits_become_numbers_and_come_back() {
        for digits in ["0", "42", "-7", "170141183460469231731687303715884105727"] {
            let stored = to_pickle(digits.as_bytes()).unwrap().into_owned();
            assert_eq!(stored.first(), Some(&0x80), "{digits}");
            assert_eq!(from_pickle(stored), digits.as_bytes());
        }
        for text in ["", "007", "+1", "1.5", " 1", "a"] {
            assert_eq!(to_pickle(text.as_bytes()).unwrap(), text.as_bytes());
            assert_eq!(from_pickle(text.as_bytes().to_vec()), text.as_bytes());
        }
    }
}
