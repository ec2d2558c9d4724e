//! The one table of routes: what each is called, and what its token must allow. The router is made of it, and so are the tests
//! of who is refused.

use accounts::private_api::scope;

/// A call of the private API that needs a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Judges an e-mail address and a password.
    Validate,
    /// Makes a one-time link.
    MakeLink,
    /// Tells whose link it is.
    LookAtLink,
    /// Uses a link.
    RedeemLink,
    /// Begins a refresh family, or records a successor.
    RecordToken,
    /// Presents a refresh token.
    RotateToken,
    /// Ends a family.
    RevokeFamily,
    /// Lists sessions.
    Sessions,
    /// Ends sessions.
    EndSessions,
    /// Lists accounts.
    Users,
    /// Lists accounts, as the original's other route does.
    AllUsers,
    /// Makes an account.
    CreateUser,
    /// Shows an account.
    User,
    /// Changes an account.
    ChangeUser,
    /// Disables an account.
    DisableUser,
    /// Adds rows to the audit.
    AppendAudit,
    /// Reads the audit.
    Audit,
}

/// What a route is, and what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path, as axum's router writes it.
    pub path: &'static str,
    /// The scope of its token.
    pub scope: &'static str,
    /// Whether the caller must be somebody who may change accounts.
    pub is_for_admins: bool,
}

impl Operation {
    /// All there are.
    pub const ALL: [Self; 17] = [
        Self::Validate,
        Self::MakeLink,
        Self::LookAtLink,
        Self::RedeemLink,
        Self::RecordToken,
        Self::RotateToken,
        Self::RevokeFamily,
        Self::Sessions,
        Self::EndSessions,
        Self::Users,
        Self::AllUsers,
        Self::CreateUser,
        Self::User,
        Self::ChangeUser,
        Self::DisableUser,
        Self::AppendAudit,
        Self::Audit,
    ];

    /// Its route.
    pub fn route(self) -> Route {
        let (method, path, scope, is_for_admins) = match self {
            Self::Validate => ("POST", "/internal/auth/validate", scope::VALIDATE, false),
            Self::MakeLink => ("POST", "/internal/links", scope::LINK, true),
            Self::LookAtLink => ("POST", "/internal/links/look", scope::VALIDATE, false),
            Self::RedeemLink => ("POST", "/internal/links/redeem", scope::VALIDATE, false),
            Self::RecordToken => ("POST", "/internal/refresh/record", scope::REFRESH, false),
            Self::RotateToken => ("POST", "/internal/refresh/rotate", scope::REFRESH, false),
            Self::RevokeFamily => ("POST", "/internal/refresh/revoke", scope::REFRESH, false),
            Self::Sessions => ("GET", "/internal/sessions", scope::SESSIONS, false),
            Self::EndSessions => ("POST", "/internal/sessions/end", scope::SESSIONS, false),
            Self::Users => ("GET", "/v1/user/paged", scope::USERS, true),
            Self::AllUsers => ("GET", "/v1/user", scope::USERS, true),
            Self::CreateUser => ("POST", "/v1/user", scope::USERS, true),
            Self::User => ("GET", "/v1/user/{id}", scope::USERS, true),
            Self::ChangeUser => ("PUT", "/v1/user/{id}", scope::USERS, true),
            Self::DisableUser => ("DELETE", "/v1/user/{id}", scope::USERS, true),
            Self::AppendAudit => ("POST", "/internal/audit", scope::AUDIT_WRITE, false),
            Self::Audit => ("GET", "/internal/audit", scope::AUDIT_READ, true),
        };
        Route {
            method,
            path,
            scope,
            is_for_admins,
        }
    }
}
