//! One page: all that it shows, in one value. Times are epoch milliseconds.

use mesh_api::health::MeshHealth;
use mesh_api::mesh::MeshPage;
use mesh_api::outcome::Outcome;
use mesh_api::permission::Permission;
use mesh_api::problem::Problem;
use mesh_api::target::TargetState;
use mesh_api::timeline::Timeline;
use serde::{Deserialize, Serialize};

/// All that one page shows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PageData {
    /// Which page.
    pub page: Page,
    /// The peer that shows it.
    pub peer: String,
    /// When it was made.
    pub at: i64,
    /// Whether there is a bundle that makes it live.
    pub live: bool,
    /// Who it is drawn for; absent where nobody is asked who they are, and everybody may do everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
    /// The matrix; also on the page of the targets, for its names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mesh: Option<MeshPage>,
    /// What happened to the client of this page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// The inventory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub targets: Option<Vec<TargetState>>,
    /// How the peers are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<MeshHealth>,
    /// What a form did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Why something is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
    /// What the address asked for.
    pub query: Query,
    /// The peers that a signed call may go to.
    pub peer_urls: Vec<String>,
}

/// Who a page is drawn for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Caller {
    /// What people call the caller.
    pub name: String,
    /// All that the caller may do.
    pub permissions: Vec<Permission>,
    /// Whether the caller signed in at the gateway, and can sign out there.
    pub has_session: bool,
}

/// Which page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Page {
    /// `/`
    Matrix,
    /// `/clients/{track}/{clientId}`
    Client,
    /// `/targets`
    Targets,
    /// `/health`
    Health,
    /// Everything else.
    #[default]
    #[serde(other)]
    NotFound,
}

/// What an address asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Query {
    /// Only clients whose id contains this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// `all` or `attention`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub show: Option<String>,
    /// `client` or `changed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// Where the page begins; on a client's page, the `before` of its timeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

impl Page {
    /// The page's name, as its title says it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Matrix => "Matrix",
            Self::Client => "Client",
            Self::Targets => "Targets",
            Self::Health => "Health",
            Self::NotFound => "Not found",
        }
    }
}
