//! The suites of `auth-testkit` over SQLite and MariaDB, and what a database shows of accounts.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use accounts::{
    Account, AccountId, AccountStore, AuditStore, Begun, Email, FailureKey, FailureStore as _,
    FamilyId, NewFamily, PersonName, Presented, RefreshIds, RefreshStore as _, RefreshTokenKey,
    Role, Saved, Seen, Subject, TokenId,
};
use accounts_sqlx::{SqlAccounts, SqlError, SqlOptions};
use auth_base::{StoreError, SystemRandom};
use auth_testkit::replicas::Replicas;

async fn connect(url: &str) -> SqlAccounts {
    let options = SqlOptions {
        // Fifty at once on two cores, beside other builds.
        timeout: std::time::Duration::from_secs(20),
        max_attempts: 30,
        ..SqlOptions::default()
    };
    SqlAccounts::connect(url, options).await.unwrap()
}

/// Two pools on one file.
async fn sqlite() -> Replicas<SqlAccounts> {
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    let (one, other) = tokio::join!(connect(&url), connect(&url));
    Replicas::new(one, other, folder)
}

/// Two pools on one schema.
async fn mariadb() -> Replicas<SqlAccounts> {
    let server = services::mariadb().await.unwrap();
    let url = server.database("accounts").await.unwrap();
    let (one, other) = tokio::join!(connect(&url), connect(&url));
    Replicas::new(one, other, server)
}

fn file(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("accounts.db").display())
}

auth_testkit::account_store_cases!(sqlite_accounts, sqlite().await);
auth_testkit::account_store_cases!(mariadb_accounts, mariadb().await);
auth_testkit::failure_store_cases!(sqlite_failures, sqlite().await);
auth_testkit::failure_store_cases!(mariadb_failures, mariadb().await);
auth_testkit::refresh_store_cases!(sqlite_refresh, sqlite().await);
auth_testkit::refresh_store_cases!(mariadb_refresh, mariadb().await);
auth_testkit::audit_store_cases!(sqlite_audit, sqlite().await);
auth_testkit::audit_store_cases!(mariadb_audit, mariadb().await);

fn ada() -> Account {
    let email = Email::parse("ada@example.org").unwrap();
    let name = PersonName::parse("Ada").unwrap();
    Account::new(
        AccountId::random(&SystemRandom),
        email,
        name,
        [Role::Admin].into(),
    )
}

#[tokio::test]
async fn a_database_that_is_gone_decides_nothing() {
    let server = services::private_mariadb().await.unwrap();
    let url = server.database("accounts").await.unwrap();
    let store = SqlAccounts::connect(&url, SqlOptions::default())
        .await
        .unwrap();
    assert!(matches!(store.save(&ada()).await, Ok(Saved::Done(_))));
    drop(server);
    let presented = Presented {
        token: TokenId::random(&SystemRandom),
        successor: Some(TokenId::random(&SystemRandom)),
        seen: None,
    };
    let grace = std::time::Duration::from_secs(10);
    let failed = store.rotate(&presented, 1, grace).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    let key = FailureKey::sign_in("203.0.113.7".parse().unwrap(), &ada().email);
    let failed = store.count(&key, 1).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    let failed = AuditStore::sweep(&store, 1, 1).await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed:?}");
    let shown = format!("{store:?} {failed:?}");
    assert!(
        !shown.contains("mysql:") && !shown.contains("accounts_"),
        "{shown}"
    );
}

/// A copy of the database opens no session: what is in it is not what the browser holds.
#[tokio::test]
async fn what_lies_in_a_file_is_no_token() {
    let folder = tempfile::tempdir().unwrap();
    let store = connect(&file(&folder)).await;
    let ada = ada();
    let Saved::Done(account_version) = store.save(&ada).await.unwrap() else {
        unreachable!("it is new");
    };
    let ids = RefreshIds {
        family: FamilyId::random(&SystemRandom),
        token: TokenId::random(&SystemRandom),
    };
    let family = NewFamily {
        id: ids.family,
        first: ids.token,
        subject: Subject::User(ada.id),
        account_version,
        idle_ms: 1_000,
        absolute_ms: 1_000,
        seen: Seen::default(),
    };
    assert_eq!(store.begin(&family, 1).await.unwrap(), Begun::Done);
    let token = RefreshTokenKey::new([7; 32]).token(&ids);
    let proof = &token.expose()[token.expose().len() - 40..];
    store.close().await;
    let mut found = 0;
    for entry in folder.path().read_dir().unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!holds(proof.as_bytes()));
        found += usize::from(holds(ids.token.to_string().as_bytes()));
    }
    assert!(found > 0, "the row was written");
}

#[tokio::test]
async fn a_row_that_somebody_made_up_is_corrupt() {
    use sqlx::Connection as _;
    let folder = tempfile::tempdir().unwrap();
    let store = connect(&file(&folder)).await;
    let ada = ada();
    store.save(&ada).await.unwrap();
    let mut connection = sqlx::SqliteConnection::connect(&file(&folder))
        .await
        .unwrap();
    for change in [
        "UPDATE accounts SET roles = 'root'",
        "UPDATE accounts SET roles = 'admin', password_hash = 'plain'",
        "UPDATE accounts SET password_hash = NULL, name = ''",
    ] {
        sqlx::query(change).execute(&mut connection).await.unwrap();
        let failed = store.by_id(ada.id).await.unwrap_err();
        assert!(
            matches!(failed, StoreError::Corrupt { .. }),
            "{change}: {failed:?}"
        );
    }
}

/// Without the row that admins wait for each other at, two could take each other's rights: then nothing is saved.
#[tokio::test]
async fn a_guard_that_is_gone_guards_nothing() {
    use sqlx::Connection as _;
    let server = services::mariadb().await.unwrap();
    let url = server.database("accounts").await.unwrap();
    let store = connect(&url).await;
    let mut connection = sqlx::MySqlConnection::connect(&url).await.unwrap();
    let emptied = sqlx::query("DELETE FROM accounts_guard");
    emptied.execute(&mut connection).await.unwrap();
    let failed = store.save(&ada()).await.unwrap_err();
    assert!(matches!(failed, StoreError::Corrupt { .. }), "{failed:?}");
}

/// It is named in words, and nothing is made beside another program's tables.
#[tokio::test]
async fn a_schema_of_another_program_is_refused() {
    use sqlx::Connection as _;
    let server = services::mariadb().await.unwrap();
    for table in ["accounts", "audit"] {
        let made =
            format!("CREATE TABLE {table} (id BIGINT NOT NULL PRIMARY KEY, email VARCHAR(90))");
        let folder = tempfile::tempdir().unwrap();
        let sqlite = format!("{}?mode=rwc", file(&folder));
        let mut connection = sqlx::SqliteConnection::connect(&sqlite).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(made.clone()))
            .execute(&mut connection)
            .await
            .unwrap();
        let mariadb = server.database("foreign").await.unwrap();
        let mut connection = sqlx::MySqlConnection::connect(&mariadb).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(made))
            .execute(&mut connection)
            .await
            .unwrap();
        for url in [file(&folder), mariadb] {
            let refused = SqlAccounts::connect(&url, SqlOptions::default()).await;
            let is_named = matches!(&refused, Err(SqlError::Foreign { table: it }) if it == table);
            assert!(is_named, "{refused:?}");
        }
    }
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    use sqlx::Connection as _;
    let folder = tempfile::tempdir().unwrap();
    let url = file(&folder);
    for _ in 0..2 {
        connect(&url).await.close().await;
    }
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let newer = sqlx::query("INSERT INTO accounts_schema (version) VALUES (2)");
    newer.execute(&mut connection).await.unwrap();
    let refused = SqlAccounts::connect(&url, SqlOptions::default()).await;
    assert!(matches!(refused, Err(SqlError::Newer(2))), "{refused:?}");
}
