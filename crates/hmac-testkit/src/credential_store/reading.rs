//! Reading many records: walks and lookups.

use std::sync::Arc;

use hmac_auth::credential::ClientId;
use hmac_auth::credential_store::{CredentialStore, WriteCondition};

use crate::credential_store::{client, hash, set_hash, walk, write};

/// Three hundred records, walked in small pages while others come and go.
pub async fn a_walk_lists_everything_that_stays([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    let name = |kind: &str, i: usize| client(&format!("{kind} {i}"));
    for i in 0..300 {
        write(
            store,
            &name("stays", i),
            set_hash("x"),
            WriteCondition::Always,
            1,
        )
        .await;
        write(
            store,
            &name("goes", i),
            set_hash("x"),
            WriteCondition::Always,
            1,
        )
        .await;
    }
    let churn = async {
        for i in 0..300 {
            other.delete(&name("goes", i)).await.expect("delete");
            write(
                other,
                &name("comes", i),
                set_hash("x"),
                WriteCondition::Always,
                1,
            )
            .await;
        }
    };
    let (listed, ()) = futures_util::future::join(walk(store, 10), churn).await;
    for i in 0..300 {
        assert!(
            listed.contains_key(&name("stays", i)),
            "record {i} is missing"
        );
    }
    let listed = walk(store, 1_000).await;
    assert_eq!(listed.len(), 600);
    assert!(!listed.keys().any(|id| id.as_str().starts_with("goes")));
}

/// In the order asked for, absent ones and repeated ones too, and more than any store reads in one go.
pub async fn many_are_found_as_each_alone([store, other]: &[Arc<dyn CredentialStore>; 2]) {
    const COUNT: usize = 1_100;
    assert!(other.find_many(&[]).await.expect("nothing").is_empty());
    for number in (0..COUNT).step_by(100) {
        let id = client(&format!("many-{number}"));
        write(store, &id, set_hash("one"), WriteCondition::Always, 1).await;
        let secret = format!("secret-{number}");
        write(store, &id, set_hash(&secret), WriteCondition::Always, 2).await;
    }
    let mut asked: Vec<ClientId> = (0..COUNT)
        .rev()
        .map(|number| client(&format!("many-{number}")))
        .collect();
    asked.push(client("many-0"));
    let found = other.find_many(&asked).await.expect("the records");
    assert_eq!(found.len(), asked.len());
    for (id, found) in asked.iter().zip(found) {
        let number: usize = id.as_str()["many-".len()..].parse().expect("a number");
        match found {
            None => assert_ne!(number % 100, 0, "{id} is there"),
            Some(found) => {
                assert_eq!(number % 100, 0, "{id} is not there");
                let found = found.expect("a whole record");
                assert!(
                    found
                        .secret_hash
                        .matches(&hash(&format!("secret-{number}")))
                );
                assert_eq!((found.created_at, found.updated_at), (1, 2));
            }
        }
    }
}
