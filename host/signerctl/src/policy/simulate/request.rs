//! What is asked, read as the enclave reads it.

use signer_rules::{
    bundle::{Operation, WalletId},
    chain::{self, Curve, Facts, Signer, evm::EvmAddress, facts::ChainScope, solana::SolanaAddress},
    hex_bytes::HexBytes,
    policy::Query,
};
use signer_terminal::Failure;

use super::SimulateArgs;
use crate::explain::{self, Given};

/// Nobody's wallet: its id is a digest, and none is zero.
const NO_WALLET: WalletId = WalletId(HexBytes([0; 16]));

/// One thing that is asked.
pub(super) struct Asked {
    /// On one line.
    pub(super) title: String,
    /// What.
    pub(super) operation: Operation,
    /// What is to be signed, if something is.
    pub(super) facts: Option<Facts>,
    /// The wallet, if it is known.
    pub(super) wallet: Option<WalletId>,
    signer: Signer,
    solana: Option<SolanaAddress>,
}

impl Asked {
    /// An operation that signs nothing.
    pub(super) fn operation(operation: Operation, wallet: Option<WalletId>) -> Self {
        let title = operation.as_str().to_owned();
        Self { title, operation, facts: None, wallet, signer: Signer::default(), solana: None }
    }

    /// What the body of a request asks to sign. With an account it is read as strictly as in the enclave.
    pub(super) fn read(
        body: &[u8],
        kind: Option<&str>,
        wallet: Option<WalletId>,
        address: Option<EvmAddress>,
        solana: Option<SolanaAddress>,
    ) -> Result<Vec<Self>, Failure> {
        let text = std::str::from_utf8(body).map_err(|_| Failure::usage("the request is not text"))?;
        let given = Given::read_all(text.trim(), kind)?;
        let signer = Signer { evm_address: address, ed25519: solana.map(|address| *address.as_bytes()) };
        let several = given.len() > 1;
        let read = |(index, given): (usize, &Given)| {
            let item = |failure: Failure| if several { in_item(index, &failure) } else { failure };
            let (facts, operation) = facts(given, &signer).map_err(item)?;
            let named = given.wallet().and_then(|wallet| wallet.parse().ok());
            let number = if several { format!("[{index}] ") } else { String::new() };
            Ok(Self {
                title: format!("{number}{}", explain::title(given)),
                operation,
                facts: Some(facts),
                wallet: named.or(wallet),
                signer,
                solana,
            })
        };
        given.iter().enumerate().map(read).collect()
    }

    /// The same as policy takes it.
    pub(super) fn query<'a>(&'a self, args: &'a SimulateArgs) -> Query<'a> {
        Query {
            now: args.at,
            client: &args.client,
            role: args.role.as_ref(),
            operation: self.operation,
            wallet: self.wallet.unwrap_or(NO_WALLET),
            origin: args.origin,
            chain: self.facts.as_ref().map_or(ChainScope::None, Facts::chain),
            facts: self.facts.as_ref(),
            account: self.signer.evm_address,
            solana_account: self.solana,
        }
    }
}

fn facts(given: &Given, signer: &Signer) -> Result<(Facts, Operation), Failure> {
    let known = match chain::curve_of(&given.kind) {
        Some(Curve::Secp256k1) => signer.evm_address.is_some(),
        Some(Curve::Ed25519) => signer.ed25519.is_some(),
        None => false,
    };
    let facts = if known {
        chain::parse(&given.kind, &given.body(), signer).map(|signable| signable.facts().clone())
    } else {
        chain::describe(&given.kind, &given.body())
    };
    let facts = facts.map_err(|rejection| explain::rejected(&rejection))?;
    let operation = Operation::from_name(facts.operation())
        .ok_or_else(|| Failure::new(format!("{} is no operation of policies", facts.operation())))?;
    Ok((facts, operation))
}

fn in_item(index: usize, failure: &Failure) -> Failure {
    Failure::new(format!("items[{index}]: {failure}"))
}
