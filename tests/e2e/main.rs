//! End-to-end stories: the peers are processes, the servers are real, and a story knows nothing but the wire: HTTP, AMQP, Redis, SQL.
//!
//! Each story has its own vhost, schemas, Redis servers and ports. RabbitMQ and MariaDB are shared by a run unless a story kills
//! them. In a container of a composed mesh the same stories have the whole mesh, one after the other. When a story fails, the
//! ends of its peers' logs are printed.

#[cfg(test)]
mod mesh;

#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod bad_messages;
#[cfg(test)]
mod behind_the_gateway;
#[cfg(test)]
mod broker_outage;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod composition;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod convergence;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod documentation;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod earlier_version;
#[cfg(test)]
mod faults_acks;
#[cfg(test)]
mod faults_alarm;
#[cfg(test)]
mod faults_broker;
#[cfg(test)]
mod faults_clock;
#[cfg(test)]
mod faults_crashes;
#[cfg(test)]
mod faults_links;
#[cfg(test)]
mod faults_mariadb;
#[cfg(test)]
mod faults_redis;
#[cfg(test)]
mod footprint;
#[cfg(test)]
mod front_door;
#[cfg(test)]
mod key_server;
#[cfg(test)]
mod many_changes;
#[cfg(test)]
mod no_secret_in_logs;
#[cfg(test)]
mod offline_target;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod original_wire;
#[cfg(test)]
mod people;
mod peppers;
#[cfg(test)]
mod replacing_the_original;
#[cfg(test)]
mod restarts;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod signed_calls;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod wrapped_keys;
