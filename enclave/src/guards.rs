//! What decisions remember within a boot: how much was signed under each limit, and which transaction each nonce got.
//!
//! Both are looked at and noted in one turn, before anything is signed. What was noted stays, whatever becomes of the
//! signature afterwards: an answer that the host keeps back counts like any other.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use ruint::aliases::U256;
use signer_rules::{
    bundle::{AfterRestart, Bundle, Limit, LimitPer, Most, WalletId},
    chain::{
        Facts, SigningInput,
        evm::EvmAddress,
        facts::{EvmFees, EvmTransactionFacts},
    },
    limits::{LimitId, Limits, Reason, Refused, Scope, Wanted},
    name::Name,
    nonce_guard::{Candidate, NonceError, NonceGuard, NonceKey, Outcome},
    policy::{CompiledRule, amounts},
};

/// The memory of one boot.
pub struct Guards(Mutex<State>);

struct State {
    limits: Limits,
    nonces: NonceGuard,
}

/// The limits of a bundle's rules, by the names that their histories have.
#[derive(Debug, Default)]
pub struct LimitIds(HashMap<Name, Vec<LimitId>>);

/// What is to be signed, and for whom.
pub struct Intent<'a> {
    /// Now, in Unix milliseconds.
    pub now_ms: u64,
    /// Who asks.
    pub client: &'a Name,
    /// The wallet that signs.
    pub wallet: WalletId,
    /// The account that signs, by its address.
    pub account: &'a str,
    /// The account's EVM address, if it has one.
    pub evm_account: Option<EvmAddress>,
    /// What it is.
    pub facts: &'a Facts,
    /// The bytes.
    pub input: SigningInput<'a>,
    /// The limits of the bundle that decides.
    pub limits: &'a LimitIds,
}

/// What a rule demands beyond its conditions, and is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A limit is used up. Seconds until it may have room again, if that is known.
    LimitReached(Option<u64>),
    /// A limit is closed, because what was signed before is not known. Seconds until it opens.
    LimitClosed(Option<u64>),
    /// A limit counts what this request does not tell.
    Unmeasurable,
    /// The nonce got another transaction already.
    NonceConflict,
    /// No more limits or nonces can be remembered in this boot.
    Full,
    /// Nobody agreed to it.
    ApprovalRequired,
    /// The approval that came with it is not for this, or lacks approvers.
    ApprovalInvalid,
}

impl Guards {
    /// The memory of a boot that began at this time, in Unix milliseconds.
    pub fn new(started_ms: u64) -> Self {
        Self(Mutex::new(State { limits: Limits::new(started_ms), nonces: NonceGuard::new() }))
    }

    /// A bundle with these limits is in force from now on. To be called before it decides anything.
    pub fn in_force(&self, now_ms: u64, limits: &LimitIds) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.limits.in_force(now_ms, limits.0.values().flatten().copied());
    }

    /// Notes that this is signed under that rule, if the rule's use of nonces and its limits allow it.
    pub fn admit(&self, rule: &CompiledRule, intent: &Intent<'_>) -> Result<(), Obstacle> {
        let wanted = wanted(rule, intent)?;
        let transaction = transaction(intent);
        if wanted.is_empty() && transaction.is_none() {
            return Ok(());
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let claim = transaction.map(|(key, candidate)| state.nonces.check(&key, &candidate, rule.nonce()));
        let claim = claim.transpose()?;
        if claim.as_ref().is_some_and(|claim| claim.outcome() == Outcome::Same) {
            // These bytes were signed before: signing them again moves nothing more.
            return Ok(());
        }
        match state.limits.reserve(intent.now_ms, &wanted) {
            // Never given back: see above.
            Ok(_reserved) => Ok(()),
            Err(refused) => {
                if let Some(claim) = claim {
                    state.nonces.undo(claim);
                }
                Err(refused.into())
            }
        }
    }
}

impl LimitIds {
    /// Those of a bundle's rules.
    pub fn of(bundle: &Bundle) -> Self {
        let rules = bundle.rules.iter().filter(|rule| !rule.limits.is_empty());
        Self(rules.map(|rule| (rule.id.clone(), ids(&rule.id, &rule.limits))).collect())
    }
}

fn ids(rule: &Name, limits: &[Limit]) -> Vec<LimitId> {
    let json = |limit: &Limit| serde_json::to_vec(limit).unwrap_or_default();
    limits.iter().enumerate().map(|(index, limit)| LimitId::new(rule, index, &json(limit))).collect()
}

/// What the request takes of each of the rule's limits.
fn wanted(rule: &CompiledRule, intent: &Intent<'_>) -> Result<Vec<Wanted>, Obstacle> {
    if rule.limits().is_empty() {
        return Ok(Vec::new());
    }
    let ids = intent.limits.0.get(rule.id()).ok_or(Obstacle::LimitClosed(None))?;
    let amounts = amounts(intent.facts);
    let one = |(limit, id): (&Limit, &LimitId)| {
        let (most, amount) = match &limit.most {
            Most::Count(most) => (U256::from(*most), Some(U256::from(1))),
            Most::Native(most) => (most.0, amounts.native),
            Most::Fee(most) => (most.0, amounts.fee),
            Most::Token(token) => (token.amount.0, amounts.of_token(&token.id)),
        };
        let scope = match limit.per {
            LimitPer::Rule => Scope::Rule,
            LimitPer::Client => Scope::Client(intent.client),
            LimitPer::Wallet => Scope::Wallet(&intent.wallet.0.0),
            LimitPer::Account => Scope::Account(intent.account.as_bytes()),
        };
        Ok(Wanted {
            key: id.key(&scope),
            window_s: u64::from(limit.window_s),
            most,
            amount: amount.ok_or(Obstacle::Unmeasurable)?,
            after_restart_open: limit.after_restart == AfterRestart::Open,
        })
    };
    rule.limits().iter().zip(ids).map(one).collect()
}

/// The nonce that an EVM transaction uses, and for what.
fn transaction(intent: &Intent<'_>) -> Option<(NonceKey, Candidate)> {
    let (Facts::Evm(facts), Some(account), SigningInput::Prehash(hash)) =
        (intent.facts, intent.evm_account, intent.input)
    else {
        return None;
    };
    let EvmTransactionFacts { chain_id, nonce, fees, .. } = facts;
    let key = NonceKey { account, chain_id: *chain_id, nonce: *nonce };
    let (fee_cap, priority) = match *fees {
        EvmFees::GasPrice { gas_price } => (gas_price, gas_price),
        EvmFees::Dynamic { max_fee_per_gas, max_priority_fee_per_gas } => {
            (max_fee_per_gas, max_priority_fee_per_gas)
        }
    };
    Some((key, Candidate { hash, fee_cap, priority }))
}

impl From<NonceError> for Obstacle {
    fn from(error: NonceError) -> Self {
        match error {
            NonceError::Conflict => Self::NonceConflict,
            NonceError::Full => Self::Full,
        }
    }
}

impl From<Refused> for Obstacle {
    fn from(refused: Refused) -> Self {
        let after_s = refused.retry_after_ms.map(|ms| ms.div_ceil(1000));
        match refused.reason {
            Reason::Exceeded => Self::LimitReached(after_s),
            Reason::Closed | Reason::NotInForce => Self::LimitClosed(after_s),
            Reason::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use signer_rules::{
        bundle::{Operation, Origin},
        chain::{SignBody, Signer, parse},
        policy::{Judgement, Policy, Query},
    };

    use super::*;

    const DAY_MS: u64 = 86_400_000;
    const START_MS: u64 = 20_000 * DAY_MS;

    struct Scene {
        bundle: Bundle,
        policy: Policy,
        guards: Guards,
    }

    fn scene(rule: &Value) -> Scene {
        let mut all = json!({"id": "pay", "effect": "allow", "operations": ["evm.transaction"]});
        all.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
        let bundle = json!({
            "format": signer_rules::bundle::FORMAT, "authority": "00".repeat(32), "version": 1, "previous": null,
            "not_before": "2020-01-01T00:00:00Z", "expires": "2090-01-01T00:00:00Z",
            "least_configuration_epoch": 0, "keyrings": [], "clients": [{"id": "backend", "auth": "none"}],
            "wallet_groups": [], "rules": [all]
        });
        let bundle = Bundle::from_json(bundle.to_string().as_bytes()).unwrap();
        let guards = Guards::new(START_MS);
        guards.in_force(START_MS, &LimitIds::of(&bundle));
        Scene { policy: Policy::new(&bundle), bundle, guards }
    }

    impl Scene {
        fn admit(&self, now_ms: u64, nonce: u64, value: u64, fee: u64) -> Result<(), Obstacle> {
            let signer = Signer { evm_address: Some(EvmAddress::new([7; 20])), ed25519: None };
            let fields = serde_json::value::to_raw_value(&json!({
                "chainId": 1, "nonce": nonce, "to": "0x3535353535353535353535353535353535353535",
                "value": value.to_string(), "gas": "0x5208", "maxFeePerGas": fee.to_string(),
                "maxPriorityFeePerGas": fee.to_string()
            }));
            let fields = fields.unwrap();
            let body = SignBody { transaction: Some(&fields), ..SignBody::default() };
            let signable = parse("evm.transaction", &body, &signer).unwrap();
            let client = "backend".parse().unwrap();
            let wallet = WalletId(signer_rules::hex_bytes::HexBytes([1; 16]));
            let query = Query {
                now: signer_rules::timestamp::Timestamp::from_millis(now_ms),
                client: &client,
                role: None,
                operation: Operation::EvmTransaction,
                wallet,
                origin: Origin::Hd,
                chain: signable.facts().chain(),
                facts: Some(signable.facts()),
                account: signer.evm_address,
                solana_account: None,
            };
            let Judgement::Candidates(rules) = self.policy.judge(&query) else { panic!("denied") };
            let intent = Intent {
                now_ms,
                client: &client,
                wallet,
                account: "0x07",
                evm_account: signer.evm_address,
                facts: signable.facts(),
                input: signable.signing_input(),
                limits: &LimitIds::of(&self.bundle),
            };
            self.guards.admit(rules[0], &intent)
        }
    }

    #[test]
    fn a_limit_holds_and_the_same_transaction_is_free() {
        let limit =
            json!({"limits": [{"window_s": 3600, "most": {"native": "10"}, "after_restart": "open"}]});
        let scene = scene(&limit);
        assert_eq!(scene.admit(START_MS, 0, 6, 1), Ok(()));
        assert_eq!(scene.admit(START_MS, 0, 6, 1), Ok(()), "the same bytes");
        assert!(matches!(scene.admit(START_MS, 1, 5, 1), Err(Obstacle::LimitReached(_))));
        // What was refused has not taken the nonce.
        assert_eq!(scene.admit(START_MS, 1, 4, 1), Ok(()));
        assert_eq!(scene.admit(START_MS + 2 * 3_600_000, 2, 10, 1), Ok(()));
    }

    #[test]
    fn what_happened_before_the_boot_counts_as_everything() {
        let scene = scene(&json!({"limits": [{"window_s": 3600, "most": {"count": 2}}]}));
        assert!(matches!(scene.admit(START_MS + 1, 0, 1, 1), Err(Obstacle::LimitClosed(Some(_)))));
        assert_eq!(scene.admit(START_MS + 3_600_001, 0, 1, 1), Ok(()));
    }

    #[test]
    fn a_nonce_gets_one_transaction() {
        let guarded = scene(&json!({}));
        assert_eq!(guarded.admit(START_MS, 5, 1, 1), Ok(()));
        assert_eq!(guarded.admit(START_MS, 5, 1, 2), Err(Obstacle::NonceConflict));
        let replaceable = scene(&json!({"nonce": "replaceable"}));
        assert_eq!(replaceable.admit(START_MS, 5, 1, 2), Ok(()));
        assert_eq!(replaceable.admit(START_MS, 5, 1, 1), Err(Obstacle::NonceConflict));
        assert_eq!(replaceable.admit(START_MS, 5, 1, 3), Ok(()));
        let unguarded = scene(&json!({"nonce": "unguarded"}));
        assert_eq!(unguarded.admit(START_MS, 5, 1, 2), Ok(()));
        assert_eq!(unguarded.admit(START_MS, 5, 1, 1), Ok(()));
    }
}
