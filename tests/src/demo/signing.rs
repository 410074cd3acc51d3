//! What a backend does: a wallet, signatures of two chains, and a restart in between.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Error, RESTART_DELAY, Site,
    appliance::Appliance,
    backend::Backend,
    evm,
    operator::text,
    policy::{CHAIN, RECIPIENT, SOLANA_RECIPIENT},
    report::Shown,
    solana,
};
use crate::stack::Reply;

/// The wallet's name.
pub(super) const NAME: &str = "treasury";
/// Where its signatures are asked for.
pub(super) const PATH: &str = "/v1/wallets/treasury/sign";

/// A wallet's public parts.
#[derive(Debug)]
pub(super) struct Wallet {
    pub(super) id: String,
    pub(super) evm: String,
    pub(super) solana: String,
}

/// Creates the wallet.
pub(super) async fn wallet(site: &Site, appliance: &Appliance) -> Result<(Wallet, Shown), Error> {
    let (operator, client) = (site.operator()?, appliance.as_client());
    let created = operator.run(&format!("wallet create {NAME} {client}")).await?;
    let found = operator.run(&format!("wallet show {NAME} {client}")).await?;
    // Each answer has a receipt of its own.
    if ["id", "name", "accounts"].iter().any(|member| created[member] != found[member]) {
        return Err(format!("created {created}, and found {found}").into());
    }
    let address = |chain: &str| {
        let mut accounts = found["accounts"].as_array().into_iter().flatten();
        let address = accounts.find_map(|account| account["addresses"][chain].as_str());
        address.map(str::to_owned).ok_or_else(|| format!("no {chain} address in {found}"))
    };
    let wallet =
        Wallet { id: text(&found, "/id")?.to_owned(), evm: address("evm")?, solana: address("solana")? };
    let shown = Shown::new(
        format!("{NAME}: EVM {}, Solana {}", wallet.evm, wallet.solana),
        json!({"wallet": wallet.id, "name": NAME, "evm": wallet.evm, "solana": wallet.solana}),
    );
    Ok((wallet, shown))
}

/// An EIP-1559 transaction, judged by libsecp256k1.
pub(super) async fn evm(site: &Site, appliance: &Appliance, wallet: &Wallet) -> Result<((), Shown), Error> {
    let reply = Backend::of(site)?.post(appliance, PATH, &evm_request(CHAIN)).await?;
    let answer = expect(&reply, 200)?;
    let signed = decode(text(answer, "/signed_transaction")?)?;
    let found = evm::Signed::parse(&signed)?;
    let same = |name: &str, actual: &[u8]| -> Result<(), Error> {
        let said = text(answer, &format!("/{name}"))?;
        let equal = decode(said)? == actual;
        equal
            .then_some(())
            .ok_or_else(|| format!("{name} is {said}, and must be 0x{}", hex::encode(actual)).into())
    };
    same("transaction_hash", &evm::keccak256(&signed))?;
    same("signing_hash", &found.signing_hash)?;
    let asked = (CHAIN, decode(RECIPIENT)?, 10_u128.pow(15));
    if (found.chain_id, found.to.clone(), found.value) != asked {
        return Err(format!("another transaction was signed: {found:?}").into());
    }
    let sender = found.sender()?;
    if decode(&wallet.evm)? != sender {
        return Err(format!("signed by 0x{}, not by {}", hex::encode(sender), wallet.evm).into());
    }
    let hash = text(answer, "/transaction_hash")?;
    let shown = Shown::new(
        format!("EIP-1559 transfer signed; libsecp256k1 recovers {} as its sender", wallet.evm),
        json!({"recovered": wallet.evm, "transaction_hash": hash, "signed_transaction": answer["signed_transaction"]}),
    );
    Ok(((), shown))
}

/// A Solana transfer, judged by AWS-LC.
pub(super) async fn solana(
    site: &Site,
    appliance: &Appliance,
    wallet: &Wallet,
) -> Result<((), Shown), Error> {
    let payer = solana::key(&wallet.solana)?;
    let message = solana::transfer_message(&payer, &SOLANA_RECIPIENT, &[7; 32], 1_000_000);
    let body = json!({
        "type": "solana.transaction",
        "transaction": STANDARD.encode(solana::with_signature(&[0; 64], &message)),
    });
    let reply = Backend::of(site)?.post(appliance, PATH, &body).await?;
    let answer = expect(&reply, 200)?;
    let signature = solana::signature(text(answer, "/signature")?)?;
    solana::verify(&payer, &message, &signature)?;
    if STANDARD.decode(text(answer, "/signed_transaction")?)? != solana::with_signature(&signature, &message)
    {
        return Err(format!("the message came back changed: {answer}").into());
    }
    let shown = Shown::new(
        format!("transfer signed; AWS-LC's Ed25519 verifies it for {}", wallet.solana),
        json!({"signature": answer["signature"], "signer": wallet.solana, "missing_signers": answer["missing_signers"]}),
    );
    Ok(((), shown))
}

/// The enclave dies, and another one signs with the same key.
pub(super) async fn restart(
    site: &Site,
    appliance: &mut Appliance,
    wallet: &Wallet,
) -> Result<((), Shown), Error> {
    let (backend, request) = (Backend::of(site)?, evm_request(CHAIN));
    let before = backend.post(appliance, PATH, &request).await?;
    let boot = appliance.wait_for_phase("ready").await?["enclave"]["boot_id"].clone();

    // What the host has not stored yet ends with the enclave.
    appliance
        .wait_for("a log that is stored", |status| {
            status["audit"]["stored"].is_u64() && status["audit"]["stored"] == status["audit"]["head"]
        })
        .await?;
    let killed = Instant::now();
    appliance.kill_enclave();
    let mut refusals = 0_u32;
    let mut restarted = false;
    let after = loop {
        let reply = backend.post(appliance, PATH, &request).await?;
        match reply.status {
            200 if restarted => break reply,
            503 => refusals += 1,
            // Signed in the second of the boot or before: what the last boot took may not be taken again.
            401 if restarted => {}
            _ => return Err(format!("{} while there is no enclave: {}", reply.status, reply.json).into()),
        }
        if !restarted && killed.elapsed() >= RESTART_DELAY {
            appliance.start_enclave();
            restarted = true;
        }
        if killed.elapsed() > appliance.patience() {
            return Err(format!("no signature after {:?}: {}", appliance.patience(), reply.json).into());
        }
        // Often enough to see an outage of half a second, and rarely enough for a machine that boots meanwhile.
        sleep(appliance.patience() / 3000).await;
    };
    let down_ms = u64::try_from(killed.elapsed().as_millis())?;
    if expect(&before, 200)?["signed_transaction"] != after.json["signed_transaction"]
        || after.json["address"] != json!(wallet.evm)
    {
        return Err(format!("another signature than before: {} and {}", before.json, after.json).into());
    }
    let now = appliance.wait_for_phase("ready").await?["enclave"]["boot_id"].clone();
    if now == boot || refusals == 0 {
        return Err(format!("boot {now} after boot {boot}, with {refusals} refusals in between").into());
    }
    let shown = Shown::new(
        format!(
            "enclave killed (-9); {refusals} × 503, and {down_ms} ms later the same bytes from the same address"
        ),
        json!({
            "down_ms": down_ms, "refusals_503": refusals, "address": wallet.evm, "boot_id": now, "boot_id_before": boot,
        }),
    );
    Ok(((), shown))
}

/// The body of a request for a payout: 0.001 ETH.
pub(super) fn evm_request(chain_id: u64) -> Value {
    transfer(chain_id, 0, RECIPIENT, "1000000000000000")
}

/// The body of a request for an EIP-1559 transfer.
pub(super) fn transfer(chain_id: u64, nonce: u64, to: &str, wei: &str) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": chain_id, "nonce": format!("{nonce:#x}"), "to": to, "value": wei, "gas": "0x5208",
        "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
}

/// An answer that has this status.
pub(super) fn expect(reply: &Reply, status: u16) -> Result<&Value, Error> {
    let matches = reply.status == status;
    matches
        .then_some(&reply.json)
        .ok_or_else(|| format!("{} instead of {status}: {}", reply.status, reply.json).into())
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    Ok(hex::decode(text.strip_prefix("0x").ok_or("no 0x")?)?)
}
