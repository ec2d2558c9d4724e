//! Which fields a request has, asked of its own `Deserialize`: so a field stands in its struct and nowhere else.

use serde::de::value::{Error, MapAccessDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess,
};
use serde::de::{Error as _, Visitor};
use serde::forward_to_deserialize_any;

use crate::call::Call;
use crate::credential::{Ensure, Revoke, Rotate};
use crate::routes::Operation;
use crate::sync::{Nothing, Resync};
use crate::target::Target;

/// One field of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may be absent or null.
    pub optional: bool,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A secret, which is shown to nobody again.
    Secret,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
    /// A moment in epoch milliseconds.
    Moment,
    /// A number that counts.
    Count,
}

/// The fields of `T`, in the order of the struct.
pub fn of<T: DeserializeOwned>() -> Vec<Field> {
    let mut fields = Vec::new();
    let asked = T::deserialize(Struct(&mut fields));
    debug_assert!(asked.is_ok(), "a field of a kind that no request has");
    fields
}

/// The fields of an operation's form, in their order; `None` for an operation that takes none.
pub fn of_form(operation: Operation) -> Option<Vec<Field>> {
    Some(match operation {
        Operation::Ensure => of::<Ensure>(),
        Operation::Rotate => of::<Rotate>(),
        Operation::Revoke => of::<Revoke>(),
        Operation::Resync => of::<Resync>(),
        Operation::PutTarget => of::<Target>(),
        Operation::CallTarget => of::<Call>(),
        Operation::Sync | Operation::DeleteTarget | Operation::StopPeer | Operation::StartPeer => {
            of::<Nothing>()
        }
        Operation::State
        | Operation::Hash
        | Operation::LocalClients
        | Operation::Mesh
        | Operation::MeshHealth
        | Operation::Timeline => return None,
    })
}

/// Gives a struct each of its fields once, and takes down what it wants of each.
struct Struct<'a>(&'a mut Vec<Field>);

impl<'de> Deserializer<'de> for Struct<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("a request is a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let fields = Fields {
            names: names.iter(),
            name: "",
            taken: self.0,
        };
        MapAccessDeserializer::new(fields).deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Fields<'a> {
    names: std::slice::Iter<'static, &'static str>,
    name: &'static str,
    taken: &'a mut Vec<Field>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.names.next() else {
            return Ok(None);
        };
        self.name = name;
        seed.deserialize((*name).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.taken.push(Field {
            name: self.name,
            kind: Kind::Text,
            optional: false,
        });
        match self.taken.last_mut() {
            Some(field) => seed.deserialize(Wanted(field)),
            None => Err(Error::custom("it was pushed just now")),
        }
    }
}

/// Takes down what a field wants, and gives it the least of that kind.
struct Wanted<'a>(&'a mut Field);

impl<'de> Deserializer<'de> for Wanted<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_str("0")
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.optional = true;
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        if name == "Secret" {
            self.0.kind = Kind::Secret;
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.kind = Kind::List;
        visitor.visit_seq(de::value::SeqDeserializer::new(std::iter::empty::<&str>()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.0.kind = Kind::Choice(words);
        visitor.visit_enum(words[0].into_deserializer())
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.kind = Kind::Moment;
        visitor.visit_i64(1)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.kind = Kind::Count;
        visitor.visit_u64(1)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 u8 u16 u32 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::MeshQuery;

    fn shown<T: DeserializeOwned>() -> Vec<(&'static str, Kind, bool)> {
        let fields = of::<T>().into_iter();
        fields
            .map(|field| (field.name, field.kind, field.optional))
            .collect()
    }

    #[test]
    fn a_struct_tells_its_fields() {
        let tracks = Kind::Choice(&["http", "message"]);
        assert_eq!(
            shown::<Ensure>(),
            [
                ("clientId", Kind::Text, false),
                ("secret", Kind::Secret, false),
                ("targets", Kind::List, false),
                ("track", tracks, true),
                ("allowedIps", Kind::List, true),
                ("expiresAt", Kind::Moment, true),
            ]
        );
        assert_eq!(shown::<Call>()[2], ("secret", Kind::Secret, true));
        assert_eq!(shown::<Resync>()[2], ("track", tracks, true));
        assert_eq!(shown::<MeshQuery>()[1], ("limit", Kind::Count, true));
        assert!(shown::<Nothing>().is_empty());
    }

    #[test]
    fn only_changes_take_forms() {
        assert!(of_form(Operation::State).is_none());
        assert!(of_form(Operation::LocalClients).is_none());
        assert_eq!(of_form(Operation::Sync), Some(Vec::new()));
    }
}
