//! Somebody types an e-mail address and a password.

use accounts::private_api::{Person, Validate, code};
use accounts::{Email, FailureKey, Password};

use crate::service::accounts::{Accounts, Attempt, address, person};
use crate::service::caller::Caller;
use crate::service::problem::Problem;
use crate::service::record::Record;

const ACTION: &str = "login";

/// What the audit calls a text that is no address: it may be a password in the wrong field.
const NO_ADDRESS: &str = "(no e-mail address)";

impl Accounts {
    /// Tells who it is, if the password is right. Whoever is unknown, disabled, without a password or no address at all costs
    /// the same time, and is told the same.
    ///
    /// # Errors
    /// [`Problem::Missing`], [`Problem::InvalidCredentials`], [`Problem::TooManyAttempts`], [`Problem::Busy`].
    pub async fn validate(&self, caller: &Caller, asked: &Validate) -> Result<Person, Problem> {
        if asked.email.trim().is_empty() || asked.password.is_empty() {
            return Err(Problem::Missing("Missing credentials"));
        }
        let from = asked.browser.address.as_deref();
        let address = address(&asked.browser)?;
        let place = self.hashing.place()?;
        let email = Email::parse(&asked.email).ok();
        let actor = email.as_ref().map_or(NO_ADDRESS, Email::as_str);
        let record = || Record::done(actor, ACTION, actor).from(from);
        let key = address.map(|address| match &email {
            Some(email) => FailureKey::sign_in(address, email),
            None => FailureKey::of_address(address, "no-address"),
        });
        if let Attempt::TooMany { problem, is_first } = self.count(key.as_ref()).await? {
            if is_first {
                let refused = record().refused(Some(code::TOO_MANY_ATTEMPTS));
                self.write_down(caller, refused).await;
            }
            return Err(problem);
        }
        let found = match &email {
            Some(email) => self.stores.accounts.by_email(email).await?,
            None => None,
        };
        let account = found.filter(|account| account.is_active());
        let hash = account.as_ref().and_then(|it| it.password.clone());
        let typed = Password::new(&asked.password).ok();
        let is_right = place.verify(typed, hash).await?;
        let Some(account) = account.filter(|_| is_right) else {
            let refused = record().refused(Some(code::INVALID_CREDENTIALS));
            self.write_down(caller, refused).await;
            return Err(Problem::InvalidCredentials);
        };
        self.forgive(key.as_ref()).await;
        self.write_down(caller, record()).await;
        Ok(person(&account))
    }
}
