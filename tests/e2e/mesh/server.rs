//! A server under the mesh, which stories end and start again: a process of the story's own, or a container of a composed mesh.

use std::time::Duration;

use lapin::{Connection, ConnectionProperties};
use services::{MariaDb, RabbitMq, Redis};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;
use tokio::time::timeout;

use super::engine::Container;
use super::until;

/// RabbitMQ, MariaDB or a Redis.
pub(crate) enum Server {
    /// A broker that this process has started, or was given.
    RabbitMq(RabbitMq),
    /// A database server that this process has started, or was given.
    MariaDb(MariaDb),
    /// A Redis that this process has started.
    Redis(Redis),
    /// A container, and the address at which its server answers.
    Composed(Composed),
}

/// A server in a container.
pub(crate) struct Composed {
    pub(super) container: Container,
    /// `amqp://`, `mysql://` or `redis://`.
    pub(super) url: String,
}

impl Server {
    /// Ends it with `SIGKILL`.
    pub(crate) async fn kill(&mut self) {
        match self {
            Self::RabbitMq(server) => server.kill(),
            Self::MariaDb(server) => server.kill(),
            Self::Redis(server) => server.kill(),
            Self::Composed(server) => server.container.kill().await,
        }
    }

    /// Ends it as an operator would.
    pub(crate) async fn stop(&mut self) {
        match self {
            Self::RabbitMq(server) => server.stop(),
            Self::MariaDb(server) => server.stop(),
            Self::Redis(server) => server.stop(),
            Self::Composed(server) => server.container.stop().await,
        }
    }

    /// Starts it again on the data it has, and waits until it answers.
    pub(crate) async fn start(&mut self) {
        match self {
            Self::RabbitMq(server) => server.start().await.expect("RabbitMQ starts again"),
            Self::MariaDb(server) => server.start().await.expect("MariaDB starts again"),
            Self::Redis(server) => server.start().await.expect("Redis starts again"),
            Self::Composed(server) => {
                server.container.start().await;
                server.until_answering().await;
            }
        }
    }

    /// Runs `rabbitmqctl` on a broker that is a process of the story's own.
    pub(crate) fn control(&self, arguments: &[&str]) {
        match self {
            Self::RabbitMq(server) => server.control(arguments).expect("rabbitmqctl"),
            _ => panic!("no RabbitMQ of this story's own"),
        }
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub(crate) async fn pause(&self) {
        match self {
            Self::RabbitMq(server) => server.pause(),
            Self::MariaDb(server) => server.pause(),
            Self::Redis(server) => server.pause(),
            Self::Composed(server) => server.container.pause().await,
        }
    }

    /// Lets it go on.
    pub(crate) async fn resume(&self) {
        match self {
            Self::RabbitMq(server) => server.resume(),
            Self::MariaDb(server) => server.resume(),
            Self::Redis(server) => server.resume(),
            Self::Composed(server) => server.container.resume().await,
        }
    }
}

impl Composed {
    /// Runs and answers, whatever an earlier story did to it.
    pub(super) async fn restore(&self) {
        self.container.restore().await;
        self.until_answering().await;
    }

    async fn until_answering(&self) {
        let (scheme, rest) = self.url.split_once("://").expect("a URL");
        // What stands before the @ is nobody's business.
        let place = rest.rsplit('@').next().unwrap_or_default();
        until(&format!("{scheme}://{place} answers"), async || {
            let attempt = timeout(Duration::from_secs(5), connect(scheme, &self.url)).await;
            attempt.map_err(|_| "no answer within 5 s".to_owned())?
        })
        .await;
    }
}

/// Connects and says goodbye.
async fn connect(scheme: &str, url: &str) -> Result<(), String> {
    match scheme {
        "amqp" => {
            let connection = Connection::connect(url, ConnectionProperties::default()).await;
            let connection = connection.map_err(|error| error.to_string())?;
            connection
                .close(200, "done".into())
                .await
                .map_err(|error| error.to_string())
        }
        "mysql" => {
            let connection = MySqlConnection::connect(url)
                .await
                .map_err(|error| error.to_string())?;
            connection.close().await.map_err(|error| error.to_string())
        }
        _ => {
            let client = redis::Client::open(url).map_err(|error| error.to_string())?;
            let mut connection = client
                .get_multiplexed_async_connection()
                .await
                .map_err(|error| error.to_string())?;
            redis::cmd("PING")
                .exec_async(&mut connection)
                .await
                .map_err(|error| error.to_string())
        }
    }
}
