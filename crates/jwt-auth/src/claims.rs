//! Claims that several kinds of tokens share (RFC 7519, section 4.1).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

/// What a clock may be off, in seconds: so much later an expired token is still taken, so much earlier one from the future.
pub const LEEWAY_SECONDS: i64 = 5;

/// What was used is remembered for so many seconds longer than it can be accepted: the clocks of instances that share the
/// memory may differ by that.
pub const SKEW_SECONDS: i64 = 60;

/// `jti` has so many characters at most.
pub const MAX_JTI_CHARS: usize = 128;

/// Whom a token is for: one name or several (RFC 7519, section 4.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience(Vec<String>);

impl Audience {
    /// Names one.
    pub fn one(name: impl Into<String>) -> Self {
        Self(vec![name.into()])
    }

    /// Tells whether `name` is among the names.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|it| it == name)
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [name] => name.serialize(serializer),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Names {
            One(String),
            Several(Vec<String>),
        }
        Ok(match Names::deserialize(deserializer)? {
            Names::One(name) => Self(vec![name]),
            Names::Several(names) => Self(names),
        })
    }
}

/// A set of scopes (RFC 6749, section 3.3), written with blanks between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

/// The text is no list of scopes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is of visible ASCII characters other than quotation marks and backslashes")]
pub struct InvalidScope;

impl Scopes {
    /// Reads scopes with blanks between them, each once.
    ///
    /// # Errors
    /// [`InvalidScope`].
    pub fn parse(text: &str) -> Result<Self, InvalidScope> {
        let mut scopes = Vec::new();
        for scope in text.split(' ').filter(|scope| !scope.is_empty()) {
            let fits = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
            if !scope.bytes().all(fits) {
                return Err(InvalidScope);
            }
            if scopes.iter().all(|earlier| earlier != scope) {
                scopes.push(scope.to_owned());
            }
        }
        Ok(Self(scopes))
    }

    /// Tells whether `scope` is one of them.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.iter().any(|it| it == scope)
    }

    /// Tells whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// Reads a NumericDate (RFC 7519, section 2), a fraction of a second cut off.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    whole(&number, f64::floor).ok_or_else(|| serde::de::Error::custom("no time"))
}

/// Reads a NumericDate that may be missing, a fraction of a second counted as a whole one: that of `nbf`.
pub(crate) fn seconds_rounded_up<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    let number = Number::deserialize(deserializer)?;
    let seconds = whole(&number, f64::ceil).ok_or_else(|| serde::de::Error::custom("no time"))?;
    Ok(Some(seconds))
}

/// Up to 2^53 a floating-point number tells every second apart.
fn whole(number: &Number, round: fn(f64) -> f64) -> Option<i64> {
    const MOST: i64 = 1 << 53;
    let seconds = match number.as_i64() {
        Some(seconds) => seconds,
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the range is checked below, and `as` saturates"
        )]
        None => round(number.as_f64()?) as i64,
    };
    (-MOST..=MOST).contains(&seconds).then_some(seconds)
}

/// Tells whether `exp` has passed by more than the leeway (RFC 7519, section 4.1.4).
pub(crate) fn is_expired(exp: i64, now_ms: i64) -> bool {
    now_ms >= milliseconds(exp.saturating_add(LEEWAY_SECONDS))
}

/// Tells whether `nbf` or `iat` is further off than the leeway (RFC 7519, section 4.1.5).
pub(crate) fn is_in_the_future(time: i64, now_ms: i64) -> bool {
    milliseconds(time.saturating_sub(LEEWAY_SECONDS)) > now_ms
}

/// The time of the clock as a NumericDate.
pub(crate) fn now_seconds(now_ms: i64) -> i64 {
    now_ms.div_euclid(1000)
}

pub(crate) fn milliseconds(seconds: i64) -> i64 {
    seconds.saturating_mul(1000)
}

/// Tells whether `jti` can be one.
pub(crate) fn is_jti(jti: &str) -> bool {
    // A character has at most four bytes.
    jti.len() <= MAX_JTI_CHARS * 4 && (1..=MAX_JTI_CHARS).contains(&jti.chars().count())
}

/// The first name of `reserved` that `claims` has too.
pub(crate) fn reserved<'a>(
    claims: &serde_json::Map<String, Value>,
    reserved: &[&'a str],
) -> Option<&'a str> {
    reserved.iter().copied().find(|it| claims.contains_key(*it))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Times {
        #[serde(deserialize_with = "seconds")]
        exp: i64,
        #[serde(default, deserialize_with = "seconds_rounded_up")]
        nbf: Option<i64>,
    }

    #[test]
    fn a_time_is_a_number() {
        let read = |json: Value| serde_json::from_value::<Times>(json).ok();
        let times = read(json!({ "exp": 10.9, "nbf": 10.1 })).unwrap();
        assert_eq!((times.exp, times.nbf), (10, Some(11)));
        assert_eq!(read(json!({ "exp": -1.5 })).unwrap().exp, -2);
        for wrong in [
            json!({}),
            json!({ "exp": "10" }),
            json!({ "exp": null }),
            json!({ "exp": 1e300 }),
            json!({ "exp": u64::MAX }),
            json!({ "exp": i64::MIN }),
            json!({ "exp": 1, "nbf": null }),
        ] {
            assert!(read(wrong.clone()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_leeway_is_five_seconds() {
        assert!(!is_expired(100, 104_999) && is_expired(100, 105_000));
        assert!(!is_in_the_future(100, 95_000) && is_in_the_future(100, 94_999));
        for far in [i64::MIN, i64::MAX] {
            assert_eq!(is_expired(far, 0), far < 0);
            assert_eq!(is_in_the_future(far, 0), far > 0);
        }
    }

    #[test]
    fn scopes_are_a_set() {
        let scopes = Scopes::parse("a b:c  a").unwrap();
        assert_eq!(scopes.to_string(), "a b:c");
        assert!(scopes.contains("b:c") && !scopes.contains("b") && !scopes.contains(""));
        assert!(Scopes::parse("").unwrap().is_empty());
        for wrong in ["a\"", "a\\b", "é", "a\tb", "a\nb"] {
            assert_eq!(Scopes::parse(wrong), Err(InvalidScope), "{wrong:?}");
        }
    }

    #[test]
    fn an_audience_is_one_name_or_several() {
        for (json, has) in [
            (json!("a"), true),
            (json!(["a"]), true),
            (json!(["b", "a"]), true),
            (json!([]), false),
            (json!("ab"), false),
        ] {
            let audience: Audience = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(audience.contains("a"), has, "{json}");
        }
        for wrong in [json!(1), json!(null), json!([1]), json!({ "a": 1 })] {
            assert!(serde_json::from_value::<Audience>(wrong).is_err());
        }
        assert_eq!(json!(Audience::one("a")), json!("a"));
    }

    proptest! {
        #[test]
        fn scopes_are_read_back(text in "[a-z:\" \\\\é]{0,20}") {
            if let Ok(scopes) = Scopes::parse(&text) {
                prop_assert_eq!(Scopes::parse(&scopes.to_string()), Ok(scopes));
            }
        }
    }
}
