//! The signature alone, with the crates and the calls that the enclave signs with.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer, SigningKey};
use k256::ecdsa::{self, signature::hazmat::PrehashVerifier};

use super::{Error, cpu, kind::Kind, latency::Latencies, report::Measurement};

/// Signs without pause on one thread, after a tenth of the time to warm up.
pub(super) fn measure(kind: Kind, seconds: Duration) -> Result<Measurement, Error> {
    match kind {
        Kind::EvmTransaction => {
            let key = ecdsa::SigningKey::from_slice(&[7; 32])?;
            repeat(
                kind,
                seconds,
                |number| {
                    let prehash = prehash(number);
                    let (signature, _) = black_box(key.sign_prehash_recoverable(black_box(&prehash)));
                    move |key: &ecdsa::SigningKey| {
                        key.verifying_key().verify_prehash(&prehash, &signature).is_ok()
                    }
                },
                &key,
            )
        }
        Kind::SolanaTransaction => {
            let key = SigningKey::from_bytes(&[7; 32]);
            // As long as the message of a transfer.
            let message = |number: u64| [&[1; 142][..], &number.to_le_bytes()].concat();
            repeat(
                kind,
                seconds,
                |number| {
                    let message = message(number);
                    let signature = black_box(key.sign(black_box(&message)));
                    move |key: &SigningKey| key.verify(&message, &signature).is_ok()
                },
                &key,
            )
        }
    }
}

/// `sign` makes the signature with a number, and returns how to verify it.
fn repeat<K, V: FnOnce(&K) -> bool>(
    kind: Kind,
    seconds: Duration,
    sign: impl Fn(u64) -> V,
    key: &K,
) -> Result<Measurement, Error> {
    let warm = Instant::now() + seconds / 10;
    let mut number = 0;
    while Instant::now() < warm {
        number += 1;
        drop(black_box(sign(number)));
    }
    let mut latencies = Latencies::default();
    let (began, cpu_before) = (Instant::now(), cpu::own()?);
    let (mut signatures, mut last) = (0, None);
    while began.elapsed() < seconds {
        number += 1;
        let start = Instant::now();
        let verify = sign(number);
        latencies.add(start.elapsed());
        signatures += 1;
        last = Some(verify);
    }
    let (elapsed, cpu) = (began.elapsed(), cpu::own()?.saturating_sub(cpu_before));
    let verified = last.is_some_and(|verify| verify(key));
    Ok(Measurement::alone("bare", kind, signatures, elapsed, cpu, latencies).with_checks(
        u64::from(verified),
        u64::from(!verified),
        None,
    ))
}

fn prehash(number: u64) -> [u8; 32] {
    let mut prehash = [9; 32];
    prehash[..8].copy_from_slice(&number.to_le_bytes());
    prehash
}
