//! serde's view of [`Writer`]: which Python object each Rust value becomes.
use super::compound::{Compound, Shape};
use super::opcode::*;
use super::write::Writer;
use super::{Fault, MAX_DEPTH, marker};
use serde::ser::{Serialize, Serializer};
use std::mem::take;

/// One value as a whole pickle.
pub(super) fn pickle<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Fault> {
    let mut pickler = Pickler { writer: Writer::new(), ..Pickler::default() };
    value.serialize(&mut pickler)?;
    Ok(pickler.writer.finish())
}

/// What the text or sequence that comes next stands for.
#[derive(Default, Clone, Copy)]
pub(super) enum Role {
    #[default]
    Plain,
    Set,
    FrozenSet,
    DateTime,
    Date,
}

impl Role {
    fn of(name: &str) -> Self {
        match name {
            marker::SET => Role::Set,
            marker::FROZENSET => Role::FrozenSet,
            marker::DATETIME => Role::DateTime,
            marker::DATE => Role::Date,
            _ => Role::Plain,
        }
    }
}

#[derive(Default)]
pub(super) struct Pickler {
    pub(super) writer: Writer,
    /// Inside a key of a dict or an item of a set, where Python wants what it can hash.
    pub(super) hashable: bool,
    role: Role,
    depth: usize,
}

impl Pickler {
    pub(super) fn enter(&mut self) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Fault::too_deep()) } else { Ok(()) }
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    fn transparent<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.enter()?;
        value.serialize(&mut *self)?;
        self.leave();
        Ok(())
    }

    fn dated(&mut self, role: Role, text: &str) -> Result<(), Fault> {
        match role {
            Role::DateTime => self.writer.datetime(text.parse().map_err(Fault::new)?),
            Role::Date => self.writer.date(text.parse().map_err(Fault::new)?),
            _ => self.writer.str(text),
        }
        Ok(())
    }

    /// The dict of one entry that stands for a variant, up to its content.
    fn variant(&mut self, name: &'static str) -> Result<(), Fault> {
        if self.hashable {
            return Err(Shape::Dict.unhashable());
        }
        self.enter()?;
        self.writer.start(EMPTY_DICT);
        self.writer.memoize();
        self.writer.name(name);
        Ok(())
    }

    pub(super) fn end_variant(&mut self) {
        self.writer.op(SETITEM);
        self.leave();
    }
}

macro_rules! integers {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Fault> {
            self.writer.int(value.into());
            Ok(())
        })*
    };
}

impl<'a> Serializer for &'a mut Pickler {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64,
    }

    fn serialize_u128(self, value: u128) -> Result<(), Fault> {
        self.writer.unsigned(value);
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<(), Fault> {
        self.writer.start(if value { NEWTRUE } else { NEWFALSE });
        Ok(())
    }

    fn serialize_f32(self, value: f32) -> Result<(), Fault> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Fault> {
        self.writer.float(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Fault> {
        self.writer.str(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Fault> {
        let role = take(&mut self.role);
        self.dated(role, text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Fault> {
        self.writer.bytes(bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Fault> {
        self.transparent(value)
    }

    fn serialize_unit(self) -> Result<(), Fault> {
        self.writer.start(NONE);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Fault> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> Result<(), Fault> {
        self.writer.name(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Result<(), Fault> {
        self.role = Role::of(name);
        if let Role::Plain = self.role {
            return self.transparent(value);
        }
        let done = value.serialize(&mut *self);
        self.role = Role::Plain;
        done
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Compound<'a>, Fault> {
        let shape = match take(&mut self.role) {
            Role::Set => Shape::Set,
            Role::FrozenSet => Shape::FrozenSet,
            _ => Shape::List,
        };
        Compound::open(self, shape, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<Compound<'a>, Fault> {
        Compound::open(self, Shape::Tuple, Some(len))
    }

    fn serialize_tuple_struct(self, _: &str, len: usize) -> Result<Compound<'a>, Fault> {
        self.serialize_tuple(len)
    }

    fn serialize_tuple_variant(
        self,
        _: &str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Fault> {
        self.variant(variant)?;
        Ok(Compound::open(self, Shape::Tuple, Some(len))?.of_variant())
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Compound<'a>, Fault> {
        Compound::open(self, Shape::Dict, len)
    }

    fn serialize_struct(self, _: &str, len: usize) -> Result<Compound<'a>, Fault> {
        self.serialize_map(Some(len))
    }

    fn serialize_struct_variant(
        self,
        _: &str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Compound<'a>, Fault> {
        self.variant(variant)?;
        Ok(self.serialize_map(Some(len))?.of_variant())
    }
}
