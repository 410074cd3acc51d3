//! The forms in which something to be signed comes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;
use signer_rules::chain::{SignBody, facts};

use super::signed;
use signer_terminal::{Failure, clean};

/// What was given, and what it is taken for.
pub(crate) struct Given {
    /// The operation.
    pub(crate) kind: String,
    /// Whether it is a signed transaction. Its members are those of the unsigned one.
    pub(crate) signed: bool,
    request: Request,
}

/// A sign request as the API takes it, and as its batches do: with the wallet inside.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    r#type: Option<String>,
    wallet: Option<String>,
    path: Option<String>,
    address: Option<String>,
    transaction: Option<Box<RawValue>>,
    unsigned: Option<String>,
    authorization: Option<Box<RawValue>>,
    typed_data: Option<Box<RawValue>>,
    message: Option<String>,
    text: Option<String>,
    digest: Option<String>,
}

impl Given {
    /// Tells the form of `text`. `kind` overrides what the form says.
    pub(crate) fn read(text: &str, kind: Option<&str>) -> Result<Self, Failure> {
        if text.starts_with('{') {
            return Self::json(text, kind);
        }
        if text.starts_with("0x") {
            return Self::bare(text, kind.unwrap_or(facts::EVM_TRANSACTION));
        }
        if !text.is_empty() && STANDARD.decode(text).is_ok() {
            return Self::bare(text, kind.unwrap_or(facts::SOLANA_TRANSACTION));
        }
        Err(Failure::usage("this is neither a JSON object nor 0x-hex nor base64")
            .hint("see signerctl explain --help for what can be explained"))
    }

    /// The requests that a text holds: the items of a batch, or one in any form.
    pub(crate) fn read_all(text: &str, kind: Option<&str>) -> Result<Vec<Self>, Failure> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Batch<'a> {
            #[serde(borrow)]
            items: Vec<&'a RawValue>,
        }
        let items = match serde_json::from_str::<Batch<'_>>(text) {
            Ok(batch) => batch.items,
            Err(_) => return Ok(vec![Self::read(text, kind)?]),
        };
        items.iter().map(|item| Self::json(item.get(), kind)).collect()
    }

    /// The wallet that the request names, if it is an item of a batch.
    pub(crate) fn wallet(&self) -> Option<&str> {
        self.request.wallet.as_deref()
    }

    fn json(text: &str, kind: Option<&str>) -> Result<Self, Failure> {
        let request: Request = serde_json::from_str(text).map_err(|error| {
            Failure::new(format!("this is not a sign request: {}", clean(&error.to_string())))
                .hint("write {\"type\": \"evm.transaction\", \"transaction\": {...}}")
        })?;
        let kind = kind
            .map(str::to_owned)
            .or_else(|| request.r#type.clone())
            .ok_or_else(|| Failure::new("this does not say its type").hint("add \"type\", or give --type"))?;
        Ok(Self { kind, signed: false, request })
    }

    /// Hex or base64, in the member in which a request of this kind carries it.
    fn bare(text: &str, kind: &str) -> Result<Self, Failure> {
        let mut request = Request::default();
        let mut signed = false;
        let owned = Some(text.to_owned());
        match kind {
            facts::EVM_TRANSACTION => {
                let unsigned = signed::without_signature(text);
                signed = unsigned.is_some();
                request.unsigned = unsigned.or(owned);
            }
            facts::SOLANA_TRANSACTION => {
                let value = serde_json::value::to_raw_value(text).map_err(Failure::new)?;
                request.transaction = Some(value);
            }
            facts::RAW_DIGEST => request.digest = owned,
            facts::EVM_MESSAGE | facts::SOLANA_OFFCHAIN_MESSAGE | facts::RAW_MESSAGE => {
                request.message = owned;
            }
            _ => {
                let message = format!("{kind} takes a JSON object");
                return Err(Failure::usage(message).hint("give the body of a sign request"));
            }
        }
        Ok(Self { kind: kind.to_owned(), signed, request })
    }

    /// The members that say what is signed.
    pub(crate) fn body(&self) -> SignBody<'_> {
        let request = &self.request;
        SignBody {
            transaction: request.transaction.as_deref(),
            unsigned: request.unsigned.as_deref(),
            authorization: request.authorization.as_deref(),
            typed_data: request.typed_data.as_deref(),
            message: request.message.as_deref(),
            text: request.text.as_deref(),
            digest: request.digest.as_deref(),
            chain_id: None,
        }
    }

    /// Who is asked to sign, as far as the request says.
    pub(crate) fn asked(&self) -> Vec<(&'static str, String)> {
        let request = &self.request;
        let given = [("wallet", &request.wallet), ("path", &request.path), ("address", &request.address)];
        given.into_iter().filter_map(|(label, value)| Some((label, clean(value.as_ref()?)))).collect()
    }
}
