//! A peer dies at marked points of its work. Its connections run through proxies that kill it there, so these stories need processes of
//! their own.

use std::time::Duration;

use crate::mesh::{Dependency, Mark, Mesh, Moment, Options, Peer};
use Dependency::{Broker, Redis, Sql};
use Moment::{After, Before};

const SOURCE: Peer = Peer::Authority;
const TARGET: Peer = Peer::Consumer;

/// A point at which a peer dies.
struct Point {
    name: &'static str,
    peer: Peer,
    moment: Moment,
    marks: Vec<Mark>,
}

/// Every point between the first write to SQL and the last acknowledgement, in the order of a change's way. The change is known by its
/// client and by the hash of its secret.
fn points(client: &dyn Fn(usize) -> String, hash: &dyn Fn(usize) -> String) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let mut add = |peer, name, moment, marks: &dyn Fn(String, String) -> Vec<Mark>| {
        let marks = marks(client(points.len()), hash(points.len()));
        points.push(Point {
            name,
            peer,
            moment,
            marks,
        });
    };
    let published = |client: String| Mark::sent(Broker, &client);
    let answered = || Mark::received(Broker, "ackEventId");
    let ledger = || Mark::sent(Redis, "propagation:ack:");
    let commit = || Mark::sent(Sql, "COMMIT");
    let success = |client: String| {
        vec![
            published(client.clone()),
            answered(),
            ledger(),
            Mark::sent(Sql, &client),
            commit(),
        ]
    };
    let completed = |client: String| [success(client), vec![ledger()]].concat();

    add(
        SOURCE,
        "before the change is committed",
        Before,
        &|client, _| vec![Mark::sent(Sql, &client), commit()],
    );
    add(
        SOURCE,
        "after the commit, before its answer",
        After,
        &|client, _| vec![Mark::sent(Sql, &client), commit()],
    );
    add(
        SOURCE,
        "after the commit, before its own Redis has it",
        Before,
        &|_, hash| vec![Mark::sent(Redis, &hash)],
    );
    add(SOURCE, "after its own Redis has it", After, &|_, hash| {
        vec![Mark::sent(Redis, &hash)]
    });
    add(
        SOURCE,
        "after the claim, before it is booked",
        Before,
        &|_, hash| vec![Mark::sent(Redis, &hash), ledger()],
    );
    add(
        SOURCE,
        "after it is booked, before it is published",
        Before,
        &|client, _| vec![published(client)],
    );
    add(
        SOURCE,
        "after it is published, before the confirm",
        After,
        &|client, _| vec![published(client)],
    );
    add(TARGET, "before it is applied", Before, &|_, hash| {
        vec![Mark::sent(Redis, &hash)]
    });
    add(
        TARGET,
        "after it is applied, before the answer is published",
        After,
        &|_, hash| vec![Mark::sent(Redis, &hash)],
    );
    add(
        TARGET,
        "before the answer is published",
        Before,
        &|_, hash| vec![Mark::sent(Redis, &hash), Mark::sent(Broker, "ackEventId")],
    );
    add(
        TARGET,
        "after the answer is published, before it is settled",
        After,
        &|_, hash| vec![Mark::sent(Redis, &hash), Mark::sent(Broker, "ackEventId")],
    );
    add(SOURCE, "when the answer arrives", After, &|client, _| {
        vec![published(client), answered()]
    });
    add(
        SOURCE,
        "before the answer's event is looked up",
        Before,
        &|client, _| vec![published(client), answered(), ledger()],
    );
    add(
        SOURCE,
        "before success is committed",
        Before,
        &|client, _| success(client),
    );
    add(
        SOURCE,
        "after success is committed, before the ledger is completed",
        After,
        &|client, _| success(client),
    );
    add(
        SOURCE,
        "before the ledger is completed",
        Before,
        &|client, _| completed(client),
    );
    add(
        SOURCE,
        "after the ledger is completed, before the secret is cleared",
        After,
        &|client, _| completed(client),
    );
    points
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_anywhere_is_recovered() {
    let options = Options::default().linked(&[SOURCE, TARGET]);
    let mut mesh = options.everyone("RESEND_AFTER_MS", "1000").start().await;
    let secret = |number: usize| format!("secret of a change that crashes {number:04}");
    let client = |number: usize| format!("crashes-{number:04}");
    let hashes: Vec<_> = (0..64)
        .map(|number| mesh.secrets.hash(SOURCE, &secret(number)))
        .collect();
    let points = points(&client, &|number| hashes[number].expose().to_owned());
    for (number, point) in points.iter().enumerate() {
        dies(&mut mesh, point, &client(number), &secret(number)).await;
        println!("{}: dead {}", point.peer.name(), point.name);
    }
    mesh.until_success(SOURCE, points.len() * 2).await;
    for (number, hash) in hashes.iter().enumerate().take(points.len()) {
        mesh.until_converged(
            &client(number),
            &[SOURCE, TARGET, Peer::LeptosAxum],
            Some(hash),
        )
        .await;
    }
}

/// Makes a change, lets the peer die at the point, and starts it again.
async fn dies(mesh: &mut Mesh, point: &Point, client: &str, secret: &str) {
    mesh.breakpoint(point.peer).set(
        mesh.process_id(point.peer),
        point.moment,
        point.marks.clone(),
    );
    let change = mesh.ensure_in_the_end(SOURCE, client, secret, &[TARGET, Peer::LeptosAxum]);
    mesh.breakpoint(point.peer).until_reached(point.name).await;
    // Long enough for a signal to arrive.
    tokio::time::sleep(Duration::from_millis(50)).await;
    mesh.kill_peer(point.peer).await;
    mesh.heal(point.peer);
    mesh.start_peer(point.peer).await;
    change.await.expect("the change is accepted in the end");
}
