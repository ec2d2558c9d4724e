//! Statements over any number of rows.
//!
//! Many rows go in as one JSON parameter, so that the text never changes and is prepared once a connection. One or two
//! rows, the case of a single change, go in as plain parameters, which costs the server far less.

use sql_link::Dialect;

#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Compared byte by byte: client ids, tracks, names of targets.
    Name,
    /// Any text.
    Text,
    Int,
}

pub(super) type Columns = &'static [(&'static str, Kind)];

/// One statement in its forms.
pub(crate) struct Bulk {
    /// Takes a JSON array of rows.
    pub(crate) json: String,
    /// Takes the values of so few rows.
    pub(crate) few: Few,
}

/// How one or two rows are handed over.
pub(crate) enum Few {
    /// As JSON too.
    Json,
    /// All in one statement: the first takes one row, the second two.
    Together([String; 2]),
    /// One statement a row; so many values of its beginning (the key) are bound last.
    Each { sql: String, key: usize },
}

impl Bulk {
    pub(super) fn json_only(json: String) -> Self {
        Self {
            json,
            few: Few::Json,
        }
    }
}

/// Rows by their keys; `rest` is what follows the conditions.
pub(super) fn select(dialect: Dialect, what: &str, table: &str, key: Columns, rest: &str) -> Bulk {
    let (source, on) = (source(dialect, &[key]), on(key));
    let join = match dialect {
        Dialect::MariaDb => "STRAIGHT_JOIN",
        Dialect::Sqlite => "CROSS JOIN",
    };
    let one = format!("({})", on_values(key));
    Bulk {
        json: format!("SELECT {what} FROM {source} {join} {table} t WHERE {on}{rest}"),
        few: Few::Together([
            format!("SELECT {what} FROM {table} t WHERE {one}{rest}"),
            format!("SELECT {what} FROM {table} t WHERE ({one} OR {one}){rest}"),
        ]),
    }
}

/// New rows.
pub(super) fn insert(dialect: Dialect, table: &str, columns: &[Columns]) -> Bulk {
    let source = source(dialect, columns);
    let names: Vec<&str> = columns
        .iter()
        .copied()
        .flatten()
        .map(|(name, _)| *name)
        .collect();
    let values: Vec<String> = (0..names.len())
        .map(|index| format!("j.c{index}"))
        .collect();
    let one = format!("({})", vec!["?"; names.len()].join(", "));
    let (names, values) = (names.join(", "), values.join(", "));
    Bulk {
        json: format!("INSERT INTO {table} ({names}) SELECT {values} FROM {source}"),
        few: Few::Together([
            format!("INSERT INTO {table} ({names}) VALUES {one}"),
            format!("INSERT INTO {table} ({names}) VALUES {one}, {one}"),
        ]),
    }
}

/// Known rows: key first, then what is written.
pub(super) fn update(dialect: Dialect, table: &str, key: Columns, columns: &[Columns]) -> Bulk {
    let all = [&[key], columns].concat();
    let written: Vec<&str> = columns
        .iter()
        .copied()
        .flatten()
        .map(|(name, _)| *name)
        .collect();
    let from_json = written
        .iter()
        .enumerate()
        .map(|(index, name)| format!("{name} = j.c{}", index + key.len()));
    let from_values: Vec<String> = written.iter().map(|name| format!("{name} = ?")).collect();
    let from_json: Vec<String> = from_json.collect();
    let sql = format!(
        "UPDATE {table} AS t SET {} WHERE {}",
        from_values.join(", "),
        on_values(key)
    );
    Bulk {
        json: set(dialect, table, key, &all, &from_json.join(", ")),
        few: Few::Each {
            sql,
            key: key.len(),
        },
    }
}

/// An update whose assignments are written by hand.
pub(super) fn set(
    dialect: Dialect,
    table: &str,
    key: Columns,
    columns: &[Columns],
    sets: &str,
) -> String {
    let (source, on) = (source(dialect, columns), on(key));
    match dialect {
        Dialect::MariaDb => {
            format!("UPDATE {source} STRAIGHT_JOIN {table} t SET {sets} WHERE {on}")
        }
        Dialect::Sqlite => format!("UPDATE {table} AS t SET {sets} FROM {source} WHERE {on}"),
    }
}

pub(super) fn names(alias: &str, columns: &[Columns]) -> String {
    let names = columns
        .iter()
        .copied()
        .flatten()
        .map(|(name, _)| format!("{alias}.{name}"));
    names.collect::<Vec<_>>().join(", ")
}

/// The JSON parameter as a table `j` with columns `c0`, `c1`, ...
fn source(dialect: Dialect, columns: &[Columns]) -> String {
    let columns = columns
        .iter()
        .copied()
        .flatten()
        .enumerate()
        .map(|(index, (_, kind))| match dialect {
            Dialect::MariaDb => {
                let kind = match kind {
                    Kind::Name => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin",
                    Kind::Text => "TEXT CHARACTER SET utf8mb4",
                    Kind::Int => "BIGINT",
                };
                format!("c{index} {kind} PATH '$[{index}]'")
            }
            Dialect::Sqlite => format!("json_extract(value, '$[{index}]') AS c{index}"),
        })
        .collect::<Vec<_>>()
        .join(", ");
    match dialect {
        Dialect::MariaDb => format!("JSON_TABLE(?, '$[*]' COLUMNS ({columns})) j"),
        Dialect::Sqlite => format!("(SELECT {columns} FROM json_each(?)) j"),
    }
}

fn on(key: Columns) -> String {
    let parts = key
        .iter()
        .enumerate()
        .map(|(index, (name, _))| format!("t.{name} = j.c{index}"));
    parts.collect::<Vec<_>>().join(" AND ")
}

fn on_values(key: Columns) -> String {
    let parts = key.iter().map(|(name, _)| format!("t.{name} = ?"));
    parts.collect::<Vec<_>>().join(" AND ")
}
