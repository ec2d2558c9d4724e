//! A proxy for the operator of this machine: whoever reaches it acts in one role.

use std::net::SocketAddr;

use async_trait::async_trait;
use jwt_auth::SubjectKind;
use mesh_api::permission::Role;
use mesh_api::problem::Problem;
use tokio_util::sync::CancellationToken;

use crate::proxy::refusal::Refusal;
use crate::proxy::who::{Caller, Profile, Request, Who};

/// Everybody is this operator.
#[derive(Clone, Debug)]
pub struct LocalOperator {
    role: Role,
    subject: String,
    ended: CancellationToken,
}

/// Other machines would be that operator too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("whoever reaches {0} would be an operator: listen on 127.0.0.1 or [::1]")]
pub struct NotLoopback(SocketAddr);

impl LocalOperator {
    /// Lets in, as `subject` in `role`, whoever reaches one of `listens`.
    ///
    /// # Errors
    /// [`NotLoopback`] when other machines reach one of them.
    pub fn new(
        role: Role,
        subject: impl Into<String>,
        listens: &[SocketAddr],
    ) -> Result<Self, NotLoopback> {
        let is_open = |address: &&SocketAddr| !address.ip().to_canonical().is_loopback();
        match listens.iter().find(is_open) {
            Some(address) => Err(NotLoopback(*address)),
            None => Ok(Self {
                role,
                subject: subject.into(),
                ended: CancellationToken::new(),
            }),
        }
    }
}

#[async_trait]
impl Who for LocalOperator {
    async fn identify(&self, request: Request<'_>) -> Result<Caller, Refusal> {
        if request.is_forwarded {
            let message = "this came through another proxy, so not only from this machine";
            return Err(Problem::new(403, "FORWARDED_REQUEST", message).into());
        }
        Ok(Caller {
            subject: self.subject.clone(),
            name: None,
            kind: SubjectKind::User,
            permissions: self.role.permissions().to_vec(),
            session: None,
            // A page of another site reaches this machine too.
            profile: Profile::Browser,
            ended: self.ended.clone(),
            until_ms: None,
            answer: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_reaches_it() {
        let made = |address: &str| {
            let address = address.parse().unwrap();
            LocalOperator::new(Role::Operator, "me", &[address]).map(drop)
        };
        for address in [
            "127.0.0.1:3100",
            "127.1.2.3:0",
            "[::1]:3100",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(made(address), Ok(()), "{address}");
        }
        for address in [
            "0.0.0.0:3100",
            "[::]:3100",
            "192.0.2.1:3100",
            "[::ffff:192.0.2.1]:1",
        ] {
            let refused = made(address).unwrap_err().to_string();
            assert!(
                refused.contains(address) && refused.contains("[::1]"),
                "{refused}"
            );
        }
    }

    #[tokio::test]
    async fn what_came_through_another_proxy_is_no_operator() {
        let listen = "127.0.0.1:3100".parse().unwrap();
        let operator = LocalOperator::new(Role::Operator, "me", &[listen]).unwrap();
        let headers = axum::http::HeaderMap::new();
        let asked = |is_forwarded| Request {
            method: &axum::http::Method::GET,
            target: "/",
            headers: &headers,
            address: listen.ip(),
            request_id: "r",
            audience: "one",
            is_forwarded,
        };
        assert!(operator.identify(asked(false)).await.is_ok());
        let refused = operator.identify(asked(true)).await.err().unwrap();
        assert_eq!(refused.problem.error, "FORWARDED_REQUEST");
    }
}
