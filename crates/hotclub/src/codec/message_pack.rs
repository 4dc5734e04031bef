//! MessagePack, structs as maps with field names.
use super::{corrupt, unencodable};
use crate::error::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>> {
    rmp_serde::to_vec_named(value)
        .map_err(|error| unencodable(format!("MessagePack: {error}")).caused_by(error))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    rmp_serde::from_slice(bytes).map_err(|error| corrupt(format!("MessagePack: {error}")).caused_by(error))
}
