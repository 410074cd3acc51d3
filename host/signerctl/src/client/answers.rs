//! Signatures of answers: an attested enclave's, over this very answer to this very request.

use std::cell::RefCell;

use ed25519_dalek::{Signature, VerifyingKey};
use signer_eif::{options::now_ms, verify::FUTURE_TOLERANCE_MS};
use signer_rules::{
    audit::Receipt,
    hex_bytes::HexBytes,
    http_signature::{
        self,
        response::{self, Answer, Presented, RECEIPT, Request},
        session,
    },
    statement::Statement,
};
use signer_terminal::{
    Failure, Terminal, clean,
    http::{Answered, Asked, Headers},
};

use super::{attested::Attestor, signer::sent};

/// The oldest answer that is believed, in milliseconds.
const MAX_AGE_MS: u64 = 300_000;
/// How often an appliance of several enclaves is asked for the proof of the one that answered.
const MAX_ATTESTATIONS: usize = 16;

/// Checks answers.
pub(crate) struct Checker {
    attestor: Attestor,
    /// What the enclaves said of themselves that proved what they are.
    known: RefCell<Vec<Statement>>,
    terminal: Terminal,
}

impl Checker {
    /// Has an enclave of the appliance prove what it is, before anything is asked.
    pub(super) fn new(attestor: Attestor, terminal: &Terminal) -> Result<Self, Failure> {
        let known = RefCell::new(vec![attestor.attest()?]);
        Ok(Self { attestor, known, terminal: terminal.clone() })
    }

    /// What one of the enclaves said of itself, with proof.
    pub(crate) fn statement(&self) -> Option<Statement> {
        self.known.borrow().first().cloned()
    }

    /// Refuses an answer to that request that is not of an enclave that proved what it is. Otherwise: whether the answer is
    /// signed, and not one of the few that need not be.
    pub(super) fn check(
        &self,
        asked: &Asked<'_>,
        headers: &Headers,
        answered: &Answered,
    ) -> Result<bool, Failure> {
        let names = ["signature-input", "signature", "content-digest"];
        let [Some(input), Some(signature), Some(digest)] = names.map(|name| answered.header(name)) else {
            return self.unsigned(asked, headers, answered);
        };
        if !http_signature::check_content_digest(digest, &answered.body) {
            return Err(refused("its content-digest is not that of its body"));
        }
        let presented = response::read(input, signature).map_err(|error| refused(&error.to_string()))?;
        let request = Request {
            method: asked.method,
            path: asked.path,
            query: asked.query,
            content_digest: sent(headers, "content-digest"),
            signature: sent(headers, "signature"),
        };
        let receipt = answered.header(RECEIPT);
        let answer = Answer { status: answered.status, content_digest: digest, receipt };
        let base = presented.base(&request, &answer).map_err(|error| refused(&error.to_string()))?;
        let statement = self.enclave(presented.keyid)?;
        if !verifies(&statement, &base, &presented.signature) {
            return Err(refused("its signature is not that of the enclave it names"));
        }
        if presented.tag != statement.authority.to_string() {
            return Err(refused("it is for another authority"));
        }
        fresh(&presented)?;
        let boot = statement.boot_id;
        let receipt = receipt.map(|receipt| read_receipt(receipt, boot)).transpose()?;
        let receipt = receipt.map_or_else(String::new, |receipt| format!("; receipt {receipt}"));
        self.terminal.explain(&format!("checked: answered by the attested enclave of boot {boot}{receipt}"));
        Ok(true)
    }

    /// Refusals may be the host's own, and signatures prove themselves: enclaves sign those for clients with keys only.
    /// Anything else must be signed.
    fn unsigned(&self, asked: &Asked<'_>, headers: &Headers, answered: &Answered) -> Result<bool, Failure> {
        let done = (200..300).contains(&answered.status);
        let by_key = sent(headers, "signature").is_some() && sent(headers, session::TICKET).is_none();
        if done && !by_key && asked.method == "POST" && is_for_signatures(asked.path) {
            self.terminal.warn(
                "the answer itself is not signed, as enclaves do without a client's key: verify the signature that is in it",
            );
            if let Some(receipt) = answered.header(RECEIPT) {
                self.terminal.explain(&format!("receipt {}, not signed", clean(receipt)));
            }
            return Ok(false);
        }
        if done {
            return Err(refused("it is not signed").hint(
                "whoever gave it does not prove to be the enclave; --unverified takes it all the same",
            ));
        }
        self.terminal.warn("this refusal is not signed: it may be the host's and not the enclave's");
        Ok(false)
    }

    /// The enclave that answered, with proof of what it is: of a fleet any may have answered.
    fn enclave(&self, boot: &str) -> Result<Statement, Failure> {
        let boot: HexBytes<16> = boot.parse().map_err(|_| refused("its keyid is no boot's id"))?;
        let mut known = self.known.borrow_mut();
        for _ in 0..MAX_ATTESTATIONS {
            if let Some(statement) = known.iter().find(|statement| statement.boot_id == boot) {
                return Ok(statement.clone());
            }
            known.push(self.attestor.attest()?);
        }
        Err(refused(&format!("it is signed by boot {boot}, which does not prove what it is"))
            .hint("try again; if it stays so, treat the answer as forged"))
    }
}

/// Whether what this path answers is signatures and nothing else.
fn is_for_signatures(path: &str) -> bool {
    path == "/v1/batch" || path.starts_with("/v1/wallets/") && path.ends_with("/sign")
}

/// The receipt of a record of the boot that answered.
fn read_receipt(text: &str, boot: HexBytes<16>) -> Result<Receipt, Failure> {
    match text.parse::<Receipt>() {
        Ok(receipt) if receipt.boot_id == boot => Ok(receipt),
        _ => Err(refused(&format!("its receipt is not one of this boot: {}", clean(text)))),
    }
}

fn verifies(statement: &Statement, base: &str, signature: &[u8]) -> bool {
    let Ok(key) = VerifyingKey::from_bytes(&statement.identity_key.0) else { return false };
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(base.as_bytes(), &signature).is_ok())
}

/// An answer to an unsigned request could be one to the same request of long ago.
fn fresh(presented: &Presented<'_>) -> Result<(), Failure> {
    let (made, now) = (presented.created.saturating_mul(1000), now_ms());
    if made.saturating_add(MAX_AGE_MS) < now || made > now.saturating_add(FUTURE_TOLERANCE_MS) {
        return Err(refused("it was not made just now").hint("check this machine's clock"));
    }
    Ok(())
}

fn refused(reason: &str) -> Failure {
    Failure::new(format!("the answer is not believed: {reason}"))
}

#[cfg(test)]
#[path = "answers_tests.rs"]
mod tests;
