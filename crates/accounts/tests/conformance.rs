//! The suites of `auth-testkit` over what is in memory.

use accounts::MemoryAccounts;
use auth_testkit::replicas::Replicas;

fn stores() -> Replicas<MemoryAccounts> {
    Replicas::of_clones(MemoryAccounts::new())
}

auth_testkit::account_store_cases!(memory_accounts, stores());
auth_testkit::failure_store_cases!(memory_failures, stores());
auth_testkit::refresh_store_cases!(memory_refresh, stores());
auth_testkit::audit_store_cases!(memory_audit, stores());
