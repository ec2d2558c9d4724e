//! What every [`KeyManagement`] must do; [`crate::key_management_cases`] makes a test of each case.
//!
//! A case uses what the provider says it can do: where it takes no keys of others, that it refuses them is tested.
#![expect(clippy::expect_used, reason = "a conformance suite fails by panicking")]

use std::sync::Arc;

use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::wrapping_key::{MAX_PLAIN_BYTES, is_wrapped_text};
use kms::{KeyId, KeyManagement, KmsError};

/// Makes a test of each case. The expression makes a provider without keys: `key_management_cases!(memory, provider());`.
///
/// A provider that leaves one thing to the checks around it says so: `except the_algorithm_is_that_of_the_key`.
#[macro_export]
macro_rules! key_management_cases {
    ($implementation:ident, $make:expr) => {
        $crate::key_management_cases!(@all $implementation, $make, the_algorithm_is_that_of_the_key);
    };
    ($implementation:ident, $make:expr, except the_algorithm_is_that_of_the_key) => {
        $crate::key_management_cases!(@all $implementation, $make,);
    };
    (@all $implementation:ident, $make:expr, $($more:ident)?) => {
        $crate::cases! {
            $implementation, $make, key_management {
                what_it_makes_signs,
                a_key_is_called_as_asked,
                a_public_key_is_found_again,
                an_absent_key_is_none,
                nobody_signs_with_an_absent_key,
                a_name_is_given_once,
                one_of_many_gets_a_name,
                a_deleted_key_is_gone,
                an_absent_key_is_deleted_already,
                a_name_is_free_after_a_delete,
                any_input_is_signed,
                an_input_too_large_is_refused,
                keys_do_not_sign_for_each_other,
                an_imported_key_is_the_same_key,
                an_import_takes_no_name_that_is_taken,
                any_name_works,
                many_sign_at_once,
                what_is_wrapped_is_unwrapped,
                keys_do_not_unwrap_for_each_other,
                what_is_damaged_is_not_unwrapped,
                a_key_signs_or_wraps,
                a_deleted_key_unwraps_no_more,
                it_is_well,
                $($more)?
            }
        }
    };
}

/// A name of a key.
pub fn kid(name: &str) -> KeyId {
    KeyId::parse(name).expect("a name of a key")
}

async fn make(kms: &dyn KeyManagement, name: &str, algorithm: Algorithm) -> PublicJwk {
    let made = kms.generate(&kid(name), algorithm).await;
    made.expect("the key is made")
}

async fn signs(kms: &dyn KeyManagement, name: &str, key: &PublicJwk, input: &[u8]) {
    let signature = kms.sign(&kid(name), key.algorithm(), input).await;
    let signature = signature.expect("the key signs");
    key.verify(input, &signature)
        .expect("the signature is that of the key");
}

/// What `sign` answers, the public key verifies, for each algorithm.
pub async fn what_it_makes_signs(kms: impl KeyManagement) {
    let algorithms = kms.capabilities().algorithms;
    assert!(!algorithms.is_empty());
    for algorithm in algorithms {
        let name = format!("key-{algorithm}");
        let key = make(&kms, &name, *algorithm).await;
        assert_eq!(key.algorithm(), *algorithm);
        signs(&kms, &name, &key, b"header.claims").await;
    }
}

/// The public key's `kid` is the name that was asked for.
pub async fn a_key_is_called_as_asked(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    assert_eq!(make(&kms, "first", algorithm).await.kid(), "first");
}

/// The same key is shown later as when it was made.
pub async fn a_public_key_is_found_again(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let key = make(&kms, "first", algorithm).await;
    make(&kms, "second", algorithm).await;
    if kms.capabilities().public_key {
        let found = kms.public_key(&kid("first")).await.expect("answered");
        let found = found.expect("the key is known");
        assert_eq!((&found, found.kid()), (&key, "first"));
    }
}

/// What nobody is called is absent, and no error. Names are case-sensitive.
pub async fn an_absent_key_is_none(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    make(&kms, "first", algorithm).await;
    if kms.capabilities().public_key {
        for other in ["nobody", "FIRST", "firs", "first1", "%66irst", "first/sign"] {
            let found = kms.public_key(&kid(other)).await.expect("answered");
            assert_eq!(found, None, "{other}");
        }
    }
}

/// Signing with what is absent is an error of its own.
pub async fn nobody_signs_with_an_absent_key(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let refused = kms.sign(&kid("nobody"), algorithm, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::KeyNotFound(_))),
        "{refused:?}"
    );
}

/// Making a key under a name that is taken is refused, and the first key stays.
pub async fn a_name_is_given_once(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let key = make(&kms, "first", algorithm).await;
    for algorithm in kms.capabilities().algorithms {
        let refused = kms.generate(&kid("first"), *algorithm).await;
        assert!(
            matches!(refused, Err(KmsError::KeyExists(_))),
            "{refused:?}"
        );
    }
    signs(&kms, "first", &key, b"input").await;
}

/// Of several who ask for one name at once, one gets it.
pub async fn one_of_many_gets_a_name(kms: impl KeyManagement) {
    let kms = Arc::new(kms);
    let algorithm = kms.capabilities().algorithms[0];
    let askers = (0..8).map(|_| {
        let kms = Arc::clone(&kms);
        tokio::spawn(async move { kms.generate(&kid("first"), algorithm).await })
    });
    let mut made = Vec::new();
    for asker in askers.collect::<Vec<_>>() {
        match asker.await.expect("no asker panics") {
            Ok(key) => made.push(key),
            Err(error) => assert!(matches!(error, KmsError::KeyExists(_)), "{error:?}"),
        }
    }
    assert_eq!(made.len(), 1);
    signs(&*kms, "first", &made[0], b"input").await;
}

/// A deleted key neither signs nor is shown.
pub async fn a_deleted_key_is_gone(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    make(&kms, "first", algorithm).await;
    let other = make(&kms, "second", algorithm).await;
    kms.delete(&kid("first")).await.expect("deleted");
    let refused = kms.sign(&kid("first"), algorithm, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::KeyNotFound(_))),
        "{refused:?}"
    );
    if kms.capabilities().public_key {
        let found = kms.public_key(&kid("first")).await.expect("answered");
        assert_eq!(found, None);
    }
    signs(&kms, "second", &other, b"input").await;
}

/// Deleting twice, or what never was, is done.
pub async fn an_absent_key_is_deleted_already(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    make(&kms, "first", algorithm).await;
    for name in ["first", "first", "nobody"] {
        kms.delete(&kid(name)).await.expect("deleted");
    }
}

/// After a delete the name may be given again, to another key.
pub async fn a_name_is_free_after_a_delete(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let first = make(&kms, "first", algorithm).await;
    kms.delete(&kid("first")).await.expect("deleted");
    let second = make(&kms, "first", algorithm).await;
    assert_ne!(first, second);
    signs(&kms, "first", &second, b"input").await;
}

/// A key does not sign under another algorithm.
pub async fn the_algorithm_is_that_of_the_key(kms: impl KeyManagement) {
    for made in kms.capabilities().algorithms {
        let name = format!("key-{made}");
        let key = make(&kms, &name, *made).await;
        for asked in kms.capabilities().algorithms {
            if asked != made {
                let refused = kms.sign(&kid(&name), *asked, b"input").await;
                assert!(refused.is_err(), "a key for {made} signed with {asked}");
            }
        }
        signs(&kms, &name, &key, b"input").await;
    }
}

/// An input may be of any bytes, and as large as a token.
pub async fn any_input_is_signed(kms: impl KeyManagement) {
    for algorithm in kms.capabilities().algorithms {
        let name = format!("key-{algorithm}");
        let key = make(&kms, &name, *algorithm).await;
        for input in [vec![0], vec![0xff; 33], vec![b'a'; 16 * 1024]] {
            signs(&kms, &name, &key, &input).await;
        }
    }
}

/// No provider is sent more than [`kms::key_management::MAX_INPUT_BYTES`].
pub async fn an_input_too_large_is_refused(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    make(&kms, "first", algorithm).await;
    let large = vec![b'a'; kms::key_management::MAX_INPUT_BYTES + 1];
    let refused = kms.sign(&kid("first"), algorithm, &large).await;
    assert!(
        matches!(refused, Err(KmsError::InputTooLarge(_))),
        "{refused:?}"
    );
}

/// Two keys are two keys.
pub async fn keys_do_not_sign_for_each_other(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let (first, second) = (
        make(&kms, "first", algorithm).await,
        make(&kms, "second", algorithm).await,
    );
    assert_ne!(first, second);
    let signature = kms.sign(&kid("first"), algorithm, b"input").await;
    let signature = signature.expect("the key signs");
    assert!(second.verify(b"input", &signature).is_err());
}

/// An imported key signs as itself, where import is possible; elsewhere it is refused.
pub async fn an_imported_key_is_the_same_key(kms: impl KeyManagement) {
    for algorithm in kms.capabilities().algorithms {
        let name = format!("key-{algorithm}");
        let key = PrivateKey::generate(*algorithm).expect("a key");
        match kms.import(&kid(&name), &key).await {
            Ok(public) => {
                assert!(kms.capabilities().import);
                assert_eq!((&public, public.kid()), (key.public(), name.as_str()));
                signs(&kms, &name, key.public(), b"input").await;
            }
            Err(error) => {
                assert!(!kms.capabilities().import, "{error:?}");
                let named = matches!(
                    error,
                    KmsError::Unsupported(_) | KmsError::ImportDisabled(_)
                );
                assert!(named, "{error:?}");
            }
        }
    }
}

/// An import does not replace a key.
pub async fn an_import_takes_no_name_that_is_taken(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let key = make(&kms, "first", algorithm).await;
    let other = PrivateKey::generate(algorithm).expect("a key");
    let refused = kms
        .import(&kid("first"), &other)
        .await
        .expect_err("the name is taken");
    if kms.capabilities().import {
        assert!(matches!(refused, KmsError::KeyExists(_)), "{refused:?}");
    }
    signs(&kms, "first", &key, b"input").await;
}

/// A name is a name, whatever characters a path or a query is made of.
pub async fn any_name_works(kms: impl KeyManagement) {
    let algorithm = kms.capabilities().algorithms[0];
    let long = "k".repeat(KeyId::MAX_BYTES);
    let names = [
        "a.b", "-_~", "..a", "A", "a", "a/b", "a/../b", "/a", "a?b=c", "a#b", "a%2fb", "%2e%2e",
        "a&b", "a+b", "a;b", "a:b", r"a\b", "\"a\"", "%", &long,
    ];
    let mut made = Vec::new();
    for name in names {
        let key = make(&kms, name, algorithm).await;
        assert_eq!(key.kid(), name);
        signs(&kms, name, &key, b"input").await;
        made.push(key);
    }
    for (name, key) in names.into_iter().zip(&made) {
        let found = kms.public_key(&kid(name)).await.expect("it answers");
        assert_eq!(found.as_ref(), Some(key), "{name}");
        kms.delete(&kid(name)).await.expect("it is deleted");
        let found = kms.public_key(&kid(name)).await.expect("it answers");
        assert_eq!(found, None, "{name}");
    }
    let mut kinds: Vec<&str> = made.iter().map(PublicJwk::thumbprint).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), names.len(), "each name has a key of its own");
}

/// Callers do not get each other's signatures.
pub async fn many_sign_at_once(kms: impl KeyManagement) {
    let kms = Arc::new(kms);
    let algorithm = kms.capabilities().algorithms[0];
    let key = make(&*kms, "first", algorithm).await;
    let callers = (0..32_u8).map(|caller| {
        let (kms, key) = (Arc::clone(&kms), key.clone());
        tokio::spawn(async move { signs(&*kms, "first", &key, &[caller]).await })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("each caller gets its own signature");
    }
}

/// Makes a key that wraps; whether the provider can.
async fn wraps(kms: &dyn KeyManagement, name: &str) -> bool {
    match kms.generate_wrapping(&kid(name)).await {
        Ok(()) => {
            assert!(kms.capabilities().wrapping);
            true
        }
        Err(error) => {
            assert!(!kms.capabilities().wrapping, "{error:?}");
            assert!(matches!(error, KmsError::Unsupported(_)), "{error:?}");
            false
        }
    }
}

/// What comes back is what was wrapped, whatever its length, and the wrapped text says nothing of it.
pub async fn what_is_wrapped_is_unwrapped(kms: impl KeyManagement) {
    if !wraps(&kms, "first").await {
        return;
    }
    let taken = kms.generate_wrapping(&kid("first")).await;
    assert!(matches!(taken, Err(KmsError::KeyExists(_))), "{taken:?}");
    for plain in [vec![0], vec![0xff; 32], vec![b'a'; MAX_PLAIN_BYTES]] {
        let wrapped = kms.wrap(&kid("first"), &plain).await.expect("wrapped");
        assert!(is_wrapped_text(&wrapped), "{wrapped}");
        let again = kms.wrap(&kid("first"), &plain).await.expect("wrapped");
        assert_ne!(wrapped, again, "equal keys are not told from others");
        for wrapped in [wrapped, again] {
            let unwrapped = kms.unwrap(&kid("first"), &wrapped).await;
            assert_eq!(*unwrapped.expect("unwrapped"), plain);
        }
    }
    let large = vec![0; MAX_PLAIN_BYTES + 1];
    let refused = kms.wrap(&kid("first"), &large).await;
    assert!(
        matches!(refused, Err(KmsError::InputTooLarge(_))),
        "{refused:?}"
    );
    let refused = kms.wrap(&kid("first"), &[]).await;
    assert!(
        matches!(refused, Err(KmsError::Unsupported(_))),
        "{refused:?}"
    );
}

/// One key does not unwrap what another one has wrapped.
pub async fn keys_do_not_unwrap_for_each_other(kms: impl KeyManagement) {
    if !wraps(&kms, "first").await || !wraps(&kms, "second").await {
        return;
    }
    let wrapped = kms.wrap(&kid("first"), b"a key").await.expect("wrapped");
    let refused = kms.unwrap(&kid("second"), &wrapped).await;
    assert!(
        matches!(refused, Err(KmsError::NotWrapped(_))),
        "{refused:?}"
    );
}

/// What was changed, cut or never wrapped is refused.
pub async fn what_is_damaged_is_not_unwrapped(kms: impl KeyManagement) {
    if !wraps(&kms, "first").await {
        return;
    }
    let wrapped = kms.wrap(&kid("first"), b"a key").await.expect("wrapped");
    let (cut, end) = wrapped.split_at(wrapped.len() - 6);
    let swapped: String = end.chars().rev().collect();
    for damaged in [cut.to_owned(), format!("{cut}{swapped}"), "AAAA".to_owned()] {
        if damaged != wrapped {
            let refused = kms.unwrap(&kid("first"), &damaged).await;
            assert!(
                matches!(refused, Err(KmsError::NotWrapped(_))),
                "{refused:?}"
            );
        }
    }
}

/// A key that signs wraps nothing, and one that wraps signs nothing and has no public half.
pub async fn a_key_signs_or_wraps(kms: impl KeyManagement) {
    if !wraps(&kms, "wraps").await {
        return;
    }
    let algorithm = kms.capabilities().algorithms[0];
    let key = make(&kms, "signs", algorithm).await;
    for name in ["signs", "nobody"] {
        let wrapped = kms.wrap(&kid(name), b"a key").await;
        assert!(
            matches!(wrapped, Err(KmsError::KeyNotFound(_))),
            "{wrapped:?}"
        );
        let unwrapped = kms.unwrap(&kid(name), "vault:v1:AAAA").await;
        assert!(
            matches!(unwrapped, Err(KmsError::KeyNotFound(_))),
            "{unwrapped:?}"
        );
    }
    let signed = kms.sign(&kid("wraps"), algorithm, b"input").await;
    assert!(
        matches!(signed, Err(KmsError::KeyNotFound(_))),
        "{signed:?}"
    );
    if kms.capabilities().public_key {
        let public = kms.public_key(&kid("wraps")).await.expect("it answers");
        assert_eq!(public, None);
    }
    let taken = kms.generate_wrapping(&kid("signs")).await;
    assert!(matches!(taken, Err(KmsError::KeyExists(_))), "{taken:?}");
    let taken = kms.generate(&kid("wraps"), algorithm).await;
    assert!(matches!(taken, Err(KmsError::KeyExists(_))), "{taken:?}");
    signs(&kms, "signs", &key, b"input").await;
}

/// Who deletes a key has made what it wrapped unreadable, also under a new key of that name.
pub async fn a_deleted_key_unwraps_no_more(kms: impl KeyManagement) {
    if !wraps(&kms, "first").await {
        return;
    }
    let wrapped = kms.wrap(&kid("first"), b"a key").await.expect("wrapped");
    kms.delete(&kid("first")).await.expect("deleted");
    let refused = kms.unwrap(&kid("first"), &wrapped).await;
    assert!(
        matches!(refused, Err(KmsError::KeyNotFound(_))),
        "{refused:?}"
    );
    assert!(wraps(&kms, "first").await);
    let refused = kms.unwrap(&kid("first"), &wrapped).await;
    assert!(
        matches!(refused, Err(KmsError::NotWrapped(_))),
        "{refused:?}"
    );
}

/// A provider that works says so.
pub async fn it_is_well(kms: impl KeyManagement) {
    let before = kms.health().await.expect("it is well");
    let algorithm = kms.capabilities().algorithms[0];
    make(&kms, "first", algorithm).await;
    let after = kms.health().await.expect("it is well");
    if let (Some(before), Some(after)) = (before.key_count, after.key_count) {
        assert_eq!((before, after), (0, 1));
    }
}
