//! Full-mode peers in this process, over real RabbitMQ, MariaDB and Redis.

mod absent;
mod edge;
mod harness;
mod mesh;
