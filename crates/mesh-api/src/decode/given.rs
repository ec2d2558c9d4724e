//! A request as it was given, read into its struct.

use std::collections::VecDeque;

use serde::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;
use zeroize::Zeroize;

use crate::decode::mistake::Mistake;
use crate::decode::moment;
use crate::fields::{self, Field};

/// One value.
pub(super) enum Given {
    /// Of a JSON object.
    Json(Value),
    /// Of a query.
    Text(String),
    /// Of a form: a field that is given once.
    Field(String),
    /// Of a form: a field of which each time is one of a list.
    List(Vec<String>),
}

/// The members of a request that becomes a `T`. What is null counts as absent where null means nothing.
pub(super) fn members<T: DeserializeOwned>(
    given: Vec<(String, Given)>,
) -> MapAccessDeserializer<Members> {
    let fields = fields::of::<T>();
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    let means_nothing = |name: &str, value: &Given| {
        matches!(value, Given::Json(Value::Null)) && find(name).is_some_and(|field| !field.optional)
    };
    let given = given.into_iter();
    let rest = given
        .filter(|(name, value)| !means_nothing(name, value))
        .collect();
    MapAccessDeserializer::new(Members {
        fields,
        rest,
        value: None,
    })
}

/// Members that were not taken yet. A secret may be among them: texts are wiped on drop.
pub(super) struct Members {
    fields: Vec<Field>,
    rest: VecDeque<(String, Given)>,
    value: Option<(String, Given)>,
}

impl Drop for Members {
    fn drop(&mut self) {
        let rest = self.rest.drain(..).chain(self.value.take());
        rest.for_each(|(_, value)| value.wipe());
    }
}

impl<'de> MapAccess<'de> for Members {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        self.value = self.rest.pop_front();
        let name = self.value.as_ref().map(|(name, _)| name.as_str());
        name.map(|name| seed.deserialize(name.into_deserializer()))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((name, value)) = self.value.take() else {
            return Err(Mistake::custom("a value is asked for before its name"));
        };
        let field = self.fields.iter().find(|field| field.name == name);
        seed.deserialize(Reader(value))
            .map_err(|mistake| mistake.at(&name, field))
    }
}

struct Reader(Given);

impl<'de> Deserializer<'de> for Reader {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Given::Text(text) | Given::Field(text) | Given::Json(Value::String(text)) => {
                visitor.visit_string(text)
            }
            Given::List(texts) => visitor.visit_seq(SeqDeserializer::new(texts.into_iter())),
            Given::Json(Value::Null) => visitor.visit_unit(),
            Given::Json(Value::Bool(value)) => visitor.visit_bool(value),
            Given::Json(Value::Number(number)) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => visitor.visit_i64(number),
                (None, Some(number)) => visitor.visit_u64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
            },
            Given::Json(Value::Array(items)) => {
                let items = items.into_iter().map(|item| Reader(Given::Json(item)));
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            Given::Json(Value::Object(_)) => Err(Mistake::invalid_type(Unexpected::Map, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0 {
            Given::Json(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// One text of a form holds a list, separated by line ends, commas or blanks.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0 {
            Given::Field(text) => {
                let items = items(text).map(str::to_owned);
                visitor.visit_seq(SeqDeserializer::new(items))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0 {
            Given::Field(text) => match moment::parse(text) {
                Some(moment) => visitor.visit_i64(moment),
                None => Err(Mistake::said(
                    "must be a moment such as 2030-12-31T23:59 (UTC)",
                )),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.0 {
            Given::Text(text) => match text.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => Err(Mistake::invalid_type(Unexpected::Str(""), &visitor)),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        match self.0 {
            Given::Text(word) | Given::Field(word) | Given::Json(Value::String(word)) => {
                visitor.visit_enum(word.into_deserializer())
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 u8 u16 u32 f32 f64 char str string bytes byte_buf unit unit_struct tuple
        tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Mistake> for Reader {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The items of a list that one text holds.
pub(super) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|item| !item.is_empty())
}

impl Given {
    /// One level deep is enough for what requests hold, and for a secret that was put into a list by mistake.
    fn wipe(self) {
        match self {
            Self::Text(text) | Self::Field(text) | Self::Json(Value::String(text)) => wipe(text),
            Self::List(texts) => texts.into_iter().for_each(wipe),
            Self::Json(Value::Array(items)) => items.into_iter().for_each(|item| {
                if let Value::String(text) = item {
                    wipe(text);
                }
            }),
            Self::Json(_) => {}
        }
    }
}

fn wipe(mut text: String) {
    text.zeroize();
}
