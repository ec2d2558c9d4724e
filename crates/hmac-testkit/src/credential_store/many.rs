//! Reading many records at once.

use std::sync::Arc;

use hmac_auth::credential::ClientId;
use hmac_auth::credential_store::{CredentialStore, WriteCondition};

use super::{client, hash, set_hash, write};

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
