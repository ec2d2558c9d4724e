//! Full-mode peers in this process, over real RabbitMQ, MariaDB and Redis.

#[cfg(test)]
mod absent;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod mesh;
#[cfg(test)]
mod view;
