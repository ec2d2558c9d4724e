//! What a failure of Redis means to the contract.

use auth_base::store_error::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Redis refused with a text that may quote the arguments of the command, secret hashes among them. The text is left out.
#[derive(Debug, thiserror::Error)]
#[error("redis answered {code}")]
struct Withheld {
    code: String,
}

/// An answer of another shape than the command's.
#[derive(Debug, thiserror::Error)]
#[error("redis gave an answer of an unexpected shape to {command}")]
struct UnexpectedAnswer {
    command: &'static str,
}

/// Sorts an error of the client library.
///
/// - *Unavailable*: the connection could not be made, broke, timed out or lost its framing; the server is loading its
///   data, runs a long script, has no primary or no room for another connection. It may pass by itself.
/// - *Refused*: everything else the server says (`WRONGTYPE`, `OOM`, `READONLY`, `NOPERM`, a wrong password).
pub fn store_error(error: RedisError) -> StoreError {
    if passes_by_itself(&error) {
        return StoreError::Unavailable(Box::new(error));
    }
    if quotes_arguments(&error) {
        return StoreError::Refused(Box::new(withheld(&error)));
    }
    StoreError::Refused(Box::new(error))
}

/// The text of an error as a log may hold it.
pub(crate) fn loggable(error: &RedisError) -> String {
    if quotes_arguments(error) {
        withheld(error).to_string()
    } else {
        error.to_string()
    }
}

fn quotes_arguments(error: &RedisError) -> bool {
    error
        .detail()
        .is_some_and(|detail| detail.contains("with args beginning with"))
}

fn withheld(error: &RedisError) -> Withheld {
    Withheld {
        code: error.code().unwrap_or("ERR").to_owned(),
    }
}

/// An answer that this crate does not understand: somebody else's module or proxy.
pub fn unexpected(command: &'static str) -> StoreError {
    StoreError::Refused(Box::new(UnexpectedAnswer { command }))
}

fn passes_by_itself(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Io | ErrorKind::Parse => true,
        ErrorKind::Server(kind) => match kind {
            ServerErrorKind::BusyLoading
            | ServerErrorKind::TryAgain
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::NoScript => true,
            ServerErrorKind::ResponseError => error
                .detail()
                .is_some_and(|detail| detail.contains("max number of clients")),
            _ => false,
        },
        ErrorKind::Extension => matches!(error.code(), Some("BUSY" | "NOREPLICAS")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(line: &str) -> StoreError {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        store_error(value.extract_error().unwrap_err())
    }

    #[test]
    fn what_passes_by_itself_is_unavailable() {
        for line in [
            "LOADING Redis is loading the dataset in memory",
            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
            "MASTERDOWN Link with MASTER is down",
            "ERR max number of clients reached",
        ] {
            assert!(matches!(answer(line), StoreError::Unavailable(_)), "{line}");
        }
        let broken = RedisError::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert!(matches!(store_error(broken), StoreError::Unavailable(_)));
    }

    #[test]
    fn what_needs_an_operator_is_refused() {
        for line in [
            "READONLY You can't write against a read only replica.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOPERM this user has no permissions",
            "NOAUTH Authentication required.",
        ] {
            assert!(matches!(answer(line), StoreError::Refused(_)), "{line}");
        }
    }

    #[test]
    fn a_text_that_quotes_arguments_is_withheld() {
        let error = answer("ERR unknown command 'EVALSHA', with args beginning with: 'topsecret' ");
        let StoreError::Refused(source) = error else {
            panic!("refused")
        };
        assert_eq!(source.to_string(), "redis answered ERR");
    }
}
