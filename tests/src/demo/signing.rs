//! What a backend does: a wallet, signatures of two chains, a refusal, and a restart in between.

use std::time::Instant;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    Error, RESTART_DELAY, Site, appliance::Appliance, evm, operator::text, report::Shown, setup::CHAIN,
    solana,
};
use crate::stack::Reply;

/// The wallet's name.
pub(super) const NAME: &str = "treasury";
/// Where the transactions pay to.
pub(super) const RECIPIENT: &str = "0x3535353535353535353535353535353535353535";
/// A chain that no rule allows: BNB Smart Chain.
const OTHER_CHAIN: u64 = 56;

/// A wallet's public parts.
#[derive(Debug)]
pub(super) struct Wallet {
    pub(super) id: String,
    pub(super) evm: String,
    pub(super) solana: String,
}

/// Creates the wallet.
pub(super) async fn wallet(site: &Site, appliance: &Appliance) -> Result<(Wallet, Shown), Error> {
    let (operator, url) = (site.operator()?, appliance.url());
    let created = operator.run(&format!("wallet create {NAME} --url {url}")).await?;
    let found = operator.run(&format!("wallet show {NAME} --url {url}")).await?;
    if created != found {
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
pub(super) async fn evm(appliance: &Appliance, wallet: &Wallet) -> Result<((), Shown), Error> {
    let reply = sign(appliance, &evm_request(CHAIN)).await?;
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
pub(super) async fn solana(appliance: &Appliance, wallet: &Wallet) -> Result<((), Shown), Error> {
    let payer = solana::key(&wallet.solana)?;
    let message = solana::transfer_message(&payer, &[0x35; 32], &[7; 32], 1_000_000);
    let body = json!({
        "type": "solana.transaction",
        "transaction": STANDARD.encode(solana::with_signature(&[0; 64], &message)),
    });
    let reply = sign(appliance, &body).await?;
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

/// A transaction that no rule allows.
pub(super) async fn denied(appliance: &Appliance, _: &Wallet) -> Result<((), Shown), Error> {
    let reply = sign(appliance, &evm_request(OTHER_CHAIN)).await?;
    let answer = expect(&reply, 403)?;
    let code = text(answer, "/code")?;
    if code != "policy_denied" || answer.get("signature").is_some() {
        return Err(format!("not denied as it must be: {answer}").into());
    }
    let shown = Shown::new(
        format!("chain {OTHER_CHAIN}, which no rule allows, refused, as it must be: 403 {code}"),
        json!({"status": 403, "code": code, "detail": answer["detail"], "chain_id": OTHER_CHAIN}),
    );
    Ok(((), shown))
}

/// The enclave dies, and another one signs with the same key.
pub(super) async fn restart(appliance: &mut Appliance, wallet: &Wallet) -> Result<((), Shown), Error> {
    let request = evm_request(CHAIN);
    let before = sign(appliance, &request).await?;
    let boot = appliance.wait_for_phase("ready").await?["enclave"]["boot_id"].clone();

    let killed = Instant::now();
    appliance.kill_enclave();
    let mut refusals = 0_u32;
    let mut restarted = false;
    let after = loop {
        let reply = sign(appliance, &request).await?;
        match reply.status {
            200 if restarted => break reply,
            503 => refusals += 1,
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

/// The body of a request for an EIP-1559 transfer.
pub(super) fn evm_request(chain_id: u64) -> Value {
    json!({"type": "evm.transaction", "transaction": {
        "chainId": chain_id, "nonce": "0x0", "to": RECIPIENT, "value": "1000000000000000", "gas": "0x5208",
        "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
}

async fn sign(appliance: &Appliance, body: &Value) -> Result<Reply, Error> {
    appliance.post(&format!("/v1/wallets/{NAME}/sign"), body).await
}

fn expect(reply: &Reply, status: u16) -> Result<&Value, Error> {
    let matches = reply.status == status;
    matches
        .then_some(&reply.json)
        .ok_or_else(|| format!("{} instead of {status}: {}", reply.status, reply.json).into())
}

fn decode(text: &str) -> Result<Vec<u8>, Error> {
    Ok(hex::decode(text.strip_prefix("0x").ok_or("no 0x")?)?)
}
