//! `accounts-server user ...`: accounts, straight in the database, so that the first admin can exist.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::time::Duration;

use accounts::private_api::{LinkKind, NewUser};
use accounts_sqlx::{SqlAccounts, SqlOptions};
use auth_base::clock::SystemClock;
use auth_base::random::SystemRandom;
use auth_base::secret::Secret;
use std::sync::Arc;
use zeroize::Zeroizing;

use crate::config::{AddUser, UserCommand};
use crate::failure::Failure;
use crate::service::users::PageAsked;
use crate::service::{Accounts, Caller, Policy, Stores};

/// A line of the standard input is read to here.
const LONGEST_LINE: u64 = 2 * 1024;

/// Pages of accounts that are listed.
const MOST_PAGES: u32 = 1_000;

/// Does a command, and tells what is printed.
///
/// # Errors
/// When the database fails, or the account cannot be made.
pub async fn run(
    command: &UserCommand,
    url: &Secret,
    link_key: Option<accounts::LinkKey>,
) -> Result<Zeroizing<String>, Failure> {
    let options = SqlOptions {
        timeout: Duration::from_secs(20),
        ..SqlOptions::default()
    };
    let database = SqlAccounts::connect(url.expose(), options).await?;
    let makes_links = link_key.is_some();
    let accounts = Accounts::new(
        Stores::of(database.clone()),
        Policy::default(),
        // Nothing is made with the other one.
        link_key.unwrap_or_else(|| accounts::LinkKey::new([0; 32])),
        Arc::new(SystemClock),
        Arc::new(SystemRandom),
    )?;
    let done = match command {
        UserCommand::Add(asked) => add(&accounts, asked, makes_links).await,
        UserCommand::List => list(&accounts).await,
    };
    database.close().await;
    done
}

async fn add(
    accounts: &Accounts,
    asked: &AddUser,
    makes_links: bool,
) -> Result<Zeroizing<String>, Failure> {
    let password = match asked.reads_password {
        true => Some(first_line(std::io::stdin().lock())?),
        false => None,
    };
    let has_password = password.is_some();
    let new = NewUser {
        email: asked.email.clone(),
        name: asked.name.clone(),
        roles: vec![asked.role.clone()],
        password,
    };
    let account = accounts.create(&Caller::command_line(), &new).await?;
    let mut told = Zeroizing::new(format!("{} {}\n", account.id, account.email));
    match (makes_links, has_password) {
        (true, _) => {
            let link = accounts.link_for(&account, LinkKind::ChoosePassword);
            writeln!(told, "link to choose a password: {}", *link.token)?;
        }
        (false, true) => {}
        (false, false) => writeln!(
            told,
            "nobody can sign in to it yet: give ACCOUNTS_LINK_KEY for a link, or --password-stdin"
        )?,
    }
    Ok(told)
}

fn first_line(input: impl std::io::BufRead) -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    input.take(LONGEST_LINE).read_line(&mut line)?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}

async fn list(accounts: &Accounts) -> Result<Zeroizing<String>, Failure> {
    let mut told = Zeroizing::new(String::new());
    for page in 1..=MOST_PAGES {
        let asked = PageAsked::new(Some(&page.to_string()), Some("100"));
        let listed = accounts.users(asked).await?;
        for user in &listed.users {
            let state = match (user.disabled_at_ms, user.has_password) {
                (Some(_), _) => "disabled",
                (None, true) => "active",
                (None, false) => "no password",
            };
            let roles = user.roles.join(",");
            writeln!(told, "{}  {}  {roles}  {state}", user.id, user.email)?;
        }
        if u64::from(page) * 100 >= listed.total {
            break;
        }
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_first_line() {
        for (input, line) in [("a b\r\nc", "a b"), ("a", "a"), ("", ""), (" a \n", " a ")] {
            assert_eq!(*first_line(input.as_bytes()).unwrap(), line);
        }
    }
}
