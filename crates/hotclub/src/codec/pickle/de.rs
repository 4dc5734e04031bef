//! serde's view of [`Graph`]: the forgiving side, and the one that keeps the budget.
use super::access::{Items, Variant};
use super::graph::{Graph, Id, Node};
use super::value::Special;
use super::{Fault, MAX_DEPTH, marker};
use serde::de::value::SeqDeserializer;
use serde::de::{Deserializer, Error, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

/// One node as a value. To make one costs a unit of the graph's budget, plus what its text costs.
#[derive(Clone, Copy)]
pub(super) struct Unpickler<'g> {
    graph: &'g Graph<'g>,
    node: &'g Node<'g>,
    depth: usize,
}

impl<'g> Unpickler<'g> {
    pub(super) fn new(graph: &'g Graph<'g>, root: Id) -> Result<Self, Fault> {
        Unpickler { graph, node: &Node::None, depth: 0 }.child(root)
    }

    pub(super) fn child(self, id: Id) -> Result<Self, Fault> {
        let node = self.graph.node(id);
        self.graph.spend(1)?;
        match node {
            Node::Str(text) => self.graph.spend_bytes(text.len())?,
            Node::Bytes(bytes) => self.graph.spend_bytes(bytes.len())?,
            _ => (),
        }
        Ok(Unpickler { node, ..self })
    }

    fn deeper(self) -> Result<Self, Fault> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH { Err(Fault::too_deep()) } else { Ok(Unpickler { depth, ..self }) }
    }

    fn items(self, ids: &'g [Id]) -> Result<Items<'g>, Fault> {
        Ok(Items { parent: self.deeper()?, ids: ids.iter() })
    }

    fn visit_items<'de, V: Visitor<'de>>(self, ids: &'g [Id], visitor: V) -> Result<V::Value, Fault> {
        let mut items = self.items(ids)?;
        let value = visitor.visit_seq(&mut items)?;
        items.finish(ids.len())?;
        Ok(value)
    }

    fn visit_entries<'de, V: Visitor<'de>>(self, ids: &'g [Id], visitor: V) -> Result<V::Value, Fault> {
        let mut items = self.items(ids)?;
        let value = visitor.visit_map(&mut items)?;
        items.finish(ids.len())?;
        Ok(value)
    }

    /// The variant of [`Special`] for what serde's own data model cannot tell from something else.
    fn special(self) -> Option<&'static str> {
        match self.node {
            Node::Tuple(_) => Some(Special::TUPLE),
            Node::Set(_) => Some(Special::SET),
            Node::FrozenSet(_) => Some(Special::FROZENSET),
            Node::DateTime(_) => Some(Special::DATETIME),
            Node::Date(_) => Some(Special::DATE),
            _ => None,
        }
    }
}

fn visit_int<'de, V: Visitor<'de>>(value: i128, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(value) = i64::try_from(value) {
        visitor.visit_i64(value)
    } else if let Ok(value) = u64::try_from(value) {
        visitor.visit_u64(value)
    } else {
        visitor.visit_i128(value)
    }
}

impl<'de> Deserializer<'de> for Unpickler<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::None => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Int(value) => visit_int(*value, visitor),
            Node::Huge(value) => visitor.visit_u128(*value),
            Node::Float(value) => visitor.visit_f64(*value),
            Node::Str(text) => visitor.visit_str(text),
            Node::Bytes(bytes) => visitor.visit_bytes(bytes),
            Node::List(ids) | Node::Tuple(ids) | Node::Set(ids) | Node::FrozenSet(ids) => {
                self.visit_items(ids, visitor)
            }
            Node::Dict(ids) => self.visit_entries(ids, visitor),
            Node::DateTime(datetime) => visitor.visit_string(datetime.to_string()),
            Node::Date(date) => visitor.visit_string(date.to_string()),
            Node::TimeDelta(_) => Err(Fault::foreign("datetime.timedelta")),
            Node::TimeZone(_) => Err(Fault::foreign("datetime.timezone")),
            Node::Global(global) => Err(Fault::foreign(format_args!("class, {global}"))),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    /// Integers of any size are numbers too.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::Int(value) => visitor.visit_f64(*value as f64),
            Node::Huge(value) => visitor.visit_f64(*value as f64),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::None => visitor.visit_none(),
            _ => visitor.visit_some(self.deeper()?),
        }
    }

    /// `bytes` are a sequence too.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Node::Bytes(bytes) = self.node else { return self.deserialize_any(visitor) };
        let mut items = SeqDeserializer::new(bytes.iter().copied());
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match (name, self.node) {
            (marker::DATETIME, Node::DateTime(datetime)) => visitor.visit_string(datetime.to_text()),
            (marker::DATETIME | marker::DATE, _) => self.deserialize_any(visitor),
            (marker::VALUE, _) => match self.special() {
                Some(name) => {
                    visitor.visit_enum(Variant { name: name.into_deserializer(), content: Some(self) })
                }
                None => self.deserialize_any(visitor),
            },
            _ => visitor.visit_newtype_struct(self.deeper()?),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node {
            Node::Str(_) => visitor.visit_enum(Variant { name: self, content: None }),
            Node::Dict(ids) if ids.len() == 2 => {
                let inside = self.deeper()?;
                let (name, content) = (inside.child(ids[0])?, Some(inside.child(ids[1])?));
                visitor.visit_enum(Variant { name, content })
            }
            Node::Dict(_) => Err(Fault::invalid_type(Unexpected::Map, &"a dict of one entry")),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 char str string bytes byte_buf
        unit unit_struct map struct identifier
    }
}
