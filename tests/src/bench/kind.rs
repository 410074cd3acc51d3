//! What is signed: requests that differ in a number, and how their answers are checked.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Error, WALLET};
use crate::demo::{evm, solana};

/// Items of a batch.
pub(super) const BATCH: u64 = 256;
/// One answer of this many is kept, and its signatures verified once the stage is over.
const SAMPLE: u64 = 101;
/// Characters of an answer that is no signature.
const SHOWN: usize = 300;

/// Whom the transfers pay.
const RECIPIENT: [u8; 20] = [0x35; 20];
/// So that every number has as many digits as every other.
const FIRST_VALUE: u64 = 1_000_000_000;

/// Kinds of signatures that are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Kind {
    /// An EIP-1559 transfer: Keccak-256 and ECDSA on secp256k1.
    #[serde(rename = "evm.transaction")]
    EvmTransaction,
    /// A transfer of lamports: Ed25519.
    #[serde(rename = "solana.transaction")]
    SolanaTransaction,
}

/// How it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `POST /v1/wallets/{w}/sign`.
    Single,
    /// `POST /v1/batch` of [`BATCH`] items.
    Batch,
    /// `eth_signTransaction`.
    JsonRpc,
}

/// What a stage asks for.
#[derive(Clone, Debug)]
pub(super) struct Work {
    pub(super) kind: Kind,
    pub(super) form: Form,
    pub(super) signer: Signer,
}

/// The wallet's default accounts.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    evm: String,
    solana: [u8; 32],
}

/// Answers that were no signatures, and a sample of those that were.
#[derive(Debug, Default)]
pub(super) struct Checks {
    noted: u64,
    errors: u64,
    first_error: Option<String>,
    sample: Vec<(u64, Vec<u8>)>,
}

impl Signer {
    /// From the answer to `POST /v1/wallets`.
    pub(super) fn of_wallet(wallet: &Value) -> Result<Self, Error> {
        let address = |curve: usize, family: &str| {
            let address = wallet["accounts"][curve]["addresses"][family].as_str();
            address.ok_or_else(|| format!("a wallet without addresses: {wallet}"))
        };
        Ok(Self { evm: address(0, "evm")?.to_owned(), solana: solana::key(address(1, "solana")?)? })
    }
}

impl Work {
    /// Signatures that one request asks for.
    pub(super) fn signatures(&self) -> u64 {
        if self.form == Form::Batch { BATCH } else { 1 }
    }

    pub(super) fn path(&self) -> String {
        match self.form {
            Form::Single => format!("/v1/wallets/{WALLET}/sign"),
            Form::Batch => "/v1/batch".to_owned(),
            Form::JsonRpc => format!("/v1/wallets/{WALLET}/rpc/1"),
        }
    }

    /// The body of the request with this number.
    pub(super) fn body(&self, number: u64) -> Vec<u8> {
        match self.form {
            Form::Single => self.item(number, "").into_bytes(),
            Form::Batch => {
                let wallet = format!(r#""wallet":"{WALLET}","#);
                let items: Vec<String> =
                    (0..BATCH).map(|index| self.item(number * BATCH + index, &wallet)).collect();
                format!(r#"{{"items":[{}]}}"#, items.join(",")).into_bytes()
            }
            Form::JsonRpc => {
                let transaction = self.evm_transaction(number);
                format!(
                    r#"{{"jsonrpc":"2.0","id":{number},"method":"eth_signTransaction","params":[{transaction}]}}"#
                )
                .into_bytes()
            }
        }
    }

    /// A sign request; `wallet` is the member that items of a batch have.
    fn item(&self, number: u64, wallet: &str) -> String {
        match self.kind {
            Kind::EvmTransaction => {
                let transaction = self.evm_transaction(number);
                format!(r#"{{{wallet}"type":"evm.transaction","transaction":{transaction}}}"#)
            }
            Kind::SolanaTransaction => {
                let transaction = STANDARD.encode(solana::with_signature(&[0; 64], &self.message(number)));
                format!(r#"{{{wallet}"type":"solana.transaction","transaction":"{transaction}"}}"#)
            }
        }
    }

    fn evm_transaction(&self, number: u64) -> String {
        let quantity = |value: u64| match self.form {
            Form::JsonRpc => format!("{value:#x}"),
            Form::Single | Form::Batch => value.to_string(),
        };
        let (value, fee, tip) =
            (quantity(FIRST_VALUE + number), quantity(20_000_000_000), quantity(1_000_000_000));
        format!(
            r#"{{"chainId":"0x1","nonce":"0x7","to":"0x{}","value":"{value}","gas":"0x5208","maxFeePerGas":"{fee}","maxPriorityFeePerGas":"{tip}"}}"#,
            hex::encode(RECIPIENT),
        )
    }

    fn message(&self, number: u64) -> Vec<u8> {
        solana::transfer_message(&self.signer.solana, &[0x35; 32], &[0x11; 32], FIRST_VALUE + number)
    }

    /// Whether every signature of an answer is the wallet's, over what was asked for.
    fn verify(&self, number: u64, answer: &[u8]) -> Result<u64, Error> {
        let answer: Value = serde_json::from_slice(answer)?;
        match self.form {
            Form::Single => self.verify_one(number, &answer)?,
            Form::JsonRpc => self.verify_one(number, &json!({"signed_transaction": answer["result"]}))?,
            Form::Batch => {
                let items = answer["items"].as_array().ok_or("no items")?;
                for (number, item) in (number * BATCH..).zip(items) {
                    self.verify_one(number, &item["result"])?;
                }
            }
        }
        Ok(self.signatures())
    }

    fn verify_one(&self, number: u64, answer: &Value) -> Result<(), Error> {
        let text = |name: &str| answer[name].as_str().ok_or_else(|| format!("no {name}: {answer}"));
        match self.kind {
            Kind::EvmTransaction => {
                let bytes = hex::decode(text("signed_transaction")?.trim_start_matches("0x"))?;
                let signed = evm::Signed::parse(&bytes)?;
                let value = u128::from(FIRST_VALUE + number);
                let asked = signed.chain_id == 1 && signed.to == RECIPIENT && signed.value == value;
                let sender = format!("0x{}", hex::encode(signed.sender()?));
                if !asked || sender != self.signer.evm.to_ascii_lowercase() {
                    return Err(format!("another transaction or signer: {answer}").into());
                }
            }
            Kind::SolanaTransaction => {
                let signature = solana::signature(text("signature")?)?;
                solana::verify(&self.signer.solana, &self.message(number), &signature)?;
            }
        }
        Ok(())
    }

    /// What keeps an answer from being nothing but signatures. All answers are looked at, so this is
    /// no more than a search.
    fn complaint(&self, status: u16, answer: &[u8]) -> Option<&'static str> {
        let count = |part: &str| answer.windows(part.len()).filter(|bytes| *bytes == part.as_bytes()).count();
        match self.form {
            _ if status != 200 => Some("not 200"),
            Form::Single => None,
            Form::JsonRpc => (!answer.starts_with(br#"{"jsonrpc":"2.0","#) || count(r#""error":"#) > 0)
                .then_some("an error in JSON-RPC"),
            Form::Batch => (count(r#"{"status":200,"#) as u64 != BATCH).then_some("not every item is 200"),
        }
    }
}

impl Checks {
    /// Looks at an answer.
    pub(super) fn note(&mut self, work: &Work, number: u64, status: u16, answer: &[u8]) {
        if let Some(complaint) = work.complaint(status, answer) {
            self.errors += 1;
            let start: String = String::from_utf8_lossy(answer).chars().take(SHOWN).collect();
            self.first_error.get_or_insert_with(|| format!("{complaint}: {status} {start}"));
        } else if self.noted.is_multiple_of(SAMPLE) {
            self.sample.push((number, answer.to_vec()));
        }
        self.noted += 1;
    }

    /// Something that was not even an answer.
    pub(super) fn fail(&mut self, what: &impl fmt::Display) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| what.to_string());
    }

    pub(super) fn join(&mut self, other: Self) {
        self.noted += other.noted;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.sample.extend(other.sample);
    }

    /// Verifies the sample. Returns signatures verified, errors, and the first of these.
    pub(super) fn verify(mut self, work: &Work) -> (u64, u64, Option<String>) {
        let mut verified = 0;
        for (number, answer) in std::mem::take(&mut self.sample) {
            match work.verify(number, &answer) {
                Ok(signatures) => verified += signatures,
                Err(error) => self.fail(&error),
            }
        }
        (verified, self.errors, self.first_error)
    }
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::EvmTransaction, Self::SolanaTransaction];

    /// The API's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EvmTransaction => "evm.transaction",
            Self::SolanaTransaction => "solana.transaction",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| format!("write one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}
