//! How serde walks containers and variants of [`Unpickler`].
use super::Fault;
use super::de::Unpickler;
use super::graph::Id;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use std::slice::Iter;

/// The nodes in a container, and the container as the one whose depth they share.
pub(super) struct Items<'g> {
    pub(super) parent: Unpickler<'g>,
    pub(super) ids: Iter<'g, Id>,
}

impl Items<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        match self.ids.next() {
            Some(&id) => seed.deserialize(self.parent.child(id)?).map(Some),
            None => Ok(None),
        }
    }

    /// Fails if the visitor wanted fewer than all.
    pub(super) fn finish(&self, all: usize) -> Result<(), Fault> {
        match self.ids.len() {
            0 => Ok(()),
            left => Err(Fault::invalid_length(all, &&*format!("{} items", all - left))),
        }
    }
}

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.next(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.ids.len())
    }
}

impl<'de> MapAccess<'de> for &mut Items<'_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.next(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        self.next(seed)?.ok_or_else(|| Fault::custom("a value was asked for before its key"))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.ids.len() / 2)
    }
}

/// A variant of an enum; a bare name has no content.
pub(super) struct Variant<'g, N> {
    pub(super) name: N,
    pub(super) content: Option<Unpickler<'g>>,
}

impl<'g, N> Variant<'g, N> {
    fn content(self) -> Result<Unpickler<'g>, Fault> {
        self.content
            .ok_or_else(|| Fault::custom("a bare name was found where a variant with content was expected"))
    }
}

impl<'de, N: Deserializer<'de, Error = Fault> + Clone> EnumAccess<'de> for Variant<'_, N> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        Ok((seed.deserialize(self.name.clone())?, self))
    }
}

impl<'de, N> VariantAccess<'de> for Variant<'_, N> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.content.map_or(Ok(()), serde::Deserialize::deserialize)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.content()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.content()?.deserialize_any(visitor)
    }
}
