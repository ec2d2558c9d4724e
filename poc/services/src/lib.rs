//! Brings up RabbitMQ, MariaDB and Redis for development and tests.
