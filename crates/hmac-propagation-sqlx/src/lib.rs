//! Reference management store: MariaDB and SQLite.
