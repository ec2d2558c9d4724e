//! The broker over RabbitMQ.
