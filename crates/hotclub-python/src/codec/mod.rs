//! Values straight from and to Python objects: None, bool, int, float, str, bytes, list, tuple, dict.
//!
//! For process memory only: the bytes never leave the process, so the format is free to change. A tag byte,
//! then little-endian numbers; lengths and small numbers as LEB128. Exact types only; at the first object
//! of another type, or the first mutable object that appears twice, the whole value goes to `pickle`.
mod decode;
mod encode;
mod presized;

pub(crate) use decode::{KeyCache, decode};
pub(crate) use encode::encode;
pub(crate) use presized::sized_dict;

const NONE: u8 = 0;
const TRUE: u8 = 1;
const FALSE: u8 = 2;
/// Zigzag, LEB128.
const INTEGER: u8 = 3;
const FLOAT: u8 = 4;
/// Text whose characters are all ASCII.
const ASCII: u8 = 5;
/// UTF-8.
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const LIST: u8 = 8;
const TUPLE: u8 = 9;
const DICT: u8 = 10;

/// Deeper values go to `pickle`, which has a limit of its own and an error for it.
const DEEPEST: usize = 64;
