//! JSON text.
use super::{corrupt, unencodable};
use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| unencodable(format!("JSON: {error}")).caused_by(error))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| corrupt(format!("JSON: {error}")).caused_by(error))
}
