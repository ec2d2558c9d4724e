//! What is tried again and what is not, and what a connection is told, over real databases.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU32, Ordering};

use sql_link::{
    Database, Dialect, Failure as _, Isolation, Migration, Mode, Remedy, Row, Schema, Session,
    SqlError, SqlOptions, Statement, Value, Work, schema,
};

const SIGNALS: [&str; 3] = [
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1020",
    "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1205",
    "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213",
];

/// Fails a few times as a server fails that met somebody else's write.
struct Fails {
    signal: &'static str,
    times: u32,
    attempts: AtomicU32,
}

impl Work for Fails {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        match self.attempts.fetch_add(1, Ordering::SeqCst) < self.times {
            true => session.execute(self.signal, &[]).await.map(drop),
            false => Ok(()),
        }
    }
}

/// Runs one statement, or one query.
struct Run(&'static str);

impl Work for Run {
    type Output = u64;
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<u64, SqlError> {
        session.execute(self.0, &[]).await
    }
}

struct Ask(&'static str);

impl Work for Ask {
    type Output = Vec<Row>;
    type Error = SqlError;
    const MODE: Mode = Mode::Read;

    async fn run(&self, session: &mut Session) -> Result<Vec<Row>, SqlError> {
        session.fetch(self.0, &[]).await
    }
}

const SCHEMA: Schema = Schema {
    versions: sql_link::versions!("link_schema", "link-schema"),
    migrations: &[Migration {
        version: 1,
        statements: Statement {
            mariadb: "CREATE TABLE IF NOT EXISTS counted (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)",
            sqlite: "CREATE TABLE IF NOT EXISTS counted (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)",
        },
    }],
    allows_newer: false,
    foreign: None,
    at_start: &["INSERT INTO counted (id, n) SELECT 1, 0 WHERE NOT EXISTS (SELECT 1 FROM counted)"],
};

/// As a replica sees it that read the versions before another one booked them.
const BOOKED_MEANWHILE: Schema = Schema {
    versions: schema::Versions {
        known: "SELECT version FROM link_schema WHERE version < 0",
        ..SCHEMA.versions
    },
    ..SCHEMA
};

#[tokio::test]
async fn a_version_that_another_replica_booked_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let server = services::mariadb().await.unwrap();
    for url in [file(&folder), server.database("link").await.unwrap()] {
        let database = connect(&url).await;
        schema::migrate(&database, &SCHEMA).await.unwrap();
        schema::migrate(&database, &BOOKED_MEANWHILE).await.unwrap();
        let booked = database.run(&Ask("SELECT version FROM link_schema")).await;
        assert_eq!(booked.unwrap().len(), 1);
    }
}

async fn connect(url: &str) -> Database {
    let options = SqlOptions::default();
    let opened = Database::connect(url, options, Isolation::ReadCommitted).await;
    opened.unwrap()
}

fn file(folder: &tempfile::TempDir) -> String {
    format!("sqlite:{}", folder.path().join("link.db").display())
}

#[tokio::test]
async fn a_conflict_is_tried_again_and_not_for_ever() {
    let server = services::mariadb().await.unwrap();
    let database = connect(&server.database("link").await.unwrap()).await;
    for signal in SIGNALS {
        for (times, attempts, is_done) in [(3, 4, true), (100, 10, false)] {
            let work = Fails {
                signal,
                times,
                attempts: AtomicU32::default(),
            };
            let outcome = database.run(&work).await;
            assert_eq!(outcome.is_ok(), is_done, "{signal}: {outcome:?}");
            assert_eq!(work.attempts.into_inner(), attempts, "{signal}");
        }
    }
}

#[tokio::test]
async fn what_a_transaction_sees_is_ours_to_say() {
    let server = services::private_mariadb().await.unwrap();
    let url = server.database("link").await.unwrap();
    let loose = "SET GLOBAL TRANSACTION ISOLATION LEVEL READ UNCOMMITTED";
    connect(&url).await.run(&Run(loose)).await.unwrap();
    for (isolation, name) in [
        (Isolation::ReadCommitted, "READ-COMMITTED"),
        (Isolation::RepeatableRead, "REPEATABLE-READ"),
    ] {
        let database = Database::connect(&url, SqlOptions::default(), isolation).await;
        let rows = database.unwrap().run(&Ask("SELECT @@tx_isolation")).await;
        assert_eq!(rows.unwrap()[0].text(0, "none").unwrap(), name);
    }
}

/// Reads, and writes what it read with one added: lost as soon as two do so at once.
struct Increment;

impl Work for Increment {
    type Output = ();
    type Error = SqlError;

    async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
        let held = sql_link::locking!("SELECT n FROM counted WHERE id = 1");
        let rows = session.fetch_as(&held, &[]).await?;
        let n = rows[0].int(0, "counted")?;
        let next = [Value::Int(n + 1)];
        session
            .execute("UPDATE counted SET n = ? WHERE id = 1", &next)
            .await
            .map(drop)
    }
}

async fn nothing_is_lost(url: &str) {
    let (one, other) = tokio::join!(connect(url), connect(url));
    let (first, second) = tokio::join!(
        schema::migrate(&one, &SCHEMA),
        schema::migrate(&other, &SCHEMA)
    );
    first.and(second).unwrap();
    let tasks = (0..20).map(|number| {
        let database = [&one, &other][number % 2].clone();
        tokio::spawn(async move { database.run(&Increment).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    let rows = one.run(&Ask("SELECT n FROM counted")).await.unwrap();
    assert_eq!((rows.len(), rows[0].int(0, "counted").unwrap()), (1, 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_and_then_writes_loses_nothing_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    nothing_is_lost(&file(&folder)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_and_then_writes_loses_nothing_on_mariadb() {
    let server = services::mariadb().await.unwrap();
    nothing_is_lost(&server.database("link").await.unwrap()).await;
}

#[tokio::test]
async fn a_schema_of_a_newer_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let database = connect(&file(&folder)).await;
    assert_eq!(database.dialect(), Dialect::Sqlite);
    schema::migrate(&database, &SCHEMA).await.unwrap();
    let newer = Run("INSERT INTO link_schema (version) VALUES (7)");
    database.run(&newer).await.unwrap();
    let refused = schema::migrate(&database, &SCHEMA).await.unwrap_err();
    assert!(matches!(refused, SqlError::Newer(7)), "{refused:?}");
    assert_eq!(refused.remedy(), Remedy::None);
    let lenient = Schema {
        allows_newer: true,
        ..SCHEMA
    };
    schema::migrate(&database, &lenient).await.unwrap();
}

#[tokio::test]
async fn a_failed_unit_of_work_leaves_nothing() {
    struct Half;

    impl Work for Half {
        type Output = ();
        type Error = SqlError;

        async fn run(&self, session: &mut Session) -> Result<(), SqlError> {
            session.execute("UPDATE counted SET n = 99", &[]).await?;
            Err(SqlError::corrupt("counted", "on purpose"))
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let database = connect(&file(&folder)).await;
    schema::migrate(&database, &SCHEMA).await.unwrap();
    database.run(&Half).await.unwrap_err();
    let rows = database.run(&Ask("SELECT n FROM counted")).await.unwrap();
    assert_eq!(rows[0].int(0, "counted").unwrap(), 0);
    let again = Run("INSERT INTO counted (id, n) VALUES (1, 0)");
    assert!(database.run(&again).await.unwrap_err().is_duplicate());
}
