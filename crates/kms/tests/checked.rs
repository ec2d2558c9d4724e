//! A provider that lies is found out, and nothing of what it said is kept.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jwt_auth::{Algorithm, PrivateKey, PublicJwk};
use kms::{
    Capabilities, CheckedKeyManagement, Health, InvalidWrappedKey, KeyId, KeyManagement, KmsError,
    MemoryKeyManagement, WrappedKey,
};
use zeroize::Zeroizing;

/// What a provider lies about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    OtherAlgorithm,
    OtherName,
    OtherImport,
    OtherKeyLater,
    WrongSignature,
    SignatureOfAnother,
    NoAnswer,
    SlowAnswers,
    WrapsAnother,
    WrappedNoText,
    WrapsNothing,
    UnwrapsAnother,
}

struct Liar {
    lie: Lie,
    keys: MemoryKeyManagement,
    unwrapped: AtomicUsize,
}

fn another(kid: &KeyId, algorithm: Algorithm) -> PublicJwk {
    let key = PrivateKey::generate(algorithm).unwrap();
    key.public().clone().with_kid(kid.as_str()).unwrap()
}

#[async_trait]
impl KeyManagement for Liar {
    fn capabilities(&self) -> Capabilities {
        Capabilities::ALL
    }

    async fn generate(&self, kid: &KeyId, algorithm: Algorithm) -> Result<PublicJwk, KmsError> {
        match self.lie {
            Lie::OtherAlgorithm => Ok(another(kid, Algorithm::Es256)),
            Lie::OtherName => Ok(another(&KeyId::parse("other").unwrap(), algorithm)),
            Lie::NoAnswer => std::future::pending().await,
            _ => self.keys.generate(kid, algorithm).await,
        }
    }

    async fn import(&self, kid: &KeyId, key: &PrivateKey) -> Result<PublicJwk, KmsError> {
        match self.lie {
            Lie::OtherImport => Ok(another(kid, key.public().algorithm())),
            _ => self.keys.import(kid, key).await,
        }
    }

    async fn sign(
        &self,
        kid: &KeyId,
        algorithm: Algorithm,
        input: &[u8],
    ) -> Result<[u8; 64], KmsError> {
        match self.lie {
            Lie::WrongSignature => Ok([7; 64]),
            Lie::SignatureOfAnother => self.keys.sign(kid, algorithm, b"other input").await,
            Lie::SlowAnswers => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                self.keys.sign(kid, algorithm, input).await
            }
            _ => self.keys.sign(kid, algorithm, input).await,
        }
    }

    async fn public_key(&self, kid: &KeyId) -> Result<Option<PublicJwk>, KmsError> {
        match self.lie {
            Lie::SlowAnswers => {
                tokio::time::sleep(Duration::from_secs(2)).await;
                self.keys.public_key(kid).await
            }
            Lie::OtherKeyLater => Ok(Some(another(kid, Algorithm::EdDsa))),
            _ => self.keys.public_key(kid).await,
        }
    }

    async fn delete(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.keys.delete(kid).await
    }

    async fn generate_wrapping(&self, kid: &KeyId) -> Result<(), KmsError> {
        self.keys.generate_wrapping(kid).await
    }

    async fn wrap(&self, kid: &KeyId, plain: &[u8]) -> Result<String, KmsError> {
        match self.lie {
            Lie::WrapsAnother => self.keys.wrap(kid, &[7; 32]).await,
            Lie::WrappedNoText => Ok("a\n b".to_owned()),
            Lie::WrapsNothing => Ok(format!("vault:v1:{}", STANDARD.encode(plain))),
            _ => self.keys.wrap(kid, plain).await,
        }
    }

    async fn unwrap(&self, kid: &KeyId, wrapped: &str) -> Result<Zeroizing<Vec<u8>>, KmsError> {
        match self.lie {
            // Honest while it is watched.
            Lie::UnwrapsAnother if self.unwrapped.fetch_add(1, Ordering::SeqCst) > 0 => {
                Ok(Zeroizing::new(vec![7; 32]))
            }
            Lie::WrapsNothing => {
                let plain = STANDARD.decode(&wrapped["vault:v1:".len()..]).unwrap();
                Ok(Zeroizing::new(plain))
            }
            _ => self.keys.unwrap(kid, wrapped).await,
        }
    }

    async fn health(&self) -> Result<Health, KmsError> {
        Err(KmsError::Unhealthy)
    }
}

fn checked(lie: Lie) -> (CheckedKeyManagement, KeyId) {
    let liar = Liar {
        lie,
        keys: MemoryKeyManagement::new(),
        unwrapped: AtomicUsize::new(0),
    };
    let checked = CheckedKeyManagement::new(Arc::new(liar));
    (checked, KeyId::parse("first").unwrap())
}

#[tokio::test]
async fn a_key_that_was_not_asked_for_is_refused() {
    let (kms, kid) = checked(Lie::OtherAlgorithm);
    let refused = kms.generate(&kid, Algorithm::EdDsa).await.unwrap_err();
    assert!(
        matches!(refused, KmsError::OtherAlgorithm(_)),
        "{refused:?}"
    );
    let (kms, kid) = checked(Lie::OtherName);
    let refused = kms.generate(&kid, Algorithm::EdDsa).await.unwrap_err();
    assert!(matches!(refused, KmsError::OtherName(_)), "{refused:?}");
    let (kms, kid) = checked(Lie::OtherImport);
    let key = PrivateKey::generate(Algorithm::EdDsa).unwrap();
    let refused = kms.import(&kid, &key).await.unwrap_err();
    assert!(matches!(refused, KmsError::OtherKey(_)), "{refused:?}");
}

#[tokio::test]
async fn a_key_that_becomes_another_is_refused() {
    let (kms, kid) = checked(Lie::OtherKeyLater);
    let key = kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let refused = kms.public_key(&kid).await.unwrap_err();
    assert!(matches!(refused, KmsError::KeyChanged(_)), "{refused:?}");
    // The one that was known stays known.
    let signature = kms.sign(&kid, Algorithm::EdDsa, b"input").await.unwrap();
    assert_eq!(key.verify(b"input", &signature), Ok(()));
    let other = another(&kid, Algorithm::EdDsa);
    kms.pin(&kid, &key).unwrap();
    assert!(matches!(
        kms.pin(&kid, &other),
        Err(KmsError::KeyChanged(_))
    ));
}

#[tokio::test]
async fn what_a_ring_says_counts_for_more_than_what_a_provider_says() {
    let keys = MemoryKeyManagement::new();
    let kms = CheckedKeyManagement::new(Arc::new(keys.clone()));
    let kid = KeyId::parse("first").unwrap();
    let wrong = kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
    // The ring knows another key under the name: that one is expected from now on.
    let ours = another(&kid, Algorithm::EdDsa);
    kms.pin(&kid, &ours).unwrap();
    let refused = kms.sign(&kid, Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::WrongSignature(_))),
        "{refused:?}"
    );
    assert!(matches!(
        kms.pin(&kid, &wrong),
        Err(KmsError::KeyChanged(_))
    ));
    // A provider that makes the key once more does not change that.
    keys.delete(&kid).await.unwrap();
    let refused = kms.generate(&kid, Algorithm::EdDsa).await;
    assert!(
        matches!(refused, Err(KmsError::KeyChanged(_))),
        "{refused:?}"
    );
    let refused = kms.sign(&kid, Algorithm::EdDsa, b"input").await;
    assert!(
        matches!(refused, Err(KmsError::WrongSignature(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_signature_is_verified_before_anybody_sees_it() {
    for lie in [Lie::WrongSignature, Lie::SignatureOfAnother] {
        let (kms, kid) = checked(lie);
        kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
        let refused = kms
            .sign(&kid, Algorithm::EdDsa, b"input")
            .await
            .unwrap_err();
        assert!(
            matches!(refused, KmsError::WrongSignature(_)),
            "{refused:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_though_no_answer_comes() {
    let (kms, kid) = checked(Lie::NoAnswer);
    let kms = kms.call_limit(Duration::from_secs(3));
    let failed = kms.generate(&kid, Algorithm::EdDsa).await.unwrap_err();
    assert!(matches!(failed, KmsError::Timeout(_)), "{failed:?}");
    assert!(failed.is_temporary());
}

#[tokio::test]
async fn a_provider_that_is_not_well_says_so() {
    let (kms, _) = checked(Lie::NoAnswer);
    assert!(matches!(kms.health().await, Err(KmsError::Unhealthy)));
}

#[tokio::test]
async fn a_key_that_somebody_else_replaced_is_believed_unless_it_is_pinned() {
    let keys = MemoryKeyManagement::new();
    let kms = CheckedKeyManagement::new(Arc::new(keys.clone()));
    let kid = KeyId::parse("first").unwrap();
    let sign = || kms.sign(&kid, Algorithm::EdDsa, b"input");
    kms.generate(&kid, Algorithm::EdDsa).await.unwrap();
    // Another process deletes it and makes another one, and we notice both.
    keys.delete(&kid).await.unwrap();
    assert!(matches!(sign().await, Err(KmsError::KeyNotFound(_))));
    let second = keys.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let signature = sign().await.unwrap();
    assert_eq!(second.verify(b"input", &signature), Ok(()));
    // A ring knows which key it is.
    kms.pin(&kid, &second).unwrap();
    keys.delete(&kid).await.unwrap();
    assert!(matches!(sign().await, Err(KmsError::KeyNotFound(_))));
    assert_eq!(kms.public_key(&kid).await.unwrap(), None);
    keys.generate(&kid, Algorithm::EdDsa).await.unwrap();
    assert!(matches!(sign().await, Err(KmsError::WrongSignature(_))));
    assert!(matches!(
        kms.public_key(&kid).await,
        Err(KmsError::KeyChanged(_))
    ));
}

#[tokio::test(start_paused = true)]
async fn a_signature_with_a_key_that_is_not_known_yet_has_one_limit() {
    let keys = MemoryKeyManagement::new();
    let kid = KeyId::parse("first").unwrap();
    keys.generate(&kid, Algorithm::EdDsa).await.unwrap();
    let lie = Lie::SlowAnswers;
    let cold = CheckedKeyManagement::new(Arc::new(Liar {
        lie,
        keys,
        unwrapped: AtomicUsize::new(0),
    }));
    let cold = cold.call_limit(Duration::from_secs(3));
    let began = tokio::time::Instant::now();
    let failed = cold.sign(&kid, Algorithm::EdDsa, b"input").await;
    assert!(matches!(failed, Err(KmsError::Timeout(_))), "{failed:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test]
async fn what_does_not_unwrap_to_itself_was_never_wrapped() {
    for lie in [Lie::WrapsAnother, Lie::WrappedNoText, Lie::WrapsNothing] {
        let (kms, kid) = checked(lie);
        kms.generate_wrapping(&kid).await.unwrap();
        let refused = kms.wrap(&kid, &[3; 32]).await.unwrap_err();
        assert!(
            matches!(refused, KmsError::WrongWrapping(_)),
            "{lie:?}: {refused:?}"
        );
        assert!(WrappedKey::make(&kms, &kid).await.is_err(), "{lie:?}");
    }
}

#[tokio::test]
async fn a_data_key_that_was_unwrapped_to_another_is_refused() {
    let (kms, kid) = checked(Lie::UnwrapsAnother);
    kms.generate_wrapping(&kid).await.unwrap();
    let wrapped = WrappedKey::make(&kms, &kid).await.unwrap();
    let refused = wrapped.open(&kms).await.unwrap_err();
    assert!(matches!(refused, KmsError::WrongWrapping(_)), "{refused:?}");
}

#[tokio::test]
async fn a_wrapped_key_is_read_as_it_was_written() {
    let (kms, kid) = checked(Lie::WrongSignature);
    kms.generate_wrapping(&kid).await.unwrap();
    let wrapped = WrappedKey::make(&kms, &kid).await.unwrap();
    let text = wrapped.to_string();
    let read = WrappedKey::parse(&text).unwrap();
    assert_eq!((&read, read.kid()), (&wrapped, &kid));
    let key = read.open(&kms).await.unwrap();
    assert_eq!(*key, *wrapped.open(&kms).await.unwrap());
    assert_ne!(*key, [0; 32]);
    for named in ["a:b", "a,b"] {
        let kid = KeyId::parse(named).unwrap();
        kms.generate_wrapping(&kid).await.unwrap();
        assert!(WrappedKey::make(&kms, &kid).await.is_err(), "{named}");
    }
    let malformed = [
        "",
        "kms:",
        "kms:a:b",
        "kms:a::",
        "kms::AAAA:AAAA",
        "kms:a:AAAA:?",
        "KMS:a:b:c",
    ];
    for text in malformed
        .map(str::to_owned)
        .into_iter()
        .chain([format!("{text}:"), text.replace(':', ";")])
    {
        assert_eq!(
            WrappedKey::parse(&text).unwrap_err(),
            InvalidWrappedKey::Malformed,
            "{text}"
        );
    }
    assert_eq!(
        WrappedKey::parse("kms:a,b:AA:AA").unwrap_err(),
        InvalidWrappedKey::Name
    );
}
