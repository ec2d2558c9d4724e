//! The operations about the whole mesh: the matrix, health, one client's timeline, and stopping and starting peers.

use hmac_auth::credential::ClientId;
use hmac_propagation::peer_store::{CredentialKey, Track};
use serde_json::{Value, json};

use crate::fields::Fields;
use crate::mesh::MeshView;
use crate::mesh::model::Timeline;
use crate::mesh::page::PageQuery;
use crate::problem::Problem;
use crate::surface::query::Query;
use crate::surface::{Input, Surface};

/// A timeline answers at most this many entries.
const HISTORY_LIMIT: usize = 200;

/// How many entries a timeline answers unless told.
const HISTORY_DEFAULT: usize = 50;

impl Surface {
    /// The view of the mesh.
    ///
    /// # Errors
    /// 404 on a peer that was not wired to the stores of others.
    pub fn mesh(&self) -> Result<&MeshView, Problem> {
        self.mesh.as_deref().ok_or_else(Problem::no_route)
    }

    pub(super) async fn mesh_page(&self, query: Option<&str>) -> Result<Value, Problem> {
        let mesh = self.mesh()?;
        Ok(json!(mesh.page(&PageQuery::parse(query)?).await))
    }

    pub(super) async fn mesh_health(&self) -> Result<Value, Problem> {
        Ok(json!(self.mesh()?.health().await))
    }

    pub(super) async fn control(&self, input: Input<'_>, run: bool) -> Result<Value, Problem> {
        Fields::parse(input.body, &[])?;
        Ok(json!(
            self.mesh()?
                .control(input.name.unwrap_or_default(), run)
                .await?
        ))
    }

    pub(super) async fn timeline(&self, query: Option<&str>) -> Result<Value, Problem> {
        let mut query = Query::parse(query, &["clientId", "track", "before", "limit"])?;
        let client_id = query
            .take("clientId")
            .ok_or_else(|| Problem::invalid("clientId", "is missing"))?;
        let client_id = ClientId::parse(&client_id)
            .map_err(|error| Problem::invalid("clientId", error.to_string()))?;
        let track = match query.take("track") {
            None => Track::Http,
            Some(text) => Track::parse(&text)
                .ok_or_else(|| Problem::invalid("track", "must be http or message"))?,
        };
        let before = match query.take("before") {
            None => None,
            Some(text) => {
                let id = text
                    .parse()
                    .map_err(|_| Problem::invalid("before", "is not the id of an entry"))?;
                Some(id)
            }
        };
        let limit = query
            .number("limit", 1, HISTORY_LIMIT)?
            .unwrap_or(HISTORY_DEFAULT);
        let key = CredentialKey { track, client_id };
        let row = self
            .administration
            .credentials(std::slice::from_ref(&key))
            .await?;
        let entries = self.administration.history(&key, before, limit).await?;
        let client = match &self.mesh {
            Some(mesh) => mesh.client(&key).await,
            None => None,
        };
        let next = entries
            .last()
            .filter(|_| entries.len() == limit)
            .map(|entry| entry.id);
        Ok(json!(Timeline {
            client_id: key.client_id.to_string(),
            track: track.as_str(),
            known: client.is_some() || !row.credentials.is_empty() || !entries.is_empty(),
            client,
            pivots: row.pivots,
            entries,
            next,
        }))
    }
}
