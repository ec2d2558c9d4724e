//! Who may do what: the permissions that operations ask for, and the roles that have them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a caller may do. A token names them as [`Self::as_str`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Permission {
    /// See the mesh: state, matrix, health, timeline, local clients, events, pages, metrics.
    #[serde(rename = "mesh:read")]
    MeshRead,
    /// Change credentials and send them: ensure, rotate, revoke, sync, resync.
    #[serde(rename = "credentials:write")]
    CredentialsWrite,
    /// Use them: call a peer as a client, hash a secret.
    #[serde(rename = "credentials:use")]
    CredentialsUse,
    /// Change the inventory of targets.
    #[serde(rename = "targets:write")]
    TargetsWrite,
    /// Stop and start peers of a demo.
    #[serde(rename = "mesh:control")]
    MeshControl,
    /// At the gateway: invite and disable people, end their sessions.
    #[serde(rename = "accounts:write")]
    AccountsWrite,
    /// At the gateway: make and disable machine clients, and give them secrets.
    #[serde(rename = "clients:write")]
    ClientsWrite,
    /// At the gateway: let a new peer in.
    #[serde(rename = "peers:enrol")]
    PeersEnrol,
    /// At the gateway: rotate the keys that tokens are signed with.
    #[serde(rename = "keys:rotate")]
    KeysRotate,
}

impl Permission {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::MeshRead,
        Self::CredentialsWrite,
        Self::CredentialsUse,
        Self::TargetsWrite,
        Self::MeshControl,
        Self::AccountsWrite,
        Self::ClientsWrite,
        Self::PeersEnrol,
        Self::KeysRotate,
    ];

    /// The name, as a token has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MeshRead => "mesh:read",
            Self::CredentialsWrite => "credentials:write",
            Self::CredentialsUse => "credentials:use",
            Self::TargetsWrite => "targets:write",
            Self::MeshControl => "mesh:control",
            Self::AccountsWrite => "accounts:write",
            Self::ClientsWrite => "clients:write",
            Self::PeersEnrol => "peers:enrol",
            Self::KeysRotate => "keys:rotate",
        }
    }

    /// Reads what [`Self::as_str`] tells.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|permission| permission.as_str() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person or a machine is, in one word. Each role has all that the one before it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees the mesh.
    Viewer,
    /// Runs it.
    Operator,
    /// Says who may.
    Admin,
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownRole;

impl fmt::Display for UnknownRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there are the roles viewer, operator and admin")
    }
}

impl std::error::Error for UnknownRole {}

impl Role {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// What it may do.
    pub fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Viewer => &Permission::ALL[..1],
            Self::Operator => &Permission::ALL[..5],
            Self::Admin => &Permission::ALL,
        }
    }

    /// The smallest role that has all of `permissions`: what their holder is called.
    pub fn smallest_with(permissions: &[Permission]) -> Self {
        let has_all = |role: &Self| permissions.iter().all(|it| role.permissions().contains(it));
        // The last one has all there are.
        Self::ALL.into_iter().find(has_all).unwrap_or(Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_in_a_token_and_in_json() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::json!(permission), permission.as_str());
        }
        for role in Role::ALL {
            assert_eq!(serde_json::json!(role), role.as_str());
            assert_eq!(role.as_str().parse(), Ok(role));
        }
        assert_eq!("Admin".parse::<Role>(), Err(UnknownRole));
    }

    #[test]
    fn each_role_has_more_than_the_one_before() {
        let names = |role: Role| {
            role.permissions()
                .iter()
                .map(|it| it.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Role::Viewer), ["mesh:read"]);
        assert_eq!(
            names(Role::Operator),
            [
                "mesh:read",
                "credentials:write",
                "credentials:use",
                "targets:write",
                "mesh:control"
            ]
        );
        assert_eq!(Role::Admin.permissions(), Permission::ALL);
    }

    #[test]
    fn permissions_are_called_by_the_smallest_role_that_has_them_all() {
        for role in Role::ALL {
            assert_eq!(Role::smallest_with(role.permissions()), role);
        }
        for (permissions, role) in [
            (&[][..], Role::Viewer),
            (&[Permission::CredentialsUse], Role::Operator),
            (
                &[Permission::TargetsWrite, Permission::MeshRead],
                Role::Operator,
            ),
            (&[Permission::KeysRotate], Role::Admin),
            (
                &[Permission::MeshRead, Permission::AccountsWrite],
                Role::Admin,
            ),
        ] {
            assert_eq!(Role::smallest_with(permissions), role, "{permissions:?}");
        }
    }
}
