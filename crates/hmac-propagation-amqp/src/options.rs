//! Where the broker is and how long to wait for it.

use std::fmt;
use std::time::Duration;

use auth_base::secret::Secret;
use auth_base::server_url::{InvalidServerUrl, ServerKind, ServerUrl};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};

/// How to reach RabbitMQ, and every bound. The password shows in no `Debug` output, log, status or error.
#[derive(Clone)]
pub struct AmqpOptions {
    /// Whether to speak TLS (`amqps`), with the system's root certificates.
    pub tls: bool,
    /// Name or address of the server.
    pub host: String,
    /// 5672, with TLS 5671.
    pub port: u16,
    /// Who signs in.
    pub user: String,
    /// The password of `user`.
    pub password: Secret,
    /// The virtual host, not encoded.
    pub vhost: String,
    /// Own name: the connection's name in the management pages, and the `app_id` of what is published.
    pub name: String,
    /// Heartbeat to agree on, in whole seconds; a broker silent for twice as long is given up. 10 s.
    pub heartbeat: Duration,
    /// Bound of one attempt to connect, from the name's resolution to the end of the handshake. 5 s.
    pub connect_timeout: Duration,
    /// Bound of every call that is answered by the broker, but for publish. 5 s.
    pub operation_timeout: Duration,
    /// Bound of waiting for the next confirm; a publish of more than one window may take that long for each window. 10 s.
    pub confirm_timeout: Duration,
    /// Messages of one publish that may be unconfirmed at a time. 1,000.
    pub publish_window: usize,
    /// Publishes that may run at a time; further ones wait. 8.
    pub publish_channels: usize,
    /// First pause before trying again; doubles up to `backoff_max`. 50 ms.
    pub backoff_min: Duration,
    /// Longest pause before trying again. 5 s.
    pub backoff_max: Duration,
}

/// The text is not an AMQP URL, or one that would not be used as it is written. The text itself is not repeated: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the broker's URL (amqp://user:password@host:port/vhost) {0}")]
pub struct InvalidAmqpUrl(#[from] InvalidServerUrl);

impl AmqpOptions {
    /// Names a server on its standard port with the standard account `guest` and the default virtual host `/`.
    pub fn new(host: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            tls: false,
            host: host.into(),
            port: 5672,
            user: "guest".to_owned(),
            password: Secret::new("guest"),
            vhost: "/".to_owned(),
            name: name.into(),
            heartbeat: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(5),
            confirm_timeout: Duration::from_secs(10),
            publish_window: 1_000,
            publish_channels: 8,
            backoff_min: Duration::from_millis(50),
            backoff_max: Duration::from_secs(5),
        }
    }

    /// Reads `amqp://` or `amqps://` URLs; parts are percent-decoded, absent ones are the standard ones. The query may say
    /// `heartbeat` (seconds) and `connection_timeout` (milliseconds).
    ///
    /// # Errors
    /// [`InvalidAmqpUrl`] when the text is no such URL, or holds what would not be used as it is written.
    pub fn from_url(url: &str, name: impl Into<String>) -> Result<Self, InvalidAmqpUrl> {
        let url = ServerUrl::parse(url, ServerKind::RabbitMq)?;
        let standard = Self::new(url.host.as_str(), name);
        Ok(Self {
            tls: url.tls,
            port: url.port.unwrap_or(if url.tls { 5671 } else { 5672 }),
            heartbeat: (url.number("heartbeat")).map_or(standard.heartbeat, Duration::from_secs),
            connect_timeout: (url.number("connection_timeout"))
                .map_or(standard.connect_timeout, Duration::from_millis),
            user: url.user.unwrap_or(standard.user),
            password: url.password.unwrap_or(standard.password),
            vhost: url.path.unwrap_or(standard.vhost),
            ..standard
        })
    }

    pub(crate) fn uri(&self) -> AMQPUri {
        let heartbeat = u16::try_from(self.heartbeat.as_secs()).unwrap_or(u16::MAX);
        AMQPUri {
            scheme: if self.tls {
                AMQPScheme::AMQPS
            } else {
                AMQPScheme::AMQP
            },
            authority: AMQPAuthority {
                userinfo: AMQPUserInfo {
                    username: self.user.clone(),
                    password: self.password.expose().to_owned(),
                },
                host: self.host.clone(),
                port: self.port,
            },
            vhost: self.vhost.clone(),
            query: AMQPQueryString {
                heartbeat: Some(heartbeat),
                ..AMQPQueryString::default()
            },
        }
    }
}

impl fmt::Debug for AmqpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpOptions")
            .field("tls", &self.tls)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("vhost", &self.vhost)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_part_of_a_url() {
        let options = AmqpOptions::from_url(
            "amqps://us%40er:p%2Fw@broker.example:5999/a%2Fb?heartbeat=3",
            "me",
        )
        .unwrap();
        assert!(options.tls);
        assert_eq!(
            (options.host.as_str(), options.port),
            ("broker.example", 5999)
        );
        assert_eq!(
            (options.user.as_str(), options.password.expose()),
            ("us@er", "p/w")
        );
        assert_eq!(
            (options.vhost.as_str(), options.heartbeat.as_secs()),
            ("a/b", 3)
        );
    }

    #[test]
    fn fills_in_what_a_url_leaves_out() {
        let options = AmqpOptions::from_url("amqp://localhost", "me").unwrap();
        assert_eq!(
            (options.port, options.vhost.as_str(), options.user.as_str()),
            (5672, "/", "guest")
        );
        assert_eq!(
            AmqpOptions::from_url("amqps://localhost", "me")
                .unwrap()
                .port,
            5671
        );
    }

    /// The library's own parser makes `localhost` of the first, and password `guest` of the second.
    #[test]
    fn every_part_counts_as_it_is_written_or_is_refused() {
        let options = AmqpOptions::from_url("amqp://u:p@[2001:db8::77]:5999/%2f", "me").unwrap();
        assert_eq!(
            (options.host.as_str(), options.port),
            ("2001:db8::77", 5999)
        );
        assert_eq!(options.uri().authority.host, "2001:db8::77");
        for wrong in [
            "amqp://u:@localhost/v",
            "amqp://u:p@localhost/v?connection_timeout=0",
            "amqp://u:p@localhost/v?frame_max=4096",
        ] {
            assert!(AmqpOptions::from_url(wrong, "me").is_err(), "{wrong}");
        }
        let slow = AmqpOptions::from_url("amqp://h/v?connection_timeout=7000", "me").unwrap();
        assert_eq!(slow.connect_timeout, Duration::from_secs(7));
    }

    #[test]
    fn repeats_no_password() {
        let options = AmqpOptions::from_url("amqp://u:hunter2@localhost/v", "me").unwrap();
        assert!(!format!("{options:?}").contains("hunter2"));
        let refused = AmqpOptions::from_url("http://u:hunter2@localhost", "me").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }
}
