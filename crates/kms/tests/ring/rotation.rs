//! Rotation under a stream of signatures and verifications: not one refusal.

use std::time::Duration;

use auth_base::Clock as _;
use jwt_auth::{Algorithm, Jwks, KeySource as _, Signer as _};
use kms::{RingKeeper, RingPolicy};

use crate::faulty::World;

const TOKEN_LIFE: i64 = 900_000;

fn policy() -> RingPolicy {
    RingPolicy {
        rotate_every: Some(Duration::from_secs(3_600)),
        ..RingPolicy::default()
    }
}

/// A token on its way: verified again and again until it expires.
struct Token {
    kid: String,
    input: Vec<u8>,
    signature: [u8; 64],
    expires_ms: i64,
}

/// A verifier keeps a key set for a while: the longest time that it may, or none.
struct Verifier {
    keeps_ms: i64,
    keys: Jwks,
    fetched_ms: i64,
    max_age_ms: i64,
}

impl Verifier {
    fn new(keeps_ms: i64) -> Self {
        Self {
            keeps_ms,
            keys: Jwks::default(),
            fetched_ms: 0,
            max_age_ms: 0,
        }
    }

    async fn accepts(&mut self, token: &Token, now: i64, replica: &RingKeeper) -> bool {
        if now - self.fetched_ms >= self.keeps_ms.min(self.max_age_ms) {
            let published = replica.jwks().await.unwrap();
            self.max_age_ms = i64::try_from(published.max_age.as_millis()).unwrap();
            self.keys = published.keys;
            self.fetched_ms = now;
        }
        let key = self.keys.find(&token.kid);
        key.is_some_and(|key| key.verify(&token.input, &token.signature).is_ok())
    }
}

/// Two replicas sign and publish, a third one only publishes, three verifiers keep key sets for a while or not at all, five rotations pass.
#[tokio::test]
async fn no_token_is_refused_while_keys_rotate() {
    let world = World::new();
    let replicas = [world.keeper(policy()), world.keeper(policy())];
    replicas[0].tick().await.unwrap();
    replicas[1].tick().await.unwrap();
    let publisher = world.keeper(policy());
    let mut verifiers: Vec<Verifier> = [300_000, 40_000, 0].map(Verifier::new).into();
    let mut tokens: Vec<Token> = Vec::new();
    let mut kids = Vec::new();
    let mut verified = 0;
    for step in 0..5_400_usize {
        world.pass(4);
        let now = world.clock.now_ms();
        // The second replica takes turns more rarely, so that it often signs with what it read before.
        for (replica, every) in replicas.iter().zip([5, 37]) {
            if step % every == 0 {
                replica.tick().await.unwrap();
            }
        }
        let signer = replicas[step % 2].signer().await.unwrap();
        let input = step.to_be_bytes().to_vec();
        let signature = signer.sign(&input).await.unwrap();
        let kid = signer.key().kid().to_owned();
        if !kids.contains(&kid) {
            kids.push(kid.clone());
        }
        let expires_ms = now + TOKEN_LIFE;
        tokens.push(Token {
            kid,
            input,
            signature,
            expires_ms,
        });
        tokens.retain(|token| now < token.expires_ms);
        for (number, verifier) in verifiers.iter_mut().enumerate() {
            let some = (step * 7 + number * 31) % tokens.len();
            let token = [0, some, tokens.len() - 1][(step + number) % 3];
            let replica = [&replicas[0], &replicas[1], &publisher][(step / 3 + number) % 3];
            let accepted = verifier.accepts(&tokens[token], now, replica).await;
            assert!(accepted, "step {step}");
            verified += 1;
        }
    }
    assert_eq!(kids.len(), 6, "six hours, a key each");
    assert_eq!(verified, 5_400 * 3);
    // The retired ones are refused, and deleted at their provider.
    let last = kids.last().unwrap();
    let published = replicas[0].jwks().await.unwrap().keys;
    for kid in kids.iter().filter(|kid| *kid != last) {
        assert!(published.find(kid).is_none());
        assert_eq!(replicas[0].key(kid).await.unwrap(), None);
    }
}

#[tokio::test]
async fn replicas_that_begin_at_once_share_one_key() {
    let world = World::new();
    let keepers: Vec<RingKeeper> = (0..8).map(|_| world.keeper(policy())).collect();
    let turns = keepers
        .iter()
        .cloned()
        .map(|keeper| tokio::spawn(async move { keeper.tick().await.map(drop) }));
    for turn in turns.collect::<Vec<_>>() {
        turn.await.unwrap().unwrap();
    }
    let first = keepers[0].signer().await.unwrap();
    world.pass(11);
    for keeper in &keepers {
        let signer = keeper.signer().await.unwrap();
        assert_eq!(signer.key(), first.key());
        signer.sign(b"input").await.unwrap();
    }
}

#[tokio::test]
async fn a_new_key_is_published_before_it_signs_and_an_old_one_after() {
    let world = World::new();
    let keeper = world.keeper(policy());
    keeper.tick().await.unwrap();
    let old = keeper.signer().await.unwrap();
    keeper.rotate().await.unwrap();
    assert!(keeper.rotate().await.is_err(), "one rotation at a time");
    world.pass(369);
    keeper.tick().await.unwrap();
    assert_eq!(keeper.jwks().await.unwrap().keys.keys().len(), 2);
    assert_eq!(keeper.signer().await.unwrap().key(), old.key());
    world.pass(1);
    keeper.tick().await.unwrap();
    let new = keeper.signer().await.unwrap();
    assert_ne!(new.key(), old.key());
    // A replica that has not read of it may go on for a moment; what it signs is waited for.
    old.sign(b"input").await.unwrap();
    world.pass(10);
    let refused = old.sign(b"input").await.unwrap_err();
    assert!(matches!(refused, jwt_auth::SignError::Refused(_)));
    world.pass(959);
    assert!(
        keeper
            .jwks()
            .await
            .unwrap()
            .keys
            .find(old.key().kid())
            .is_some()
    );
    world.pass(1);
    // It is unpublished on time, whether or not somebody takes a turn.
    assert!(
        keeper
            .jwks()
            .await
            .unwrap()
            .keys
            .find(old.key().kid())
            .is_none()
    );
    keeper.tick().await.unwrap();
    assert_eq!(keeper.ring().await.unwrap().keys().len(), 1);
}

#[tokio::test]
async fn a_leaked_key_is_replaced_at_once() {
    let world = World::new();
    let keeper = world.keeper(policy());
    keeper.tick().await.unwrap();
    let leaked = keeper.signer().await.unwrap();
    keeper.revoke(leaked.key().kid()).await.unwrap();
    assert!(leaked.sign(b"input").await.is_err());
    assert!(
        keeper
            .jwks()
            .await
            .unwrap()
            .keys
            .find(leaked.key().kid())
            .is_none()
    );
    keeper.tick().await.unwrap();
    let next = keeper.signer().await.unwrap();
    assert_ne!(next.key(), leaked.key());
    assert_eq!(keeper.ring().await.unwrap().keys().len(), 1);
    assert!(keeper.revoke("nobody").await.is_err());
}

#[tokio::test]
async fn the_algorithm_of_new_keys_is_the_policys() {
    let world = World::new();
    let keeper = world.keeper(policy());
    keeper.tick().await.unwrap();
    assert_eq!(keeper.signer().await.unwrap().key().alg(), "EdDSA");
    let keeper = world.keeper(RingPolicy {
        algorithm: Algorithm::Es256,
        ..policy()
    });
    keeper.rotate().await.unwrap();
    world.pass(370);
    keeper.tick().await.unwrap();
    assert_eq!(keeper.signer().await.unwrap().key().alg(), "ES256");
}
