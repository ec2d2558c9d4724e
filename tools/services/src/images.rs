//! The images of the servers, with their tags. They stand here and in `compose.yaml`, which a test holds to this.

/// RabbitMQ with its management API.
pub const RABBITMQ: &str = "rabbitmq:4-management";
/// MariaDB.
pub const MARIADB: &str = "mariadb:11";
/// Redis.
pub const REDIS: &str = "redis:7";
