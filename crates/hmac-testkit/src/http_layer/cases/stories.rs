//! What takes more than one request, or more than a refusal.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::{FutureExt, LocalBoxFuture};

use crate::http_layer::expect::{Outcome, accepts, is_echo, is_refusal, refuses};
use crate::http_layer::raw::{Connection, Framing, RawRequest, send};
use crate::http_layer::world::{BODY_LIMIT, LARGE, NOW_MS, SKEW_MS, World, secret};

/// One story.
pub(super) type Story = for<'a> fn(&'a World) -> LocalBoxFuture<'a, Outcome>;

macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        pub(super) const TABLE: &[(&str, Story)] = &[$((stringify!($story), |world| $story(world).boxed_local())),*];
    };
}

stories![
    every_method_is_accepted,
    every_body_is_restored,
    extractors_take_what_the_layer_lets_in,
    a_nested_route_verifies_the_whole_path,
    what_the_client_encoded_stays_encoded,
    a_timestamp_at_the_edge_is_accepted,
    a_nonce_is_accepted_once,
    repeated_headers_are_refused,
    unreadable_headers_are_refused,
    a_connection_carries_several_requests,
    a_slow_body_is_given_up,
    a_client_that_leaves_harms_nobody,
    an_upgrade_is_answered_at_once,
    a_target_that_is_no_ascii_is_refused,
    a_restricted_route_knows_its_clients,
    a_forgotten_layer_is_no_open_door,
    an_allow_list_sees_the_connection,
    a_trusted_proxy_is_believed_from_the_right,
    a_store_that_is_away_accepts_nobody,
    a_forged_request_costs_no_round_trip,
    the_hook_is_told_of_bad_signatures_only,
    rotation_refuses_nobody,
];

async fn every_method_is_accepted(world: &World) -> Outcome {
    for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = world.signed("billing", method, "/echo?a=1&b", b"");
        accepts(world.direct, &request)
            .await
            .map_err(|text| format!("{method}: {text}"))?;
    }
    Ok(())
}

async fn every_body_is_restored(world: &World) -> Outcome {
    let whole = vec![b'x'; BODY_LIMIT];
    let bodies: [&[u8]; 5] = [
        b"{\"a\":1}",
        b"",
        b"\xff\x00\xfe",
        "ä€\r\n".as_bytes(),
        &whole,
    ];
    for (index, body) in bodies.into_iter().enumerate() {
        for framing in [Framing::Length, Framing::Chunked] {
            let request = world
                .signed("billing", "POST", "/echo", body)
                .framing(framing);
            accepts(world.direct, &request)
                .await
                .map_err(|text| format!("body {index} {framing:?}: {text}"))?;
        }
    }
    // A body is a body on GET too.
    accepts(
        world.direct,
        &world.signed("billing", "GET", "/echo", b"abc"),
    )
    .await?;
    Ok(())
}

/// A body that an extractor refuses has cost its nonce: the client could not send it again.
async fn extractors_take_what_the_layer_lets_in(world: &World) -> Outcome {
    for (target, kind, before, after) in [
        ("/text", "text/plain", "", ""),
        ("/json", "application/json", "\"", "\""),
        ("/form", "application/x-www-form-urlencoded", "a=", ""),
    ] {
        let length = LARGE - before.len() - after.len();
        let body = format!("{before}{}{after}", "x".repeat(length));
        let request = world.signed("billing", "POST", target, body.as_bytes());
        let answer = send(world.roomy, &request.with("content-type", kind))
            .await
            .map_err(|error| format!("{target}: {error}"))?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status != 200 || text != length.to_string() {
            return Err(format!("{target}: status {}: {text}", answer.status));
        }
    }
    Ok(())
}

async fn a_nested_route_verifies_the_whole_path(world: &World) -> Outcome {
    let request = world.signed("billing", "POST", "/nested/echo?x=1", b"abc");
    accepts(world.direct, &request).await?;
    let stripped = RawRequest {
        target: "/nested/echo".to_owned(),
        ..world.signed("billing", "GET", "/echo", b"")
    };
    refuses(world.direct, &stripped, "BAD_SIGNATURE", 401).await
}

async fn what_the_client_encoded_stays_encoded(world: &World) -> Outcome {
    for target in [
        "/echo/a%20b?x=%2F&y=%c3%a4",
        "/echo/%7Euser/?q=a+b",
        "/echo/;p=1,2?",
    ] {
        let request = world.signed("billing", "GET", target, b"");
        accepts(world.direct, &request)
            .await
            .map_err(|text| format!("{target}: {text}"))?;
    }
    Ok(())
}

async fn a_timestamp_at_the_edge_is_accepted(world: &World) -> Outcome {
    for now_ms in [NOW_MS - SKEW_MS, NOW_MS + SKEW_MS] {
        let hash = secret("billing");
        let request = world.signed_with("billing", &hash, "GET", "/echo", b"", now_ms);
        accepts(world.direct, &request).await?;
    }
    Ok(())
}

async fn a_nonce_is_accepted_once(world: &World) -> Outcome {
    let get = world.signed("billing", "GET", "/echo", b"");
    let post = world.signed("billing", "POST", "/echo", b"abc");
    for request in [get, post] {
        accepts(world.direct, &request).await?;
        refuses(world.direct, &request, "REPLAYED_NONCE", 401).await?;
    }
    Ok(())
}

async fn repeated_headers_are_refused(world: &World) -> Outcome {
    for name in ["x-client-id", "x-signature", "x-timestamp", "x-nonce"] {
        let request = world.signed("billing", "GET", "/echo", b"");
        let mut connection = Connection::open(world.direct)
            .await
            .map_err(|e| e.to_string())?;
        let answer = connection
            .exchange(&request.twice(name))
            .await
            .map_err(|e| e.to_string())?;
        if answer.status != 401 || !answer.value("x-verified-client").is_empty() {
            return Err(format!("{name} given twice: status {}", answer.status));
        }
    }
    Ok(())
}

async fn unreadable_headers_are_refused(world: &World) -> Outcome {
    let long = "9".repeat(4000);
    for name in ["x-client-id", "x-signature", "x-timestamp", "x-nonce"] {
        for value in ["\u{ff}\u{10ffff}", "-0", "1e3", "\t,;=\"'\\", &long] {
            let request = world
                .signed("billing", "POST", "/echo", b"abc")
                .replace(name, value);
            let mut connection = Connection::open(world.direct)
                .await
                .map_err(|e| e.to_string())?;
            let answer = connection
                .exchange(&request)
                .await
                .map_err(|e| format!("{name}: {value:?}: {e}"))?;
            if answer.status != 401 {
                return Err(format!("{name}: {value:?}: status {}", answer.status));
            }
        }
    }
    Ok(())
}

async fn a_connection_carries_several_requests(world: &World) -> Outcome {
    let mut connection = Connection::open(world.direct)
        .await
        .map_err(|e| e.to_string())?;
    for method in ["POST", "GET", "POST"] {
        let body: &[u8] = if method == "POST" { b"abc" } else { b"" };
        let request = world.signed("billing", method, "/echo", body);
        let answer = connection
            .exchange(&request)
            .await
            .map_err(|e| e.to_string())?;
        is_echo(&request, answer)?;
        let unsigned = RawRequest {
            body: Vec::new(),
            ..request.without("x-signature")
        };
        let answer = connection
            .exchange(&unsigned)
            .await
            .map_err(|e| e.to_string())?;
        is_refusal(&answer, false, "MISSING_SIGNATURE", 401)?;
    }
    Ok(())
}

async fn a_slow_body_is_given_up(world: &World) -> Outcome {
    let request = world
        .signed("billing", "POST", "/echo", b"abc")
        .framing(Framing::Announced(100));
    refuses(world.impatient, &request, "REQUEST_TIMEOUT", 408).await
}

async fn a_client_that_leaves_harms_nobody(world: &World) -> Outcome {
    for framing in [Framing::Announced(100), Framing::Chunked] {
        let request = world
            .signed("billing", "POST", "/echo", b"abc")
            .framing(framing);
        let bytes = request.bytes();
        let mut connection = Connection::open(world.direct)
            .await
            .map_err(|e| e.to_string())?;
        let half = bytes.len() - 2;
        connection
            .write(&bytes[..half])
            .await
            .map_err(|e| e.to_string())?;
    }
    let after = world.signed("billing", "POST", "/echo", b"abc");
    accepts(world.direct, &after).await.map(drop)
}

/// What follows the head of an upgrade has no end that could be waited for.
async fn an_upgrade_is_answered_at_once(world: &World) -> Outcome {
    let upgrading = |request: RawRequest| {
        let request = request.with("connection", "Upgrade");
        request.with("upgrade", "websocket")
    };
    let get = world.signed("billing", "GET", "/echo", b"");
    accepts(world.direct, &upgrading(get)).await?;
    let post = world.signed("billing", "POST", "/echo", b"abc");
    accepts(world.direct, &upgrading(post)).await?;
    let forged = world.signed_with("billing", &secret("guess"), "GET", "/echo", b"", NOW_MS);
    refuses(world.direct, &upgrading(forged), "BAD_SIGNATURE", 401).await
}

/// Some servers refuse it before the layer is asked, with 400.
async fn a_target_that_is_no_ascii_is_refused(world: &World) -> Outcome {
    for target in ["/echo/\u{e4}", "/echo?\u{e4}"] {
        let request = world.signed("billing", "GET", target, b"");
        let answer = send(world.direct, &request)
            .await
            .map_err(|error| error.to_string())?;
        if answer.status != 400 {
            is_refusal(&answer, false, "BAD_SIGNATURE", 401)?;
        }
    }
    Ok(())
}

async fn a_restricted_route_knows_its_clients(world: &World) -> Outcome {
    let named = world.signed("billing", "POST", "/only", b"abc");
    accepts(world.direct, &named).await?;
    let other = world.signed("reporting", "POST", "/only", b"abc");
    refuses(world.direct, &other, "CLIENT_NOT_ALLOWED", 403).await?;
    let elsewhere = world.signed("reporting", "POST", "/echo", b"abc");
    accepts(world.direct, &elsewhere).await.map(drop)
}

async fn a_forgotten_layer_is_no_open_door(world: &World) -> Outcome {
    for target in ["/forgotten", "/only-forgotten"] {
        let request = world.signed("billing", "GET", target, b"");
        refuses(world.direct, &request, "INTERNAL_ERROR", 500)
            .await
            .map_err(|text| format!("{target}: {text}"))?;
    }
    Ok(())
}

async fn an_allow_list_sees_the_connection(world: &World) -> Outcome {
    let request = world
        .signed("local", "GET", "/echo", b"")
        .with("x-forwarded-for", "6.6.6.6");
    let answer = accepts(world.direct, &request).await?;
    let address = answer.value("x-client-address");
    (address == "127.0.0.1")
        .then_some(())
        .ok_or_else(|| format!("the client's address is {address:?}"))
}

async fn a_trusted_proxy_is_believed_from_the_right(world: &World) -> Outcome {
    let get = || world.signed("confined", "GET", "/echo", b"");
    let believed = get().with("x-forwarded-for", "6.6.6.6, 10.1.2.3");
    let answer = accepts(world.proxied, &believed).await?;
    if answer.value("x-client-address") != "10.1.2.3" {
        return Err(format!("address {:?}", answer.value("x-client-address")));
    }
    let two_lines = get()
        .with("x-forwarded-for", "6.6.6.6")
        .with("x-forwarded-for", "10.1.2.3");
    accepts(world.proxied, &two_lines).await?;
    let made_up = get().with("x-forwarded-for", "10.1.2.3, 6.6.6.6");
    refuses(world.proxied, &made_up, "CLIENT_IP_NOT_ALLOWED", 403).await?;
    let unreadable = get().with("x-forwarded-for", "10.1.2.3, unknown");
    refuses(world.proxied, &unreadable, "MISSING_CLIENT_IP", 403).await
}

async fn a_store_that_is_away_accepts_nobody(world: &World) -> Outcome {
    for (store, away) in [
        ("credentials", &world.credentials.away),
        ("nonces", &world.nonces.away),
    ] {
        for (method, body) in [("GET", &b""[..]), ("POST", b"abc")] {
            let request = world.signed("billing", method, "/echo", body);
            let outcome =
                while_away(away, refuses(world.direct, &request, "INTERNAL_ERROR", 503)).await;
            outcome.map_err(|text| format!("{store} away, {method}: {text}"))?;
            accepts(
                world.direct,
                &world.signed("billing", method, "/echo", body),
            )
            .await?;
        }
    }
    Ok(())
}

async fn while_away(away: &AtomicBool, story: impl Future<Output = Outcome>) -> Outcome {
    away.store(true, Ordering::SeqCst);
    let outcome = story.await;
    away.store(false, Ordering::SeqCst);
    outcome
}

async fn a_forged_request_costs_no_round_trip(world: &World) -> Outcome {
    let before = world.nonces.asked.load(Ordering::SeqCst);
    let forged = world.signed_with("billing", &secret("guess"), "POST", "/echo", b"abc", NOW_MS);
    refuses(world.direct, &forged, "BAD_SIGNATURE", 401).await?;
    let asked = world.nonces.asked.load(Ordering::SeqCst) - before;
    (asked == 0)
        .then_some(())
        .ok_or_else(|| format!("the nonce store was asked {asked} times"))
}

async fn the_hook_is_told_of_bad_signatures_only(world: &World) -> Outcome {
    let before = world.reported().len();
    accepts(world.direct, &world.signed("billing", "GET", "/echo", b"")).await?;
    let unsigned = world
        .signed("billing", "GET", "/echo", b"")
        .without("x-nonce");
    refuses(world.direct, &unsigned, "MISSING_NONCE", 401).await?;
    if world.reported().len() != before {
        return Err("told of a request without a bad signature".to_owned());
    }
    let forged = world.signed_with(
        "billing",
        &secret("guess"),
        "POST",
        "/echo?a=1",
        b"abc",
        NOW_MS,
    );
    refuses(world.direct, &forged, "BAD_SIGNATURE", 401).await?;
    let reports = world.reported();
    let [report] = &reports[before..] else {
        return Err(format!("told {} times", reports.len() - before));
    };
    let told = (
        report.client_id.as_str(),
        report.method.as_str(),
        report.path.as_str(),
        report.timestamp_ms,
        report.nonce.as_str(),
        report.client_address.map(|address| address.to_string()),
    );
    let address = Some("127.0.0.1".to_owned());
    let expected = (
        "billing",
        "POST",
        "/echo?a=1",
        NOW_MS,
        forged.value("x-nonce"),
        address,
    );
    (told == expected)
        .then_some(())
        .ok_or_else(|| format!("told {told:?}"))
}

async fn rotation_refuses_nobody(world: &World) -> Outcome {
    for (name, used) in [("rotated", "current"), ("rotated-old", "previous")] {
        let request = world.signed_with("rotated", &secret(name), "POST", "/echo", b"abc", NOW_MS);
        let answer = accepts(world.direct, &request).await?;
        if answer.value("x-secret-used") != used {
            return Err(format!(
                "{name} was taken for {:?}",
                answer.value("x-secret-used")
            ));
        }
    }
    Ok(())
}
