//! One-time links: how somebody gets in who has no password, or chooses one.

use std::time::Duration;

use accounts::private_api::{
    LinkKind, LinkShown, LookAtLink, MadeLink, MakeLink, Person, RedeemLink, code,
};
use accounts::{
    Account, AccountId, FailureKey, Link, Outcome, Password, RevokeReason, Saved, Subject, Which,
    link,
};
use auth_base::error_chain::chain;
use auth_base::store_error::StoreError;
use zeroize::Zeroizing;

use crate::service::accounts::{Accounts, Attempt, address, milliseconds, person};
use crate::service::caller::Caller;
use crate::service::problem::Problem;
use crate::service::record::Record;

/// How often the sessions of a person are tried to be ended.
const ATTEMPTS: u32 = 3;

/// Between two of them.
const PAUSE: Duration = Duration::from_millis(100);

impl Accounts {
    /// Makes a link for somebody. The account is written, so that links made before count no more.
    ///
    /// # Errors
    /// [`Problem::NotFound`]; [`Problem::Invalid`] for an account that is disabled.
    pub async fn make_link(&self, caller: &Caller, asked: &MakeLink) -> Result<MadeLink, Problem> {
        let account = self.find(&asked.user_id).await?;
        if !account.is_active() {
            return Err(Problem::invalid("userId", "the account is disabled"));
        }
        let account = self.used(account).await.map_err(|problem| match problem {
            Problem::InvalidLink => Problem::Changed,
            problem => problem,
        })?;
        let made = self.link_for(&account, asked.kind);
        let record = Record {
            reason: Some(kind_name(asked.kind)),
            ..Record::done(caller.actor(), "link.make", account.email.as_str())
        };
        self.write_down(caller, record).await;
        Ok(made)
    }

    /// Makes a link for an account as it is.
    pub(crate) fn link_for(&self, account: &Account, kind: LinkKind) -> MadeLink {
        let lifetime = milliseconds(link::lifetime(kind));
        let link = Link {
            kind,
            account: account.id,
            version: account.version,
            expires_at_ms: self.clock.now_ms().saturating_add(lifetime),
        };
        MadeLink {
            token: Zeroizing::new(self.links.token(&link).expose().to_owned()),
            expires_at_ms: link.expires_at_ms,
        }
    }

    /// Tells whose link it is, without using it.
    ///
    /// # Errors
    /// [`Problem::InvalidLink`].
    pub async fn look_at_link(&self, asked: &LookAtLink) -> Result<LinkShown, Problem> {
        let (link, account) = self.open(&asked.token).await?;
        Ok(LinkShown {
            email: account.email.to_string(),
            kind: link.kind,
            expires_at_ms: link.expires_at_ms,
        })
    }

    /// Uses a link: it counts once.
    ///
    /// # Errors
    /// [`Problem::InvalidLink`], [`Problem::WeakPassword`], [`Problem::TooManyAttempts`], [`Problem::Busy`];
    /// [`Problem::Unfinished`] when the password was chosen and older sessions could not be ended.
    pub async fn redeem_link(
        &self,
        caller: &Caller,
        asked: &RedeemLink,
    ) -> Result<Person, Problem> {
        let key = address(&asked.browser)?.map(|it| FailureKey::of_address(it, "link"));
        let refused = |reason| {
            let from = asked.browser.address.as_deref();
            let record = Record::done("(a link)", "link.redeem", "(a link)");
            record.refused(Some(reason)).from(from)
        };
        let redeemed = self.redeem(asked).await;
        if let Err(Problem::InvalidLink) = &redeemed {
            // Nobody guesses a link: what is counted is only how often that is written down and looked up.
            if let Attempt::TooMany { problem, is_first } = self.count(key.as_ref()).await? {
                if is_first {
                    let refused = refused(code::TOO_MANY_ATTEMPTS);
                    self.write_down(caller, refused).await;
                }
                return Err(problem);
            }
            self.write_down(caller, refused(code::INVALID_LINK)).await;
        }
        let (link, account) = redeemed?;
        let ended = match link.kind {
            LinkKind::SignIn => Ok(0),
            LinkKind::ChoosePassword => {
                self.end_all(account.id, RevokeReason::PasswordChanged)
                    .await
            }
        };
        let email = account.email.as_str();
        let record = Record {
            reason: Some(kind_name(link.kind)),
            outcome: match ended {
                Ok(_) => Outcome::Done,
                Err(_) => Outcome::Failed,
            },
            ..Record::done(email, "link.redeem", email)
        };
        let from = asked.browser.address.as_deref();
        self.write_down(caller, record.from(from)).await;
        ended.map_err(Problem::Unfinished)?;
        Ok(person(&account))
    }

    /// Opens a link and writes its account, with the new password if the link is for one.
    async fn redeem(&self, asked: &RedeemLink) -> Result<(Link, Account), Problem> {
        let (link, account) = self.open(&asked.token).await?;
        let account = match link.kind {
            LinkKind::SignIn => account,
            LinkKind::ChoosePassword => {
                let account = self.with_password(account, asked).await?;
                // Before the password is written as well: nobody comes back to end them if this ends in between.
                let ended = self.end_all(account.id, RevokeReason::PasswordChanged);
                ended.await?;
                account
            }
        };
        Ok((link, self.used(account).await?))
    }

    /// Opens a link that still counts.
    async fn open(&self, token: &str) -> Result<(Link, Account), Problem> {
        let link = self.links.open(token, self.clock.now_ms());
        let link = link.ok_or(Problem::InvalidLink)?;
        let account = self.stores.accounts.by_id(link.account).await?;
        let counts = |it: &Account| it.version == link.version && it.is_active();
        let account = account.filter(counts).ok_or(Problem::InvalidLink)?;
        Ok((link, account))
    }

    async fn with_password(
        &self,
        account: Account,
        asked: &RedeemLink,
    ) -> Result<Account, Problem> {
        let typed = asked.password.as_ref().map(|it| it.as_str());
        let typed = typed.unwrap_or_default();
        let password =
            Password::new(typed).map_err(|invalid| Problem::invalid("password", &invalid))?;
        let hash = self.hashing.place()?.choose(password, known(&account));
        Ok(Account {
            password: Some(hash.await?),
            ..account
        })
    }

    /// Writes the account, so that neither this link nor another of this version counts again.
    async fn used(&self, account: Account) -> Result<Account, Problem> {
        match self.stores.accounts.save(&account).await? {
            Saved::Done(version) => Ok(Account { version, ..account }),
            Saved::Changed | Saved::EmailTaken | Saved::LastAdmin => Err(Problem::InvalidLink),
        }
    }

    /// Ends all sessions of a person, and tells how many.
    pub(crate) async fn end_all(
        &self,
        person: AccountId,
        reason: RevokeReason,
    ) -> Result<u64, StoreError> {
        let which = Which::AllOf(Subject::User(person));
        let mut attempt = 1;
        loop {
            let now_ms = self.clock.now_ms();
            let error = match self.stores.refresh.revoke(&which, reason, now_ms).await {
                Ok(ended) => return Ok(ended),
                Err(error) => error,
            };
            if attempt == ATTEMPTS {
                let error_chain = chain(&error);
                tracing::error!(%person, error = %error_chain, "sessions could not be ended");
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// What anybody knows about a person and of us: it makes a password no better.
pub(crate) fn known(account: &Account) -> Vec<String> {
    vec![
        account.email.to_string(),
        account.name.to_string(),
        "hmac-mesh".to_owned(),
    ]
}

fn kind_name(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::SignIn => "sign-in",
        LinkKind::ChoosePassword => "choose-password",
    }
}
