//! Names of peers on the broker (propagation wire 2.1).

use std::fmt;

/// A peer's `amqpQueue`: `[A-Za-z0-9-]+`, at most 128 bytes. Its queue is called `hmac-<amqpQueue>.queue`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerName(Box<str>);

/// The name does not match `[A-Za-z0-9-]+` or is longer than 128 bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid amqpQueue {name:?}: must match [A-Za-z0-9-]+")]
pub struct InvalidPeerName {
    /// The name as it was given.
    pub name: String,
}

impl PeerName {
    /// Takes a peer's name.
    ///
    /// # Errors
    /// [`InvalidPeerName`] unless it matches `[A-Za-z0-9-]+` and has at most 128 bytes.
    pub fn parse(name: &str) -> Result<Self, InvalidPeerName> {
        let valid = (1..=128).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if valid {
            Ok(Self(name.into()))
        } else {
            Err(InvalidPeerName {
                name: name.to_owned(),
            })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the peer's queue, which is also the routing key on the default exchange.
    pub fn queue(&self) -> String {
        format!("hmac-{}.queue", self.0)
    }
}

impl fmt::Debug for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for PeerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line of the golden vectors, refusals by their text.
    #[test]
    fn names_are_those_of_the_original() {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/queue-names.json")).unwrap();
        for case in vectors["cases"].as_array().unwrap() {
            let parsed = PeerName::parse(case["in"].as_str().unwrap());
            match case.get("ok") {
                Some(queue) => assert_eq!(parsed.unwrap().queue(), queue.as_str().unwrap()),
                None => {
                    let error = parsed.unwrap_err();
                    let text = case["error"].as_str().unwrap();
                    // The original prints a line feed as it is; ours writes it as an escape, fit for a log line.
                    assert_eq!(error.to_string(), text.replace('\n', "\\n"));
                }
            }
        }
    }
}
