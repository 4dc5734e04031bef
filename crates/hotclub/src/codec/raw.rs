//! Bytes and text as they are.
use super::{corrupt, unencodable};
use crate::entry::Flags;
use crate::error::Result;
use serde::Deserialize;
use serde::de::value::{Error as Problem, SeqDeserializer};
use serde::de::{self, Deserializer, Visitor};
use serde::ser::{self, Impossible, Serialize, SerializeSeq, SerializeTuple, Serializer};

pub(super) fn encode<T: Serialize + ?Sized>(value: &T) -> Result<(Vec<u8>, Flags)> {
    value.serialize(Writer).map_err(|_| {
        let what = std::any::type_name::<T>();
        unencodable(format!("the raw codec takes bytes, text and whole numbers, not {what}"))
    })
}

/// Who takes anything gets what it was.
pub(super) fn decode<'de, T: Deserialize<'de>>(bytes: &'de [u8], is_text: bool) -> Result<T> {
    T::deserialize(Reader(bytes, is_text)).map_err(|error| corrupt(format!("raw: {error}")))
}

struct Reader<'de>(&'de [u8], bool);

impl<'de> Reader<'de> {
    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        let text =
            std::str::from_utf8(self.0).map_err(|_| de::Error::custom("these bytes are no UTF-8 text"))?;
        visitor.visit_borrowed_str(text)
    }
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        if self.1 { self.text(visitor) } else { visitor.visit_borrowed_bytes(self.0) }
    }
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_borrowed_bytes(self.0)
    }
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_borrowed_bytes(self.0)
    }
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text(visitor)
    }
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        self.text(visitor)
    }
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().copied()))
    }
    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Problem> {
        self.deserialize_seq(visitor)
    }
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Problem> {
        visitor.visit_some(self)
    }
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Problem> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char unit unit_struct
        tuple_struct map struct enum identifier ignored_any
    }
}

struct Writer;
type Written = (Vec<u8>, Flags);

fn refused() -> Problem {
    ser::Error::custom("")
}

macro_rules! refused {
    ($($method:ident ( $($argument:ty),* )),* $(,)?) => {$(
        fn $method(self, $(_: $argument),*) -> Result<Written, Problem> {
            Err(refused())
        }
    )*};
}
macro_rules! refused_compounds {
    ($($method:ident ( $($argument:ty),* ) $kind:ident),* $(,)?) => {$(
        type $kind = Impossible<Written, Problem>;
        fn $method(self, $(_: $argument),*) -> Result<Self::$kind, Problem> {
            Err(refused())
        }
    )*};
}

impl Serializer for Writer {
    type Ok = Written;
    type Error = Problem;
    type SerializeSeq = Octets;
    type SerializeTuple = Octets;

    fn serialize_bytes(self, bytes: &[u8]) -> Result<Written, Problem> {
        Ok((bytes.to_vec(), Flags::RAW))
    }
    fn serialize_str(self, text: &str) -> Result<Written, Problem> {
        Ok((text.as_bytes().to_vec(), Flags::TEXT))
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Written, Problem> {
        value.serialize(self)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Written, Problem> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<Written, Problem> {
        Err(refused())
    }
    /// `Vec<u8>` and `[u8; N]` reach serde as sequences.
    fn serialize_seq(self, length: Option<usize>) -> Result<Octets, Problem> {
        Ok(Octets(Vec::with_capacity(length.unwrap_or(0).min(1 << 20))))
    }
    fn serialize_tuple(self, length: usize) -> Result<Octets, Problem> {
        self.serialize_seq(Some(length))
    }

    refused!(
        serialize_bool(bool),
        serialize_i8(i8),
        serialize_i16(i16),
        serialize_i32(i32),
        serialize_i64(i64),
        serialize_u8(u8),
        serialize_u16(u16),
        serialize_u32(u32),
        serialize_u64(u64),
        serialize_f32(f32),
        serialize_f64(f64),
        serialize_char(char),
        serialize_none(),
        serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    );
    refused_compounds!(
        serialize_tuple_struct(&'static str, usize) SerializeTupleStruct,
        serialize_tuple_variant(&'static str, u32, &'static str, usize) SerializeTupleVariant,
        serialize_map(Option<usize>) SerializeMap,
        serialize_struct(&'static str, usize) SerializeStruct,
        serialize_struct_variant(&'static str, u32, &'static str, usize) SerializeStructVariant,
    );
}

struct Octets(Vec<u8>);

impl Octets {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        let octet = super::integer::probe(value).and_then(|number| u8::try_from(number).ok());
        self.0.push(octet.ok_or_else(refused)?);
        Ok(())
    }
}

impl SerializeSeq for Octets {
    type Ok = Written;
    type Error = Problem;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.push(value)
    }
    fn end(self) -> Result<Written, Problem> {
        Ok((self.0, Flags::RAW))
    }
}

impl SerializeTuple for Octets {
    type Ok = Written;
    type Error = Problem;
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Problem> {
        self.push(value)
    }
    fn end(self) -> Result<Written, Problem> {
        Ok((self.0, Flags::RAW))
    }
}
