//! Refresh families: they begin, go on and end.

use std::borrow::Cow;

use accounts::id::InvalidId;
use accounts::private_api::{
    FamilyRevoked, RecordToken, RevokeFamily, RotateToken, TokenRecorded, TokenRotated,
};
use accounts::{
    Account, AccountId, Begun, Family, FamilyId, NewFamily, Presented, Record as NewRecord,
    Recorded, Refusal, RevokeReason, Rotated, Rotation, Subject, TokenId, Version, Which,
};
use auth_base::store_error::StoreError;

use crate::service::accounts::{Accounts, milliseconds, permissions, seen};
use crate::service::caller::Caller;
use crate::service::problem::Problem;
use crate::service::record::Record;

impl Accounts {
    /// Begins a family, or records a successor that was not named when its parent was presented. The same call again changes
    /// nothing.
    ///
    /// # Errors
    /// [`Problem::Missing`], [`Problem::Invalid`], [`Problem::Changed`], [`Problem::FamilyDead`]; [`Problem::Refused`] when the
    /// person may not sign in.
    pub async fn record_token(
        &self,
        caller: &Caller,
        asked: &RecordToken,
    ) -> Result<TokenRecorded, Problem> {
        if [&asked.user_id, &asked.family_id, &asked.jti].map(String::is_empty) != [false; 3] {
            return Err(Problem::Missing("Missing userId, familyId or jti"));
        }
        let user = parse("userId", &asked.user_id, AccountId::parse)?;
        let family = parse("familyId", &asked.family_id, family_id)?;
        let token = parse("jti", &asked.jti, token_id)?;
        let subject = Subject::User(user);
        match &asked.parent_jti {
            None => self.begin(caller, asked, (family, token, user)).await?,
            Some(parent) => {
                let parent = parse("parentJti", parent, token_id)?;
                let held = self.stores.refresh.family(family).await?;
                if held.is_none_or(|it| it.subject != subject) {
                    return Err(Problem::FamilyDead);
                }
                let record = NewRecord {
                    family,
                    token,
                    parent: Some(parent),
                };
                let now_ms = self.clock.now_ms();
                match self.stores.refresh.record(&record, now_ms).await? {
                    Recorded::Done => {}
                    Recorded::Refused => return Err(Problem::FamilyDead),
                }
            }
        }
        let held = self.stores.refresh.family(family).await?;
        let held = held.ok_or(Problem::FamilyDead)?;
        Ok(TokenRecorded {
            recorded: true,
            family_until_ms: held.absolute_until_ms,
            idle_until_ms: held.idle_until_ms,
        })
    }

    async fn begin(
        &self,
        caller: &Caller,
        asked: &RecordToken,
        (id, first, user): (FamilyId, TokenId, AccountId),
    ) -> Result<(), Problem> {
        let inactive = Problem::Refused(Refusal::SubjectInactive);
        let version = match asked.version {
            Some(version) => Version(version),
            None => {
                let account = self.stores.accounts.by_id(user).await?;
                account.ok_or(inactive)?.version
            }
        };
        let idle_ms = match asked.idle_seconds {
            Some(seconds) => i64::from(seconds).saturating_mul(1_000).max(1_000),
            None => milliseconds(self.policy.idle),
        };
        let family = NewFamily {
            id,
            first,
            subject: Subject::User(user),
            account_version: version,
            idle_ms,
            absolute_ms: milliseconds(self.policy.family),
            seen: seen(&asked.browser).unwrap_or_default(),
        };
        match self
            .stores
            .refresh
            .begin(&family, self.clock.now_ms())
            .await?
        {
            Begun::Done => Ok(()),
            Begun::AccountChanged => Err(Problem::Changed),
            Begun::Taken => Err(Problem::FamilyDead),
            Begun::SubjectInactive => {
                self.refused(caller, user, Refusal::SubjectInactive).await;
                Err(Problem::Refused(Refusal::SubjectInactive))
            }
        }
    }

    /// Presents a token. Whoever got no answer asks again with the same `newJti`.
    ///
    /// # Errors
    /// [`Problem::Missing`], [`Problem::Invalid`], and [`Problem::Refused`], which is decided: the client's copy is worth
    /// nothing any more.
    pub async fn rotate_token(
        &self,
        caller: &Caller,
        asked: &RotateToken,
    ) -> Result<TokenRotated, Problem> {
        if asked.jti.is_empty() {
            return Err(Problem::Missing("Missing jti"));
        }
        // What no token is called was never one.
        let token = token_id(&asked.jti);
        let token = token.map_err(|_| Problem::Refused(Refusal::NotFound))?;
        let successor = asked.new_jti.as_deref();
        let successor = successor.map(|it| parse("newJti", it, token_id));
        let presented = Presented {
            token,
            successor: successor.transpose()?,
            seen: seen(&asked.browser),
        };
        let (now_ms, grace) = (self.clock.now_ms(), self.policy.grace);
        let rotation = self.stores.refresh.rotate(&presented, now_ms, grace);
        match rotation.await? {
            Rotation::Rotated(rotated) => self.goes_on(caller, token, &rotated).await,
            Rotation::Refused(refusal) => {
                self.tell_end(caller, token, refusal).await;
                Err(Problem::Refused(refusal))
            }
        }
    }

    /// Address and rights are read again at each rotation.
    async fn goes_on(
        &self,
        caller: &Caller,
        parent: TokenId,
        rotated: &Rotated,
    ) -> Result<TokenRotated, Problem> {
        let family = &rotated.family;
        let user = user(family)?;
        let account = self.stores.accounts.by_id(user).await?;
        let Some(account) = account.filter(Account::is_active) else {
            // It was disabled since the token was presented.
            let ended = self.end_all(user, RevokeReason::SubjectInactive).await;
            self.refused(caller, user, Refusal::SubjectInactive).await;
            ended?;
            return Err(Problem::Refused(Refusal::SubjectInactive));
        };
        Ok(TokenRotated {
            status: "rotated".to_owned(),
            user_id: user.to_string(),
            family_id: family.id.to_string(),
            parent_jti: parent.to_string(),
            jti: rotated.successor.map(|it| it.to_string()),
            email: account.email.to_string(),
            name: account.name.to_string(),
            permissions: permissions(&account),
            family_until_ms: family.absolute_until_ms,
            idle_until_ms: family.idle_until_ms,
        })
    }

    /// Writes down what ended a family. It is dead already, so nothing here fails the call.
    async fn tell_end(&self, caller: &Caller, token: TokenId, refusal: Refusal) {
        if !matches!(refusal, Refusal::Reused | Refusal::SubjectInactive) {
            return;
        }
        let family = self.stores.refresh.family_of(token).await;
        if let Ok(Some(Ok(user))) = family.map(|it| it.as_ref().map(user)) {
            self.refused(caller, user, refusal).await;
        }
    }

    async fn refused(&self, caller: &Caller, user: AccountId, refusal: Refusal) {
        let action = match refusal {
            Refusal::Reused => "refresh.reused",
            _ => "refresh",
        };
        let name = self.name_of(user).await;
        let record = Record::done(&name, action, &name);
        self.write_down(caller, record.refused(Some(refusal.as_str())))
            .await;
    }

    /// What the audit calls a person.
    pub(crate) async fn name_of(&self, user: AccountId) -> String {
        match self.stores.accounts.by_id(user).await {
            Ok(Some(account)) => account.email.to_string(),
            _ => user.to_string(),
        }
    }

    /// Ends a family: somebody signs out.
    ///
    /// # Errors
    /// [`Problem::Missing`].
    pub async fn revoke_family(
        &self,
        caller: &Caller,
        asked: &RevokeFamily,
    ) -> Result<FamilyRevoked, Problem> {
        let given = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
        match (given(&asked.jti), given(&asked.family_id)) {
            (Some(jti), _) => self.revoke_by_token(caller, &jti).await,
            (None, Some(family)) => {
                let family = match family_id(&family) {
                    Ok(id) => self.stores.refresh.family(id).await?,
                    Err(_) => None,
                };
                let revoked = match family {
                    Some(family) => self.sign_out(caller, &family).await?,
                    None => 0,
                };
                Ok(FamilyRevoked {
                    revoked: Some(revoked),
                    ..FamilyRevoked::default()
                })
            }
            (None, None) => Err(Problem::Missing("Missing jti or familyId")),
        }
    }

    async fn revoke_by_token(&self, caller: &Caller, jti: &str) -> Result<FamilyRevoked, Problem> {
        let family = match token_id(jti) {
            Ok(token) => self.stores.refresh.family_of(token).await?,
            Err(_) => None,
        };
        let Some(family) = family else {
            return Ok(FamilyRevoked {
                status: Some("not-found".to_owned()),
                ..FamilyRevoked::default()
            });
        };
        self.sign_out(caller, &family).await?;
        Ok(FamilyRevoked {
            status: Some("family-revoked".to_owned()),
            user_id: Some(family.subject.id()),
            family_id: Some(family.id.to_string()),
            revoked: None,
        })
    }

    async fn sign_out(&self, caller: &Caller, family: &Family) -> Result<u64, Problem> {
        let (which, now_ms) = (Which::Family(family.id), self.clock.now_ms());
        let revoked = self
            .stores
            .refresh
            .revoke(&which, RevokeReason::SignedOut, now_ms);
        let revoked = revoked.await?;
        if revoked > 0 {
            let name = self.name_of(user(family)?).await;
            let record = Record::done(&name, "logout", &name);
            self.write_down(caller, record).await;
        }
        Ok(revoked)
    }
}

/// Whose family it is.
pub(crate) fn user(family: &Family) -> Result<AccountId, StoreError> {
    match family.subject {
        Subject::User(id) => Ok(id),
        _ => Err(StoreError::Corrupt {
            owner: family.id.to_string(),
            reason: "its subject is no person",
        }),
    }
}

/// Reads an id.
pub(crate) fn parse<T, E: ToString>(
    field: &'static str,
    text: &str,
    read: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Problem> {
    read(text).map_err(|invalid| Problem::invalid(field, &invalid))
}

fn family_id(text: &str) -> Result<FamilyId, InvalidId> {
    FamilyId::parse(&without_dashes(text))
}

fn token_id(text: &str) -> Result<TokenId, InvalidId> {
    TokenId::parse(&without_dashes(text))
}

/// An id as ours are written. A gateway of the original makes UUIDs (RFC 9562): the same 16 bytes, with dashes.
fn without_dashes(text: &str) -> Cow<'_, str> {
    let dashes = text.match_indices('-').map(|(place, _)| place);
    match text.len() == 36 && dashes.eq([8, 13, 18, 23]) {
        true => text.replace('-', "").to_ascii_lowercase().into(),
        false => text.into(),
    }
}
