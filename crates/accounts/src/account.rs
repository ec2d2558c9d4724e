//! People who may sign in.

use std::collections::BTreeSet;
use std::fmt;

use auth_base::text::is_hidden;
use mesh_api::permission::{Permission, Role};

use crate::email::Email;
use crate::id::AccountId;
use crate::password::PasswordHash;
use crate::text::{composed, is_joiner, is_visible};

/// Bytes of a name.
pub const LONGEST_NAME: usize = 200;

/// The text is no name: it is longer than 200 bytes, has nothing that one sees, or holds characters that nobody
/// sees besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to 200 bytes, one of its characters is seen, and none is hidden")]
pub struct InvalidName;

/// What a person is called on the pages: composed (NFC), without blanks at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName(String);

impl PersonName {
    /// Reads a name.
    ///
    /// # Errors
    /// [`InvalidName`].
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if text.len() > 4 * LONGEST_NAME {
            return Err(InvalidName);
        }
        let name = composed(text.trim());
        let fits = (1..=LONGEST_NAME).contains(&name.len());
        let is_seen = |it: char| !is_hidden(it) || is_joiner(it);
        match fits && name.chars().all(is_seen) && name.chars().any(is_visible) {
            true => Ok(Self(name)),
            false => Err(InvalidName),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How often an account was written. Zero is an account that is in no store yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64);

impl Version {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A person who may sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Stays when everything else changes.
    pub id: AccountId,
    /// What the person signs in with; no two accounts have the same.
    pub email: Email,
    /// What the person is called.
    pub name: PersonName,
    /// `None` while nobody chose a password: then nobody signs in with one.
    pub password: Option<PasswordHash>,
    /// What the person may be; none is nothing.
    pub roles: BTreeSet<Role>,
    /// Since when the person may not sign in, in epoch milliseconds.
    pub disabled_at_ms: Option<i64>,
    /// As it was read; a save is refused when the store holds another.
    pub version: Version,
}

impl Account {
    /// An account that is in no store yet, without a password.
    pub fn new(id: AccountId, email: Email, name: PersonName, roles: BTreeSet<Role>) -> Self {
        Self {
            id,
            email,
            name,
            password: None,
            roles,
            disabled_at_ms: None,
            version: Version::default(),
        }
    }

    /// Tells whether the person may sign in and go on.
    pub fn is_active(&self) -> bool {
        self.disabled_at_ms.is_none()
    }

    /// Tells whether it is an account that gives others their rights: an admin who is not disabled.
    pub fn is_active_admin(&self) -> bool {
        self.is_active() && self.roles.contains(&Role::Admin)
    }

    /// Tells whether it is an admin who can sign in: one without a password gives nobody any rights.
    pub fn is_admin_with_password(&self) -> bool {
        self.is_active_admin() && self.password.is_some()
    }

    /// What the person may do: what any of the roles may, in the order of the table. Nobody who is disabled may do anything.
    pub fn permissions(&self) -> Vec<Permission> {
        let has = |permission: &Permission| {
            let mut roles = self.roles.iter();
            roles.any(|role| role.permissions().contains(permission))
        };
        match self.is_active() {
            true => Permission::ALL.into_iter().filter(has).collect(),
            false => Vec::new(),
        }
    }
}

/// Writes roles as stores keep them: their names, in order, with commas.
pub fn roles_as_text(roles: &BTreeSet<Role>) -> String {
    let names: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    names.join(",")
}

/// Reads what [`roles_as_text`] writes; `None` for an unknown role, which is never passed over in silence.
pub fn roles_of_text(text: &str) -> Option<BTreeSet<Role>> {
    let names = text.split(',').filter(|name| !name.is_empty());
    names.map(|name| name.parse().ok()).collect()
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(roles: &[Role]) -> Account {
        let email = Email::parse("ada@example.org").unwrap();
        let name = PersonName::parse("Ada").unwrap();
        let id = AccountId::from_bytes([1; 16]);
        Account::new(id, email, name, roles.iter().copied().collect())
    }

    #[test]
    fn permissions_are_those_of_all_roles() {
        assert_eq!(account(&[]).permissions(), []);
        assert_eq!(
            account(&[Role::Viewer]).permissions(),
            [Permission::MeshRead]
        );
        let both = account(&[Role::Viewer, Role::Admin]);
        assert_eq!(both.permissions(), Permission::ALL);
        let disabled = Account {
            disabled_at_ms: Some(1),
            ..both.clone()
        };
        assert_eq!(disabled.permissions(), []);
        assert!(both.is_active_admin() && !disabled.is_active_admin());
    }

    #[test]
    fn roles_are_read_back() {
        for roles in [&[][..], &[Role::Viewer], &Role::ALL] {
            let roles: BTreeSet<Role> = roles.iter().copied().collect();
            assert_eq!(roles_of_text(&roles_as_text(&roles)), Some(roles));
        }
        assert_eq!(roles_of_text("viewer,root"), None);
    }

    #[test]
    fn names_are_seen() {
        assert_eq!(PersonName::parse("  Ada \n").unwrap().as_str(), "Ada");
        // A Persian name needs what parts its letters.
        assert!(PersonName::parse("\u{646}\u{6cc}\u{200c}\u{6a9}\u{646}").is_ok());
        for wrong in [
            "",
            " ",
            "a\u{202e}b",
            "a\u{3164}b",
            "a\nb",
            "\u{200d}\u{200c}",
            "\u{2800}",
            &"a".repeat(201),
        ] {
            assert_eq!(PersonName::parse(wrong), Err(InvalidName), "{wrong:?}");
        }
    }
}
