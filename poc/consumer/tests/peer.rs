//! A receive-only peer in this process, over real RabbitMQ and Redis.

/// Elsewhere in the workspace reqwest is built with TLS and leaves the choice of its provider to the program.
fn client() -> reqwest::ClientBuilder {
    peer_kit::tls::install_provider();
    reqwest::Client::builder().no_proxy()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use auth_base::secret::Secret;
    use hmac_auth::credential::ClientId;
    use hmac_auth::secret_hash::hash_client_secret;
    use hmac_auth::sign::Signer;
    use hmac_propagation::propagator::Mode;
    use peer_kit::config::source::Source;
    use peer_kit::config::{Config, Defaults};
    use reqwest::{Client, Method};
    use serde_json::{Value, json};
    use tokio::time::Instant;

    const DEFAULTS: Defaults = Defaults {
        binary: "consumer",
        about: "",
        mode: Mode::ReceiveOnly,
        peer: "consumer",
        port: 0,
    };

    struct Web {
        client: Client,
        base: String,
    }

    impl Web {
        async fn send(
            &self,
            method: Method,
            path: &str,
            headers: &[(&str, &str)],
            body: &str,
        ) -> (u16, Value) {
            let mut request = self
                .client
                .request(method, format!("{}{path}", self.base))
                .body(body.to_owned());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            let text = response.text().await.unwrap();
            (
                status,
                serde_json::from_str(&text).unwrap_or(Value::String(text)),
            )
        }

        async fn get(&self, path: &str) -> (u16, Value) {
            self.send(Method::GET, path, &[], "").await
        }

        async fn echo(&self, signer: &Signer, body: &str) -> (u16, Value) {
            let signed = signer.sign("POST", "/api/echo", body.as_bytes()).unwrap();
            self.send(Method::POST, "/api/echo", &signed.pairs(), body)
                .await
        }
    }

    async fn eventually<F: Future<Output = bool>>(what: &str, mut ask: impl FnMut() -> F) {
        let deadline = Instant::now() + Duration::from_secs(40);
        while !ask().await {
            assert!(Instant::now() < deadline, "never: {what}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_receive_only_peer_applies_what_comes_and_protects_its_echo() {
        let rabbitmq = services::rabbitmq().await.unwrap();
        let redis = services::redis().await.unwrap();
        let vhost_url = rabbitmq.vhost("consumer").await.unwrap();
        // What a peer of the original left, in that one's namespace.
        let hash = hash_client_secret(&Secret::new("a-secret-of-a-client"), None);
        let left = by_hand(
            redis.url(),
            &format!("HSET hmacauth:clients old {}", hash.expose()),
        );
        assert!(left.starts_with(":1"), "{left}");
        let source = Source::from_pairs([
            ("AMQP_URL", vhost_url.as_str()),
            ("PROPAGATION_SECRET", "propagation-of-consumer"),
            ("PROPAGATION_SOURCES", "authority=propagation-of-authority"),
            ("REDIS_URL", redis.url()),
            ("REDIS_HTTP_NAMESPACE", "hmacauth"),
            ("HMAC_SECRET_TOKEN", "pepper-of-consumer"),
        ]);
        let application = consumer::build(Config::load(&source, &DEFAULTS).unwrap())
            .await
            .unwrap();
        let web = Web {
            client: super::client().build().unwrap(),
            base: format!("http://{}", application.address()),
        };
        let stop = application.stop();
        let running = tokio::spawn(application.run_until_stopped());
        eventually("ready", || async { web.get("/readyz").await.0 == 200 }).await;

        let old = Signer::new(ClientId::parse("old").unwrap(), hash.clone());
        assert_eq!(web.echo(&old, "{}").await.0, 200);
        let signer = Signer::new(ClientId::parse("client").unwrap(), hash.clone());
        assert_eq!(web.echo(&signer, "{}").await.1["error"], "UNKNOWN_CLIENT");

        publish(
            &rabbitmq,
            &vhost_url,
            &json!({
                "eventId": "9f1c1c52-5f0e-4a55-9c53-0b5f7a3f8a11",
                "ts": 1,
                "propagationSecret": "propagation-of-consumer",
                "senderAmqpQueue": "authority",
                "op": "credential.create",
                "track": "http",
                "clientId": "client",
                "payload": { "secretHash": hash.expose() },
            }),
        )
        .await;
        eventually("the event is applied", || async {
            web.echo(&signer, "").await.0 == 200
        })
        .await;
        let (status, answer) = web.echo(&signer, r#"{"a":[1]}"#).await;
        let expected = json!({ "ok": true, "clientId": "client", "peer": "consumer", "received": { "a": [1] } });
        assert_eq!((status, answer), (200, expected));

        let elsewhere = by_hand(redis.url(), "KEYS hmac:*");
        assert!(elsewhere.starts_with("*0"), "{elsewhere}");

        refusals(&web, &signer).await;
        surface(&web).await;
        stop.ask();
        tokio::time::timeout(Duration::from_secs(10), running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// What Redis answers to a command.
    fn by_hand(url: &str, command: &str) -> String {
        let address = url.trim_start_matches("redis://");
        let mut console = TcpStream::connect(address).unwrap();
        write!(console, "{command}\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        console.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Publishes an event as another peer would, through the broker's management interface.
    async fn publish(rabbitmq: &services::RabbitMq, vhost_url: &str, event: &Value) {
        let vhost = vhost_url.rsplit('/').next().unwrap();
        let message = json!({
            "properties": { "content_type": "application/json", "delivery_mode": 2 },
            "routing_key": "hmac-consumer.queue",
            "payload": event.to_string(),
            "payload_encoding": "string",
        });
        let path = format!("/api/exchanges/{vhost}/amq.default/publish");
        let answer = rabbitmq
            .request("POST", &path, &message.to_string())
            .await
            .unwrap();
        assert!(answer.contains("true"), "{answer}");
    }

    async fn refusals(web: &Web, signer: &Signer) {
        let mut replayed = signer.sign("POST", "/api/echo", b"x").unwrap();
        let first = web
            .send(Method::POST, "/api/echo", &replayed.pairs(), "x")
            .await;
        assert_eq!(first.1["received"], "x");
        let second = web
            .send(Method::POST, "/api/echo", &replayed.pairs(), "x")
            .await;
        assert_eq!(second.1["error"], "REPLAYED_NONCE");
        replayed.signature = "0".repeat(64);
        let forged = web
            .send(Method::POST, "/api/echo", &replayed.pairs(), "x")
            .await;
        assert_eq!(
            (forged.0, forged.1["error"].as_str()),
            (401, Some("BAD_SIGNATURE"))
        );
        let large = "x".repeat(65_537);
        let (status, problem) = web.echo(signer, &large).await;
        assert_eq!(
            (status, problem["error"].as_str()),
            (413, Some("PAYLOAD_TOO_LARGE"))
        );
        for (method, path, status, code) in [
            (Method::GET, "/api/echo", 401, "MISSING_CLIENT_ID"),
            (Method::GET, "/nowhere", 404, "NOT_FOUND"),
            (Method::POST, "/admin/ensure", 404, "NOT_FOUND"),
            (Method::POST, "/livez", 405, "METHOD_NOT_ALLOWED"),
        ] {
            let (found, problem) = web.send(method, path, &[], "").await;
            assert_eq!(
                (found, problem["error"].as_str()),
                (status, Some(code)),
                "{path}"
            );
        }
    }

    async fn surface(web: &Web) {
        assert_eq!(web.get("/livez").await.0, 200);
        let (_, metrics) = web.get("/metrics").await;
        let metrics = metrics.as_str().unwrap();
        assert!(
            metrics.contains("propagation_events_applied_total{peer=\"consumer\"} 1"),
            "{metrics}"
        );
        assert!(
            metrics.contains("hmac_bad_signatures_total{peer=\"consumer\"} 1"),
            "{metrics}"
        );
        assert!(!metrics.contains("propagation-of"));
        let (_, document) = web.get("/openapi.json").await;
        assert!(document["paths"].get("/api/echo").is_some());
        assert!(
            web.get("/docs")
                .await
                .1
                .as_str()
                .unwrap()
                .contains("/api/echo")
        );
    }
}
