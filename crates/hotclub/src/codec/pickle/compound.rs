//! Containers while they are written: marks, batches and the opcode at their end.
use super::Fault;
use super::opcode::*;
use super::ser::Pickler;
use super::write::Writer;
use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

/// Python's reader takes items in portions of this size.
const BATCH: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    List,
    Tuple,
    Set,
    FrozenSet,
    Dict,
}

impl Shape {
    /// The opcode that makes the container, the one that adds one item, and the one that adds a batch.
    fn opcodes(self) -> [u8; 3] {
        match self {
            Shape::List => [EMPTY_LIST, APPEND, APPENDS],
            Shape::Dict => [EMPTY_DICT, SETITEM, SETITEMS],
            _ => [EMPTY_SET, ADDITEMS, ADDITEMS],
        }
    }

    /// Whether it exists before its items, and grows.
    fn grows(self) -> bool {
        matches!(self, Shape::List | Shape::Dict | Shape::Set)
    }

    pub(super) fn unhashable(self) -> Fault {
        let name = match self {
            Shape::List => "list",
            Shape::Set => "set",
            _ => "dict",
        };
        Fault(format!("a {name} can be no key of a Python dict and no item of a set"))
    }
}

pub(super) struct Compound<'a> {
    pickler: &'a mut Pickler,
    shape: Shape,
    announced: Option<usize>,
    items: usize,
    /// Items since the last mark.
    batch: usize,
    hashable_outside: bool,
    variant: bool,
}

impl<'a> Compound<'a> {
    pub(super) fn open(
        pickler: &'a mut Pickler,
        shape: Shape,
        announced: Option<usize>,
    ) -> Result<Self, Fault> {
        if pickler.hashable && shape.grows() {
            return Err(shape.unhashable());
        }
        pickler.enter()?;
        match shape {
            Shape::Tuple => match announced {
                Some(0) => pickler.writer.start(EMPTY_TUPLE),
                Some(1..=3) => (),
                _ => pickler.writer.start(MARK),
            },
            Shape::FrozenSet => pickler.writer.start(MARK),
            _ => {
                pickler.writer.start(shape.opcodes()[0]);
                pickler.writer.memoize();
            }
        }
        let hashable_outside = pickler.hashable;
        Ok(Compound { pickler, shape, announced, items: 0, batch: 0, hashable_outside, variant: false })
    }

    /// The container is the content of an enum's variant.
    pub(super) fn of_variant(self) -> Self {
        Compound { variant: true, ..self }
    }

    /// A list or dict of one item goes without a mark.
    fn is_single(&self) -> bool {
        self.announced == Some(1) && self.items == 0 && self.shape != Shape::Set
    }

    fn before(&mut self) {
        if self.shape.grows() && self.batch == 0 && !self.is_single() {
            self.pickler.writer.op(MARK);
        }
    }

    fn after(&mut self) {
        let [_, add_one, add_batch] = self.shape.opcodes();
        let single = self.is_single();
        self.items += 1;
        if !self.shape.grows() {
            return;
        }
        self.batch += 1;
        if single {
            self.pickler.writer.op(add_one);
            self.batch = 0;
        } else if self.batch == BATCH {
            self.pickler.writer.op(add_batch);
            self.batch = 0;
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        self.before();
        self.pickler.hashable |= matches!(self.shape, Shape::Set | Shape::FrozenSet);
        value.serialize(&mut *self.pickler)?;
        self.pickler.hashable = self.hashable_outside;
        self.after();
        Ok(())
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        self.before();
        self.pickler.writer.name(name);
        value.serialize(&mut *self.pickler)?;
        self.after();
        Ok(())
    }

    fn close(self) -> Result<(), Fault> {
        let writer = &mut self.pickler.writer;
        match self.shape {
            Shape::Tuple => close_tuple(writer, self.items, self.announced)?,
            Shape::FrozenSet => {
                writer.op(FROZENSET);
                writer.memoize();
            }
            shape if self.batch > 0 => writer.op(shape.opcodes()[2]),
            // CPython learns from an empty batch that a set or dict is at its end.
            shape @ (Shape::Set | Shape::Dict) if self.items > 0 && self.items.is_multiple_of(BATCH) => {
                writer.op(MARK);
                writer.op(shape.opcodes()[2]);
            }
            _ => (),
        }
        self.pickler.leave();
        if self.variant {
            self.pickler.end_variant();
        }
        Ok(())
    }
}

fn close_tuple(writer: &mut Writer, items: usize, announced: Option<usize>) -> Result<(), Fault> {
    if announced != Some(items) {
        return Err(Fault::new("a tuple has another length than its Serialize announced"));
    }
    match items {
        0 => return Ok(()),
        1 => writer.op(TUPLE1),
        2 => writer.op(TUPLE2),
        3 => writer.op(TUPLE3),
        _ => writer.op(TUPLE),
    }
    writer.memoize();
    Ok(())
}

macro_rules! sequence {
    ($($trait:ident::$method:ident,)*) => {
        $(impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
                self.item(value)
            }

            fn end(self) -> Result<(), Fault> {
                self.close()
            }
        })*
    };
}

sequence! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! structure {
    ($($trait:ident,)*) => {
        $(impl $trait for Compound<'_> {
            type Ok = ();
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Fault> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Fault> {
                self.close()
            }
        })*
    };
}

structure! { SerializeStruct, SerializeStructVariant, }

impl SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Fault> {
        self.before();
        self.pickler.hashable = true;
        key.serialize(&mut *self.pickler)?;
        self.pickler.hashable = self.hashable_outside;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        value.serialize(&mut *self.pickler)?;
        self.after();
        Ok(())
    }

    fn end(self) -> Result<(), Fault> {
        self.close()
    }
}
