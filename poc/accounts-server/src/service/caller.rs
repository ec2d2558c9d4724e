//! Who calls, as the internal token says.

use accounts::AccountId;
use jwt_auth::{InternalContext, InternalRejection, SubjectKind};

/// One of these is needed to act on other people: ours, and the original's.
pub const WRITES_ACCOUNTS: [&str; 2] = ["accounts:write", "ADMIN"];

/// Who calls, and in which request.
#[derive(Clone, Debug)]
pub struct Caller(InternalContext);

impl Caller {
    /// Takes what a verified token says.
    pub fn new(context: InternalContext) -> Self {
        Self(context)
    }

    /// Whoever runs a command on the machine of the service.
    pub fn command_line() -> Self {
        Self(InternalContext {
            subject: "command-line".to_owned(),
            subject_kind: SubjectKind::System,
            name: None,
            scope: jwt_auth::Scopes::default(),
            permissions: WRITES_ACCOUNTS.map(str::to_owned).into(),
            request_id: "command-line".to_owned(),
            tenant: None,
            session: None,
            exp: i64::MAX,
        })
    }

    /// What the audit calls them.
    pub fn actor(&self) -> &str {
        self.0.name.as_deref().unwrap_or(&self.0.subject)
    }

    /// The request's name in logs.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Tells whether the gateway itself calls.
    pub fn is_system(&self) -> bool {
        self.0.subject_kind == SubjectKind::System
    }

    /// Tells whether it is this person.
    pub fn is(&self, person: AccountId) -> bool {
        self.0.subject_kind == SubjectKind::User && self.0.subject == person.to_string()
    }

    /// The account that calls, if it is one of ours.
    pub(crate) fn account(&self) -> Option<AccountId> {
        let is_person = self.0.subject_kind == SubjectKind::User;
        let id = is_person.then(|| AccountId::parse(&self.0.subject));
        id.and_then(Result::ok)
    }

    /// What somebody is told who may not act on others.
    pub(crate) fn denied() -> InternalRejection {
        InternalRejection::PermissionDenied {
            needed: WRITES_ACCOUNTS.map(str::to_owned).into(),
        }
    }

    /// Asks whether they may act on this person's sessions: it is they, the gateway itself, or somebody who may change accounts.
    ///
    /// # Errors
    /// [`InternalRejection::PermissionDenied`].
    pub fn require_access_to(&self, person: AccountId) -> Result<(), InternalRejection> {
        match self.is(person) || self.is_system() {
            true => Ok(()),
            false => self.0.require_any_permission(&WRITES_ACCOUNTS),
        }
    }
}
