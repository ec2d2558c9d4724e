//! One client's way through the mesh: `timeline`.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::limit::Limit;
use crate::mesh::MeshClient;
use crate::state::PivotState;
use crate::track::Track;

/// `GET timeline`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimelineQuery {
    /// The client
    pub client_id: String,
    /// `http` unless given
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub track: Option<Track>,
    /// Only entries older than the one of this id
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "entry_id"
    )]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    pub before: Option<i64>,
    /// Entries at once; 50 unless given
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<usize>, minimum = 1, maximum = 200))]
    pub limit: Option<Limit<200>>,
}

/// A query holds texts only.
fn entry_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let id = text.parse();
    id.map(Some)
        .map_err(|_| D::Error::custom("is not the id of an entry"))
}

/// One client's way through the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The client.
    pub client_id: String,
    /// `http` or `message`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub track: Track,
    /// Whether this peer or any store of the mesh knows it.
    pub known: bool,
    /// Its row of the matrix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<MeshClient>,
    /// How far this peer's change has come on each target.
    pub pivots: Vec<PivotState>,
    /// What happened, the newest first.
    pub entries: Vec<HistoryEntry>,
    /// Older entries are before this one; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// One step of a credential or of one of its rows. Times are epoch milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// Names the entry; later ones are larger.
    pub id: i64,
    /// When.
    pub at: i64,
    /// On which target; null for the credential itself.
    pub target: Option<String>,
    /// What happened.
    pub transition: String,
    /// Which change of the credential.
    pub generation: i64,
    /// How many times it was sent by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<i64>,
    /// In which event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The event's `ts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ts: Option<i64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked for it: a person's e-mail address, or a client's name. Absent where nobody did, and where nobody is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The request in which they did, as logs name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}
