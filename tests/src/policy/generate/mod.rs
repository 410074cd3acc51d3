//! Bundles and requests at random, from a small world in which rules match often, or nearly.
//!
//! The same seed makes the same pair. Facts are never made up: a request's body is written as a client would write it,
//! and parsed as the enclave parses it.

mod calls;
mod conditions;
mod evm;
mod rules;
mod solana;
mod typed_data;
mod world;

use serde_json::{Value, json};

use super::compare::{Request, parse};
use world::{ORIGINS, WALLETS};
pub use world::{clients, signer};

/// A bundle, and a request to decide under it.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The bundle.
    pub bundle: Value,
    /// The request.
    pub request: Request,
}

/// The pair of a seed.
pub fn pair(seed: u64) -> Pair {
    let mut random = Random::new(seed);
    let request = request(&mut random);
    let bundle = rules::bundle(&mut random, &request);
    Pair { bundle, request }
}

fn request(random: &mut Random) -> Request {
    let operation = *random.pick(&OPERATIONS);
    loop {
        let body = match operation {
            "evm.transaction" => evm::transaction(random),
            "evm.authorization" => evm::authorization(random),
            "evm.message" => evm::message(random),
            "evm.typed_data" => typed_data::body(random),
            "solana.transaction" => solana::transaction(random),
            "solana.offchain_message" => solana::offchain_message(random),
            "raw.digest" => json!({"digest": format!("0x{}", "5d".repeat(32))}),
            "raw.message" => json!({"message": "0x00ff"}),
            _ => json!({}),
        };
        let facts = if operation.starts_with("wallet.") {
            None
        } else {
            // What no chain takes is never judged: make another.
            let Ok(facts) = parse(operation, &body, Some(&signer())) else { continue };
            Some(facts)
        };
        let now = match random.below(40) {
            0 => "2025-12-31T23:59:59Z",
            1 => "2026-02-01T00:00:00Z",
            _ => "2026-01-15T12:00:00Z",
        };
        return Request {
            now: now.to_owned(),
            client: (*random.pick(&["backend", "bot", "desk", "auditor"])).to_owned(),
            operation: operation.to_owned(),
            wallet: (*random.pick(&WALLETS)).to_owned(),
            origin: (*random.pick(&ORIGINS)).to_owned(),
            body,
            facts,
            signer: signer(),
        };
    }
}

/// Those with more to judge come more often.
const OPERATIONS: [&str; 22] = [
    "evm.transaction",
    "evm.transaction",
    "evm.transaction",
    "evm.transaction",
    "evm.transaction",
    "evm.transaction",
    "evm.transaction",
    "evm.typed_data",
    "evm.typed_data",
    "evm.typed_data",
    "evm.typed_data",
    "solana.transaction",
    "solana.transaction",
    "solana.transaction",
    "solana.transaction",
    "evm.authorization",
    "evm.message",
    "evm.message",
    "solana.offchain_message",
    "raw.digest",
    "raw.message",
    "wallet.read",
];

/// `SplitMix64`: small, and the same everywhere.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`, which is above 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("small")
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, of_hundred: usize) -> bool {
        self.below(100) < of_hundred
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// From `least` to `most` of them, which may be the same.
    pub fn some<T: Clone>(&mut self, from: &[T], least: usize, most: usize) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| self.pick(from).clone()).collect()
    }
}
