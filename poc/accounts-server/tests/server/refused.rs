//! Who comes without the token that a route asks for is refused, at every route there is.

use std::sync::Arc;

use accounts_server::Operation;
use jwt_auth::InternalTokenIssuer;
use serde_json::Value;

use crate::support::{Claims, Server, Who, signer, token};

/// A path of a route, whatever is in braces filled in.
fn uri(operation: Operation) -> String {
    let path = operation.route().path;
    path.replace("{id}", "00000000000000000000000000000009")
}

async fn answered(server: &Server, operation: Operation, token: Option<&str>) -> (u16, Value) {
    let mut request = server.request(operation.route().method, &uri(operation));
    if let Some(token) = token {
        request = request.header("x-internal-auth", token);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn is(answer: &(u16, Value), status: u16, code: &str) -> bool {
    answer.0 == status && answer.1["code"] == code
}

#[tokio::test]
async fn every_route_asks_for_its_own_token() {
    let server = Server::memory().await;
    let forger = InternalTokenIssuer::new(Arc::new(signer()));
    for operation in Operation::ALL {
        let (route, uri) = (operation.route(), uri(operation));
        let right = || Claims {
            audience: "accounts",
            scope: route.scope,
            method: route.method,
            uri: &uri,
        };
        let others: Vec<&str> = Operation::ALL
            .iter()
            .map(|it| it.route().scope)
            .filter(|scope| *scope != route.scope)
            .collect();
        let others = others.join(" ");

        let none = answered(&server, operation, None).await;
        assert!(
            is(&none, 401, "INTERNAL_AUTH_MISSING"),
            "{operation:?} {none:?}"
        );
        let wrong = [
            Claims {
                audience: "authority",
                ..right()
            },
            Claims {
                method: "PATCH",
                ..right()
            },
            Claims {
                uri: "/internal/elsewhere",
                ..right()
            },
        ];
        let mut invalid = vec![
            "garbage".to_owned(),
            token(&forger, &Who::Admin, &right()).await,
        ];
        for claims in &wrong {
            invalid.push(server.token(&Who::Admin, claims).await);
        }
        for token in &invalid {
            let answer = answered(&server, operation, Some(token)).await;
            assert!(
                is(&answer, 401, "INTERNAL_AUTH_INVALID"),
                "{operation:?} {answer:?}"
            );
        }
        let elsewhere = server
            .token(
                &Who::Admin,
                &Claims {
                    scope: &others,
                    ..right()
                },
            )
            .await;
        let answer = answered(&server, operation, Some(&elsewhere)).await;
        assert!(
            is(&answer, 403, "INTERNAL_AUTH_SCOPE_DENIED"),
            "{operation:?} {answer:?}"
        );

        let viewer = server.token(&Who::User("7".to_owned()), &right()).await;
        let answer = answered(&server, operation, Some(&viewer)).await;
        let is_denied = is(&answer, 403, "INTERNAL_AUTH_PERMISSION_DENIED");
        assert_eq!(is_denied, route.is_for_admins, "{operation:?} {answer:?}");

        let genuine = server.token(&Who::Admin, &right()).await;
        let first = answered(&server, operation, Some(&genuine)).await;
        assert!(![401, 403].contains(&first.0), "{operation:?} {first:?}");
        let again = answered(&server, operation, Some(&genuine)).await;
        assert!(
            is(&again, 401, "INTERNAL_AUTH_INVALID"),
            "{operation:?} {again:?}"
        );
    }
}

#[tokio::test]
async fn probes_are_open_and_nothing_else_is() {
    let server = Server::memory().await;
    for (path, status) in [
        ("/livez", 200),
        ("/readyz", 200),
        ("/v1/health", 200),
        ("/v1/health/db", 200),
        ("/v1/health/detailed", 404),
        ("/", 404),
        ("/internal/auth/validate", 405),
    ] {
        let answer = server.request("GET", path).send().await.unwrap();
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn a_body_is_a_json_object_of_some_size() {
    let server = Server::memory().await;
    let operation = Operation::RotateToken;
    let (route, uri) = (operation.route(), uri(operation));
    for (body, status, error) in [
        ("[]", 400, "Invalid JSON"),
        ("{", 400, "Invalid JSON"),
        ("\"a\"", 400, "Invalid JSON"),
        ("", 400, "Missing jti"),
        ("{\"jti\":7}", 400, "Missing jti"),
        ("{\"jti\":\"\"}", 400, "Missing jti"),
        ("{\"jti\":\"a\"}", 401, "Refresh token not found"),
        (&" ".repeat(65 * 1024), 413, "Payload Too Large"),
    ] {
        let claims = Claims {
            audience: "accounts",
            scope: route.scope,
            method: route.method,
            uri: &uri,
        };
        let token = server.token(&Who::System, &claims).await;
        let request = server.request(route.method, &uri);
        let request = request
            .header("x-internal-auth", token)
            .body(body.to_owned());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{error}");
        assert_eq!(answer.headers()["x-request-id"], "req-1");
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        assert_eq!(body["error"], error);
    }
}

/// The page names every route, with its scope.
#[test]
fn the_documentation_names_every_route() {
    let page = include_str!("../../../../docs/accounts.md");
    for operation in Operation::ALL {
        let route = operation.route();
        let row = format!("| `{} {}` | `{}`", route.method, route.path, route.scope);
        assert!(page.contains(&row), "{row}");
    }
}
