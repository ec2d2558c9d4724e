//! Filtering, ordering and paging the rows.

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::Track;
use mesh_api::mesh::{MeshClient, MeshQuery, Show, Sort};
use mesh_api::problem::Problem;

use crate::row_key::RowKey;
use crate::table::Table;

/// How many rows a page has unless told.
const PAGE_DEFAULT: usize = 50;

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PageQuery {
    /// Rows after this one.
    cursor: Option<Cursor>,
    /// How many at most.
    limit: usize,
    /// What the client id must hold, in any case; empty is anything.
    filter: String,
    /// Only rows that are not in sync.
    attention: bool,
    /// In which order.
    order: Sort,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Cursor {
    changed_at: i64,
    key: RowKey,
}

/// The rows of a page.
pub(crate) struct Rows {
    pub(crate) clients: Vec<MeshClient>,
    pub(crate) matching: usize,
    pub(crate) next: Option<String>,
}

impl PageQuery {
    /// Takes a query.
    ///
    /// # Errors
    /// A 400 [`Problem`] that names the cursor.
    pub(crate) fn of(query: MeshQuery) -> Result<Self, Problem> {
        let cursor = query.cursor.filter(|text| !text.is_empty());
        Ok(Self {
            cursor: cursor.map(|text| Cursor::parse(&text)).transpose()?,
            limit: query.limit.map_or(PAGE_DEFAULT, |limit| limit.count()),
            filter: query.filter.unwrap_or_default().trim().to_owned(),
            attention: query.show.unwrap_or_default() == Show::Attention,
            order: query.sort.unwrap_or_default(),
        })
    }

    /// Takes the rows. One walk over all of them, and only those of the page are made.
    pub(crate) fn rows(&self, table: &Table) -> Rows {
        match self.order {
            Sort::Client => self.walk(table, table.by_client()),
            Sort::Changed => self.walk(table, table.by_change()),
        }
    }

    fn walk<'a>(&self, table: &Table, rows: impl Iterator<Item = (&'a RowKey, i64, bool)>) -> Rows {
        let mut matching = 0;
        let mut page: Vec<(&RowKey, i64)> = Vec::with_capacity(self.limit);
        let mut more = false;
        for (key, changed_at, attention) in rows {
            if (self.attention && !attention) || !holds(key.client_id.as_str(), &self.filter) {
                continue;
            }
            matching += 1;
            if !self.is_after_cursor(key, changed_at) {
                continue;
            }
            if page.len() < self.limit {
                page.push((key, changed_at));
            } else {
                more = true;
            }
        }
        let next = page.last().filter(|_| more).map(|(key, changed_at)| {
            format!("{changed_at}/{}/{}", key.track.as_str(), key.client_id)
        });
        Rows {
            clients: page
                .iter()
                .filter_map(|(key, _)| table.client(key))
                .collect(),
            matching,
            next,
        }
    }

    fn is_after_cursor(&self, key: &RowKey, changed_at: i64) -> bool {
        let Some(cursor) = &self.cursor else {
            return true;
        };
        match self.order {
            Sort::Client => *key > cursor.key,
            Sort::Changed => {
                changed_at < cursor.changed_at
                    || (changed_at == cursor.changed_at && *key > cursor.key)
            }
        }
    }
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, Problem> {
        let read = || {
            let (changed_at, rest) = text.split_once('/')?;
            let (track, client_id) = rest.split_once('/')?;
            let key = RowKey {
                client_id: ClientId::parse(client_id).ok()?,
                track: Track::parse(track)?,
            };
            Some(Self {
                changed_at: changed_at.parse().ok()?,
                key,
            })
        };
        read().ok_or_else(|| Problem::invalid("cursor", "is not one that this peer gave"))
    }
}

/// Tells whether `text` holds `part`, whatever the case of ASCII letters.
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    part.is_empty()
        || text
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use mesh_api::decode;

    use super::*;
    use crate::cells::Held;

    /// `count` clients on four peers; every hundredth differs on one of them.
    fn table(count: i64) -> Table {
        let mut table = Table::new(["a", "b", "c", "d"].map(|name| (name.to_owned(), name == "a")));
        for column in 0..4 {
            let held = (0..count).map(|n| {
                let client_id = ClientId::parse(&format!("Client-{n:05}")).unwrap();
                let differs = column == 3 && n % 100 == 0;
                let hash = Some(if differs { *b"ffffffff" } else { *b"00000000" });
                let held = Held {
                    hash,
                    updated_at: n,
                    expires_at: None,
                    policy: 0,
                };
                (
                    RowKey {
                        client_id,
                        track: Track::Http,
                    },
                    held,
                )
            });
            let touched = table.replace_held(column, held.collect::<HashMap<_, _>>());
            touched.iter().for_each(|key| {
                table.refresh(key);
            });
        }
        table
    }

    fn parse(text: &str) -> Result<PageQuery, Problem> {
        decode::query(Some(text)).and_then(PageQuery::of)
    }

    fn query(text: &str) -> PageQuery {
        parse(text).unwrap()
    }

    fn walk(table: &Table, text: &str) -> Vec<String> {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let rows = query(&format!("{text}&cursor={cursor}")).rows(table);
            seen.extend(rows.clients.into_iter().map(|client| client.client_id));
            match rows.next {
                Some(next) => cursor = next,
                None => return seen,
            }
        }
    }

    #[test]
    fn pages_give_every_row_once_in_order() {
        let table = table(250);
        let by_client = walk(&table, "limit=37");
        assert_eq!(by_client.len(), 250);
        assert!(by_client.is_sorted());
        let by_change = walk(&table, "limit=37&sort=changed");
        assert_eq!(by_change.len(), 250);
        assert!(
            by_change.iter().rev().is_sorted(),
            "the last changed come first"
        );
        assert_eq!(walk(&table, "show=attention").len(), 3);
        let filtered = query("filter=client-0024&limit=4").rows(&table);
        assert_eq!(
            (
                filtered.matching,
                filtered.clients.len(),
                filtered.next.is_some()
            ),
            (10, 4, true)
        );
        assert_eq!(query("filter=nobody").rows(&table).matching, 0);
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (text, name) in [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("show=x", "show"),
            ("sort=x", "sort"),
            ("cursor=x", "cursor"),
            ("cursor=1/http/", "cursor"),
            ("x=1", "x"),
        ] {
            assert_eq!(parse(text).unwrap_err().field.unwrap(), name, "{text}");
        }
    }

    #[test]
    fn ten_thousand_clients_are_filtered_in_one_walk() {
        let table = table(10_000);
        let rows = query("filter=9&sort=changed&show=all&limit=200").rows(&table);
        assert_eq!((rows.clients.len(), rows.matching), (200, 3_439));
    }
}
