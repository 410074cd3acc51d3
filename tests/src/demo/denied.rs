//! What rules refuse, and what it takes to be allowed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Error, Site,
    appliance::Appliance,
    backend::Backend,
    operator::text,
    policy::{
        APPROVERS, CHAIN, CLIENT, OTHER_CHAIN, OTHER_SPENDER, RECIPIENT, SANCTIONED, SOLANA_RECIPIENT,
        SPENDER, TOKEN,
    },
    report::Shown,
    signing::{NAME, PATH, Wallet, evm_request, expect, transfer},
    solana,
};

/// Selectors of ERC-20.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
const APPROVE: [u8; 4] = [0x09, 0x5e, 0xa7, 0xb3];

/// One USDC.
const ONE: u64 = 1_000_000;

/// A request that is refused.
struct Refusal {
    what: &'static str,
    body: Value,
    status: u16,
    code: &'static str,
    /// The rule that the answer names.
    rule: Option<&'static str>,
}

/// One refusal by each kind of rule; and the same with what was missing, where something was.
pub(super) async fn denied(
    site: &Site,
    appliance: &Appliance,
    wallet: &Wallet,
) -> Result<((), Shown), Error> {
    let backend = Backend::of(site)?;
    let mut refused = Vec::new();
    let mut lines = Vec::new();
    for refusal in refusals(wallet)? {
        let reply = backend.post(appliance, PATH, &refusal.body).await?;
        let answer = expect(&reply, refusal.status).map_err(|error| format!("{}: {error}", refusal.what))?;
        let rule = answer.get("rule").and_then(Value::as_str);
        if answer["code"] != refusal.code || rule != refusal.rule || answer.get("signature").is_some() {
            return Err(format!("{}: not refused as it must be: {answer}", refusal.what).into());
        }
        let by = rule.map_or_else(|| "no rule allows it".to_owned(), |rule| format!("rule {rule}"));
        lines.push(format!("{} {:<18} {:<31} {by}", refusal.status, refusal.code, refusal.what));
        refused.push(json!({
            "what": refusal.what, "status": refusal.status, "code": refusal.code, "rule": rule,
            "detail": answer["detail"],
        }));
    }
    for (what, body) in allowed(wallet) {
        let reply = backend.post(appliance, PATH, &body).await?;
        expect(&reply, 200).map_err(|error| format!("{what}: {error}"))?;
        lines.push(format!("200 {:<18} {what}", ""));
    }
    let approved = approved(site, appliance, wallet).await?;
    lines.push(format!("200 {:<18} large payout, approved by {}", "", APPROVERS.join(" and ")));
    let shown = Shown::new(
        format!("{} kinds of requests refused, as they must be; 3 allowed under their rules", refused.len()),
        json!({"refused": refused, "approved": approved["transaction_hash"], "approvers": APPROVERS}),
    );
    Ok(((), shown.with(vec![lines.join("\n    ")])))
}

/// A payout that needs approval, with it: signed by whoever asks and by two approvers who saw it.
async fn approved(site: &Site, appliance: &Appliance, wallet: &Wallet) -> Result<Value, Error> {
    let operator = site.operator()?;
    operator.write("large.json", &large_payout().to_string())?;
    let approve = format!(
        "approve --request large.json --wallet {NAME} --client {CLIENT} --rule large-payouts --policy policy-2.json \
         --config config.json --yes"
    );
    for (index, approver) in APPROVERS.iter().enumerate() {
        let file = if index == 0 { "--output" } else { "--add-to" };
        operator.run(&format!("{approve} --key {approver}.pem {file} approval.json")).await?;
    }
    let signed = operator
        .run(&format!("sign {NAME} large.json --approval approval.json {}", appliance.as_client()))
        .await?;
    if signed["address"] != json!(wallet.evm) || text(&signed, "/transaction_hash").is_err() {
        return Err(format!("approved and not signed: {signed}").into());
    }
    Ok(signed)
}

fn refusals(wallet: &Wallet) -> Result<Vec<Refusal>, Error> {
    let denied = |what, rule, body| Refusal { what, body, status: 403, code: "policy_denied", rule };
    let other = |status, code, what, rule, body| Refusal { what, body, status, code, rule: Some(rule) };
    let mut creation = transfer(CHAIN, 1, RECIPIENT, "0");
    creation["transaction"]["to"] = Value::Null;
    creation["transaction"]["input"] = json!("0x6001600081");
    Ok(vec![
        denied("contract creation", Some("contract-creation"), creation),
        denied("sanctioned recipient", Some("sanctioned"), transfer(CHAIN, 1, SANCTIONED, "1")),
        denied("token approval", Some("token-approvals"), token_call(1, APPROVE, SPENDER, ONE)),
        denied("another chain", None, evm_request(OTHER_CHAIN)),
        denied("token payout of 1001 USDC", None, token_call(1, TRANSFER, RECIPIENT, 1001 * ONE)),
        denied("permit for another spender", None, permit(wallet, OTHER_SPENDER)),
        denied("Solana payout over the cap", None, solana_payout(wallet, 1_000_001)?),
        other(
            403,
            "limit_reached",
            "0.01 ETH an hour, and 0.0005 more",
            "payouts",
            transfer(CHAIN, 1, RECIPIENT, "9500000000000000"),
        ),
        other(403, "approval_required", "large payout", "large-payouts", large_payout()),
        other(
            409,
            "nonce_conflict",
            "another payout of nonce 0",
            "payouts",
            transfer(CHAIN, 0, RECIPIENT, "2000000000000000"),
        ),
    ])
}

fn allowed(wallet: &Wallet) -> [(&'static str, Value); 2] {
    [
        ("token payout of 1000 USDC", token_call(2, TRANSFER, RECIPIENT, 1000 * ONE)),
        ("permit for the known spender", permit(wallet, SPENDER)),
    ]
}

/// Half an ether.
fn large_payout() -> Value {
    transfer(CHAIN, 1, RECIPIENT, "500000000000000000")
}

/// A call of the token's contract with an address and an amount.
fn token_call(nonce: u64, selector: [u8; 4], address: &str, amount: u64) -> Value {
    let mut body = transfer(CHAIN, nonce, TOKEN, "0");
    let address = address.trim_start_matches("0x");
    body["transaction"]["input"] = json!(format!("0x{}{address:0>64}{amount:064x}", hex::encode(selector)));
    body["transaction"]["gas"] = json!("0x186a0");
    body
}

/// EIP-2612: whoever has the signature may take 100 USDC for the spender.
fn permit(wallet: &Wallet, spender: &str) -> Value {
    let member = |(name, kind): (&str, &str)| json!({"name": name, "type": kind});
    let domain =
        [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")];
    let members = [
        ("owner", "address"),
        ("spender", "address"),
        ("value", "uint256"),
        ("nonce", "uint256"),
        ("deadline", "uint256"),
    ];
    json!({"type": "evm.typed_data", "typed_data": {
        "types": {"EIP712Domain": domain.map(member), "Permit": members.map(member)},
        "primaryType": "Permit",
        "domain": {"name": "USD Coin", "version": "2", "chainId": CHAIN, "verifyingContract": TOKEN},
        "message": {
            "owner": wallet.evm, "spender": spender, "value": (100 * ONE).to_string(), "nonce": "0",
            "deadline": "1893456000"
        }
    }})
}

fn solana_payout(wallet: &Wallet, lamports: u64) -> Result<Value, Error> {
    let payer = solana::key(&wallet.solana)?;
    let message = solana::transfer_message(&payer, &SOLANA_RECIPIENT, &[7; 32], lamports);
    let transaction = STANDARD.encode(solana::with_signature(&[0; 64], &message));
    Ok(json!({"type": "solana.transaction", "transaction": transaction}))
}
