//! Accounts in memory.

use async_trait::async_trait;
use auth_base::store_error::StoreError;

use crate::account::Account;
use crate::account_store::{AccountStore, Held, Listed, Page, Saved, judge};
use crate::email::Email;
use crate::id::AccountId;
use crate::memory::tables::MemoryAccounts;

#[async_trait]
impl AccountStore for MemoryAccounts {
    async fn by_id(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.tables().accounts.get(&id).cloned())
    }

    async fn by_email(&self, email: &Email) -> Result<Option<Account>, StoreError> {
        let tables = self.tables();
        let mut accounts = tables.accounts.values();
        Ok(accounts.find(|it| it.email == *email).cloned())
    }

    async fn save(&self, account: &Account) -> Result<Saved, StoreError> {
        let mut tables = self.tables();
        let others = tables.accounts.values().filter(|it| it.id != account.id);
        let (mut is_email_taken, mut other_admins) = (false, 0);
        for other in others {
            is_email_taken |= other.email == account.email;
            other_admins += u64::from(other.is_admin_with_password());
        }
        let held = Held {
            same: tables.accounts.get(&account.id),
            is_email_taken,
            other_admins,
        };
        let saved = judge(&held, account);
        if let Saved::Done(version) = saved {
            let account = Account {
                version,
                ..account.clone()
            };
            tables.accounts.insert(account.id, account);
        }
        Ok(saved)
    }

    async fn list(&self, page: Page) -> Result<Listed, StoreError> {
        let tables = self.tables();
        let mut accounts: Vec<&Account> = tables.accounts.values().collect();
        accounts.sort_by(|one, other| one.email.cmp(&other.email));
        let skip = usize::try_from(page.skip).unwrap_or(usize::MAX);
        let most = usize::try_from(page.most_within_bounds()).unwrap_or(usize::MAX);
        let total = u64::try_from(accounts.len()).unwrap_or(u64::MAX);
        let accounts = accounts.into_iter().skip(skip).take(most);
        Ok(Listed {
            accounts: accounts.cloned().collect(),
            total,
        })
    }
}
