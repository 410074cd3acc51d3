//! One question, asked of both evaluators.

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use signer_rules::bundle::{Bundle, Operation, Origin};
use signer_rules::chain::facts::ChainScope;
use signer_rules::chain::{self, Facts, Rejection, SignBody, Signer};
use signer_rules::policy::{Decision, Judgement, Policy, Query};

use super::naive::{self, Ask, Verdict};

/// A request, and what is known of it.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it is decided, RFC 3339.
    pub now: String,
    /// Who asks.
    pub client: String,
    /// The operation's name.
    pub operation: String,
    /// The wallet's id.
    pub wallet: String,
    /// `hd` or `imported`.
    pub origin: String,
    /// What would be signed, with the members of the API; `{}` for operations that sign nothing.
    pub body: Value,
    /// What the parser says of the body.
    pub facts: Option<Facts>,
    /// Who would sign.
    pub signer: Signer,
}

impl Request {
    /// What the naive evaluator takes. `facts` are [`Self::facts`] in JSON.
    pub fn ask<'a>(&'a self, facts: Option<&'a Value>, accounts: &'a Accounts) -> Ask<'a> {
        Ask {
            now: &self.now,
            client: &self.client,
            operation: &self.operation,
            wallet: &self.wallet,
            origin: &self.origin,
            facts,
            evm_account: accounts.evm.as_deref(),
            solana_account: accounts.solana.as_deref(),
        }
    }

    /// [`Self::facts`] in JSON.
    pub fn facts_json(&self) -> Option<Value> {
        self.facts.as_ref().map(|facts| serde_json::to_value(facts).expect("facts are JSON"))
    }
}

/// The signer's addresses as text.
#[derive(Clone, Debug)]
pub struct Accounts {
    evm: Option<String>,
    solana: Option<String>,
}

impl Accounts {
    /// Those of a signer.
    pub fn of(signer: &Signer) -> Self {
        Self {
            evm: signer.evm_address.map(|address| address.to_string().to_lowercase()),
            solana: signer.ed25519.map(|key| bs58::encode(key).into_string()),
        }
    }
}

/// Parses the members of a sign request. Without a signer nobody need have a place in it.
pub fn parse(operation: &str, body: &Value, signer: Option<&Signer>) -> Result<Facts, Rejection> {
    let raw = |name: &str| body.get(name).map(|value| to_raw_value(value).expect("JSON"));
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let (transaction, authorization, typed_data) =
        (raw("transaction"), raw("authorization"), raw("typed_data"));
    let body = SignBody {
        transaction: transaction.as_deref(),
        unsigned: text("unsigned"),
        authorization: authorization.as_deref(),
        typed_data: typed_data.as_deref().map(|raw: &RawValue| raw),
        message: text("message"),
        text: text("text"),
        digest: text("digest"),
        chain_id: None,
    };
    match signer {
        Some(signer) => chain::parse(operation, &body, signer).map(|signable| signable.facts().clone()),
        None => chain::describe(operation, &body),
    }
}

/// The bundle as the enclave reads it.
pub fn bundle_of(bundle: &Value) -> Result<Bundle, String> {
    Bundle::from_json(bundle.to_string().as_bytes()).map_err(|error| error.to_string())
}

/// What the enclave's evaluator says.
pub fn by_the_enclave(policy: &Policy, request: &Request) -> Verdict {
    let client = request.client.parse().expect("a name");
    let query = query_of(request, &client, request.facts.as_ref());
    match policy.judge(&query) {
        Judgement::Denied(decision) => verdict_of(&decision),
        Judgement::Candidates(rules) => {
            Verdict::Candidates(rules.iter().map(|rule| rule.id().to_string()).collect())
        }
    }
}

/// What the enclave says without looking at anything that it remembers: a denial, or the first candidate.
pub fn at_once(policy: &Policy, request: &Request) -> Verdict {
    let client = request.client.parse().expect("a name");
    verdict_of(&policy.decide(&query_of(request, &client, request.facts.as_ref())))
}

/// What the enclave would refuse before it has looked at what would be signed.
pub fn refused_beforehand(policy: &Policy, request: &Request) -> Option<Verdict> {
    let client = request.client.parse().expect("a name");
    policy.refusal(&query_of(request, &client, None)).map(|decision| verdict_of(&decision))
}

/// What the naive evaluator says.
pub fn by_reading(bundle: &Value, request: &Request) -> Verdict {
    let (facts, accounts) = (request.facts_json(), Accounts::of(&request.signer));
    naive::judge(bundle, &request.ask(facts.as_ref(), &accounts))
}

fn query_of<'a>(
    request: &'a Request,
    client: &'a signer_rules::name::Name,
    facts: Option<&'a Facts>,
) -> Query<'a> {
    Query {
        now: request.now.parse().expect("a time"),
        client,
        role: None,
        operation: Operation::from_name(&request.operation).expect("an operation"),
        wallet: request.wallet.parse().expect("a wallet's id"),
        origin: if request.origin == "imported" { Origin::Imported } else { Origin::Hd },
        chain: facts.map_or(ChainScope::None, Facts::chain),
        facts,
        account: request.signer.evm_address,
        solana_account: request.signer.ed25519.map(chain::solana::SolanaAddress::new),
    }
}

fn verdict_of(decision: &Decision) -> Verdict {
    match decision {
        Decision::Allowed(rule) => Verdict::Candidates(vec![rule.to_string()]),
        Decision::DeniedBy(rule) => Verdict::DeniedBy(rule.to_string()),
        Decision::NotAllowed => Verdict::NotAllowed,
        Decision::NotYetInForce => Verdict::NotYetInForce,
        Decision::Expired => Verdict::Expired,
    }
}
