//! The bytes of a pickle: opcodes, frames and the memo, laid out as CPython's pickler does.
use super::datetime::{Date, DateTime};
use super::opcode::*;
use std::collections::HashMap;

/// A frame is closed at the first object after this many bytes; larger texts stay outside of frames.
const FRAME_TARGET: usize = 64 * 1024;
/// A frame shorter than this goes without its header.
const FRAME_MIN: usize = 4;
/// `FRAME` and its length as a `u64`.
const FRAME_HEADER: usize = 9;

/// What one pickle has written so far. Each `pub` method writes one whole object or one opcode.
#[derive(Default)]
pub(super) struct Writer {
    out: Vec<u8>,
    /// Where the header of the open frame is.
    frame: Option<usize>,
    /// How many objects Python's reader will have remembered.
    memo: u32,
    /// The memo numbers of names, classes and time zones that may come again.
    names: HashMap<&'static str, u32>,
    classes: HashMap<&'static str, u32>,
    zones: HashMap<i32, u32>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Writer { out: vec![PROTO, 5], ..Writer::default() }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.op(STOP);
        self.close_frame();
        self.out
    }

    /// An opcode that belongs to the object before it.
    pub(super) fn op(&mut self, op: u8) {
        self.push(&[op]);
    }

    /// An opcode that starts an object.
    pub(super) fn start(&mut self, op: u8) {
        self.boundary();
        self.op(op);
    }

    /// Remembers the object just written and returns its number.
    pub(super) fn memoize(&mut self) -> u32 {
        self.op(MEMOIZE);
        self.memo += 1;
        self.memo - 1
    }

    pub(super) fn int(&mut self, value: i128) {
        self.boundary();
        if let Ok(small) = i32::try_from(value) {
            return self.small_int(small);
        }
        let bytes = value.to_le_bytes();
        self.long(&bytes, if value < 0 { 0xff } else { 0 });
    }

    /// An integer that may be too large for [`int`](Self::int).
    pub(super) fn unsigned(&mut self, value: u128) {
        if let Ok(value) = i128::try_from(value) {
            return self.int(value);
        }
        self.boundary();
        self.long(&value.to_le_bytes(), 0);
    }

    pub(super) fn float(&mut self, value: f64) {
        self.start(BINFLOAT);
        self.push(&value.to_be_bytes());
    }

    pub(super) fn str(&mut self, text: &str) {
        self.boundary();
        self.payload([SHORT_BINUNICODE, BINUNICODE, BINUNICODE8], text.as_bytes());
        self.memoize();
    }

    /// A name of the program: the second time it is a reference to the first.
    pub(super) fn name(&mut self, name: &'static str) {
        self.boundary();
        match self.names.get(name) {
            Some(&number) => self.get(number),
            None => {
                self.names.insert(name, self.memo);
                self.str(name);
            }
        }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.boundary();
        self.payload([SHORT_BINBYTES, BINBYTES, BINBYTES8], bytes);
        self.memoize();
    }

    pub(super) fn date(&mut self, date: Date) {
        self.class("date");
        self.bytes(&date.to_state());
        self.call(TUPLE1);
    }

    pub(super) fn datetime(&mut self, datetime: DateTime) {
        self.class("datetime");
        self.bytes(&datetime.to_state());
        match datetime.offset_seconds() {
            None => self.call(TUPLE1),
            Some(offset) => {
                self.zone(offset);
                self.call(TUPLE2)
            }
        };
    }

    fn zone(&mut self, offset: i32) {
        self.boundary();
        if let Some(&number) = self.zones.get(&offset) {
            return self.get(number);
        }
        self.class("timezone");
        self.class("timedelta");
        self.int(offset.div_euclid(86_400).into());
        self.int(offset.rem_euclid(86_400).into());
        self.int(0);
        self.call(TUPLE3);
        let number = self.call(TUPLE1);
        self.zones.insert(offset, number);
    }

    /// A class of Python's module `datetime`.
    fn class(&mut self, name: &'static str) {
        self.boundary();
        if let Some(&number) = self.classes.get(name) {
            return self.get(number);
        }
        self.name("datetime");
        self.str(name);
        self.op(STACK_GLOBAL);
        let number = self.memoize();
        self.classes.insert(name, number);
    }

    /// Calls the class below the arguments with them.
    fn call(&mut self, tuple: u8) -> u32 {
        self.op(tuple);
        self.memoize();
        self.op(REDUCE);
        self.memoize()
    }

    fn get(&mut self, number: u32) {
        match u8::try_from(number) {
            Ok(short) => self.push(&[BINGET, short]),
            Err(_) => {
                self.op(LONG_BINGET);
                self.push(&number.to_le_bytes());
            }
        }
    }

    fn small_int(&mut self, value: i32) {
        if let Ok(byte) = u8::try_from(value) {
            self.push(&[BININT1, byte]);
        } else if let Ok(short) = u16::try_from(value) {
            self.op(BININT2);
            self.push(&short.to_le_bytes());
        } else {
            self.op(BININT);
            self.push(&value.to_le_bytes());
        }
    }

    /// The shortest two's complement of little-endian `bytes` that goes on with `fill` for ever.
    fn long(&mut self, bytes: &[u8; 16], fill: u8) {
        let mut long = bytes.to_vec();
        long.push(fill);
        while long.len() > 1 && long[long.len() - 1] == fill && (long[long.len() - 2] ^ fill) < 0x80 {
            long.pop();
        }
        self.push(&[LONG1, long.len() as u8]);
        self.push(&long);
    }

    /// A length in 1, 4 or 8 bytes, each with its own opcode, then the bytes.
    fn payload(&mut self, [short, medium, long]: [u8; 3], bytes: &[u8]) {
        let length = bytes.len();
        let (op, width) = match length {
            ..=0xff => (short, 1),
            0x100..=0xffff_ffff => (medium, 4),
            _ => (long, 8),
        };
        let count = (length as u64).to_le_bytes();
        if length < FRAME_TARGET {
            self.op(op);
            self.push(&count[..width]);
            self.push(bytes);
        } else {
            self.close_frame();
            self.out.push(op);
            self.out.extend(&count[..width]);
            self.out.extend(bytes);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.frame.is_none() {
            self.frame = Some(self.out.len());
            self.out.extend([0; FRAME_HEADER]);
        }
        self.out.extend(bytes);
    }

    fn boundary(&mut self) {
        if self.frame.is_some_and(|start| self.out.len() - start - FRAME_HEADER >= FRAME_TARGET) {
            self.close_frame();
        }
    }

    fn close_frame(&mut self) {
        let Some(start) = self.frame.take() else { return };
        let body = start + FRAME_HEADER;
        let length = self.out.len() - body;
        if length < FRAME_MIN {
            self.out.drain(start..body);
        } else {
            self.out[start] = FRAME;
            self.out[start + 1..body].copy_from_slice(&(length as u64).to_le_bytes());
        }
    }
}
