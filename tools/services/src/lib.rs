//! Brings up RabbitMQ, MariaDB, Redis and a browser for development and tests: a given address, else a native binary started
//! privately on free ports in a temporary folder, else (but for the browser) a container.
//!
//! Containers are made by the `docker` program from the tags in [`images`].
//!
//! Whatever is started here dies with the process that started it, also after a `kill -9`, and leaves nothing behind.
//!
//! | variable | meaning |
//! |---|---|
//! | `HMAC_MESH_RABBITMQ` | an AMQP URL that may create vhosts; used instead of starting a node |
//! | `HMAC_MESH_RABBITMQ_API` | the management URL of that node |
//! | `HMAC_MESH_MARIADB` | a `mysql://` URL that may create schemas; used instead of starting a server |
//! | `HMAC_MESH_CHROMEDRIVER` | the URL of a WebDriver server that opens Chromium; used instead of starting one |
//! | `HMAC_MESH_CONTAINERS` | `1`: containers even where native binaries are found |

pub mod browser;
mod container;
mod environment;
mod error;
pub mod http;
pub mod images;
pub mod log;
mod mariadb;
pub mod mesh;
pub mod output;
mod ports;
mod process;
pub mod proxy;
mod rabbitmq;
mod redis;
mod runner;

pub use environment::variable;
pub use error::Error;
pub use mariadb::{MariaDb, mariadb, private_mariadb};
pub use ports::free_port;
pub use process::{Process, binary, install_hint};
pub use rabbitmq::{RabbitMq, private_rabbitmq, rabbitmq};
pub use redis::{Redis, redis, redis_with};
