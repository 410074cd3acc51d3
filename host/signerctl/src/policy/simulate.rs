//! `signerctl policy simulate`: what a bundle would say to a request.

mod demands;
mod request;
#[cfg(test)]
mod tests;
mod trace;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use signer_rules::{
    bundle::{Bundle, Operation, Origin, WalletId},
    chain::{evm::EvmAddress, solana::SolanaAddress},
    name::Name,
    policy::{Decision, Judgement, Policy, amounts},
    timestamp::Timestamp,
};
use signer_terminal::{EXIT_FAILED, Failure, Report, Style, Terminal, fields, files};

use super::{BundleFile, init::parse_time};
use crate::approve;
use demands::Candidate;
use request::Asked;

/// Try a request on a bundle: would it be allowed, and by which rule?
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl policy simulate policy.json --client backend --request request.json\n  \
    signerctl policy simulate policy.json --client backend --request request.json \\\n      \
        --wallet w_0123456789abcdef0123456789abcdef --address 0x9858EfFD232B4033E47d90003D41EC34EcaEda94\n  \
    signerctl policy simulate policy.json --client backend --operation wallet.create\n\n\
    The request is the body of a sign request, a batch, or a transaction in hex or base64 (see explain).\n\
    The enclave's own code reads and judges it. What limits, approvals and nonces demand is shown: only an\n\
    enclave knows what was signed before. A limit that the request breaks all alone does count.\n\n\
    Exit status: 0 allowed, if what the deciding rule demands holds; 1 denied (of a batch: any item), or\n\
    the request would be rejected; 2 wrong usage.")]
pub(crate) struct SimulateArgs {
    /// The bundle, signed or not.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    client: Name,
    /// What is asked; - reads standard input.
    #[arg(long, value_name = "REQUEST.json|-", required_unless_present = "operation")]
    request: Option<PathBuf>,
    /// What the request is, if its form does not tell.
    #[arg(long = "type", value_name = "TYPE", requires = "request")]
    kind: Option<String>,
    /// In place of a request: an operation that signs nothing, such as wallet.create.
    #[arg(long, value_name = "OPERATION", value_parser = parse_operation, conflicts_with = "request")]
    operation: Option<Operation>,
    /// The wallet's id. Without it rules about certain wallets do not match.
    #[arg(long, value_name = "w_...")]
    wallet: Option<WalletId>,
    /// Where the wallet's keys come from.
    #[arg(long, value_name = "hd|imported", default_value = "hd", value_parser = parse_origin)]
    origin: Origin,
    /// The signing account's EVM address, which rules call "self".
    #[arg(long, value_name = "0x...")]
    address: Option<EvmAddress>,
    /// The signing account's Solana address, which rules call "self".
    #[arg(long, value_name = "BASE58")]
    solana_address: Option<SolanaAddress>,
    /// The only role that the client's session has.
    #[arg(long, value_name = "NAME")]
    role: Option<Name>,
    /// When: a time such as 2026-01-31T12:00:00Z, or now.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = parse_time)]
    at: Timestamp,
    #[command(flatten)]
    http: HttpArgs,
}

/// The HTTP request that approvals are for.
#[derive(Args)]
struct HttpArgs {
    /// The path that the request goes to, to show the digest that approvals sign.
    #[arg(long, value_name = "PATH", requires = "request")]
    path: Option<String>,
    /// Its method.
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    method: String,
}

/// What came of one request.
struct Outcome<'a> {
    asked: &'a Asked,
    decision: Decision,
    candidates: Vec<Candidate>,
    trace: trace::Trace,
}

pub(super) fn run(args: &SimulateArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let file = BundleFile::read(&args.file)?;
    let bundle = file.bundle;
    let client = client(&bundle, &args.client)?;
    if let Some(role) = args.role.as_ref().filter(|role| !client.roles.contains(role)) {
        return Err(Failure::new(format!("client {} does not have the role {role}", args.client)));
    }
    let policy = Policy::new(&bundle);
    let (asked, body) = requests(args)?;
    let mut parts = vec![fields(&[
        ("policy", format!("version {}, digest {}", bundle.version, file.digest)),
        ("client", super::client_text(client)),
        ("at", args.at.to_string()),
    ])];
    if let (Some(path), Some(body)) = (&args.http.path, &body) {
        parts.push(fields(&[("request digest", approve::digest(&args.http.method, path, body).to_string())]));
    }
    let mut outcomes = Vec::new();
    for asked in &asked {
        if asked.wallet.is_none() && about_wallets(&bundle) {
            terminal.warn("no --wallet was given: rules about certain wallets do not match");
        }
        outcomes.push(judge(&policy, &bundle, args, asked));
    }
    let style = terminal.style();
    parts.extend(outcomes.iter().map(|outcome| outcome.text(style)));
    let allowed = outcomes.iter().all(Outcome::allowed);
    let json = json!({
        "allowed": allowed, "policy_digest": file.digest, "at": args.at, "client": args.client,
        "requests": outcomes.iter().map(Outcome::to_json).collect::<Vec<_>>(),
    });
    Ok(Report { human: parts.join("\n\n"), json, exit: if allowed { 0 } else { EXIT_FAILED } })
}

fn client<'a>(bundle: &'a Bundle, name: &Name) -> Result<&'a signer_rules::bundle::Client, Failure> {
    bundle.clients.iter().find(|client| client.id == *name).ok_or_else(|| {
        let names: Vec<&str> = bundle.clients.iter().take(20).map(|client| client.id.as_str()).collect();
        Failure::new(format!("the bundle has no client {name}"))
            .hint(format!("its clients: {}", if names.is_empty() { "none".into() } else { names.join(", ") }))
    })
}

fn requests(args: &SimulateArgs) -> Result<(Vec<Asked>, Option<Vec<u8>>), Failure> {
    if let Some(operation) = args.operation {
        if operation.signs() {
            return Err(Failure::usage(format!("{} signs something", operation.as_str()))
                .hint("give what is to be signed with --request"));
        }
        return Ok((vec![Asked::operation(operation, args.wallet)], None));
    }
    let path = args.request.as_deref().ok_or_else(|| Failure::usage("give --request or --operation"))?;
    let body = files::read_or_stdin(path)?;
    let asked = Asked::read(&body, args.kind.as_deref(), args.wallet, args.address, args.solana_address)?;
    Ok((asked, Some(body)))
}

fn judge<'a>(policy: &Policy, bundle: &Bundle, args: &SimulateArgs, asked: &'a Asked) -> Outcome<'a> {
    let query = asked.query(args);
    let (decision, candidates) = match policy.judge(&query) {
        Judgement::Denied(decision) => (decision, Vec::new()),
        Judgement::Candidates(rules) => {
            let amounts = asked.facts.as_ref().map(amounts);
            let candidates: Vec<Candidate> =
                rules.iter().map(|rule| Candidate::new(rule, asked, amounts.as_ref())).collect();
            let decides = candidates.iter().find(|candidate| candidate.obstacle.is_none());
            let decision =
                decides.map_or(Decision::NotAllowed, |candidate| Decision::Allowed(candidate.rule.clone()));
            (decision, candidates)
        }
    };
    Outcome { asked, decision, candidates, trace: trace::Trace::of(bundle, &query) }
}

impl Outcome<'_> {
    fn allowed(&self) -> bool {
        self.decision.is_allowed()
    }

    fn text(&self, style: Style) -> String {
        let title = format!("{}\n{}", style.bold(&self.asked.title), self.verdict(style));
        let mut parts = vec![title];
        if !self.candidates.is_empty() {
            let lines =
                self.candidates.iter().zip(1..).map(|(candidate, number)| candidate.text(number, style));
            let title =
                "The rules that allow it, in order; the first whose demands are met decides:".to_owned();
            parts.push(std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n"));
        }
        parts.push(self.trace.text(style));
        parts.join("\n\n")
    }

    fn verdict(&self, style: Style) -> String {
        match &self.decision {
            Decision::Allowed(rule) => {
                let demands =
                    self.candidates.iter().any(|found| found.rule == *rule && found.demands_something());
                let condition = if demands { ", if its demands are met" } else { "" };
                style.good(&format!("ALLOWED by rule {rule}{condition}"))
            }
            Decision::DeniedBy(rule) => style.bad(&format!("DENIED by rule {rule}")),
            Decision::NotAllowed if self.candidates.is_empty() => style.bad("DENIED: no rule allows it"),
            Decision::NotAllowed => style.bad("DENIED: the request alone is more than the limits allow"),
            Decision::NotYetInForce => style.bad("DENIED: the policy is not in force yet"),
            Decision::Expired => style.bad("DENIED: the policy has expired"),
        }
    }

    fn to_json(&self) -> Value {
        let reason = match self.decision {
            Decision::Allowed(_) => "allowed",
            Decision::DeniedBy(_) => "denied_by_rule",
            Decision::NotAllowed if self.candidates.is_empty() => "no_rule_allows",
            Decision::NotAllowed => "limit",
            Decision::NotYetInForce => "not_yet_in_force",
            Decision::Expired => "expired",
        };
        json!({
            "operation": self.asked.operation.as_str(), "allowed": self.allowed(), "reason": reason,
            "rule": self.decision.rule(),
            "candidates": self.candidates.iter().map(Candidate::to_json).collect::<Vec<_>>(),
            "rules": self.trace.to_json(),
        })
    }
}

fn about_wallets(bundle: &Bundle) -> bool {
    bundle.rules.iter().any(|rule| rule.wallets.is_some())
}

fn parse_operation(text: &str) -> Result<Operation, String> {
    Operation::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
        format!("write one of {}", names.join(", "))
    })
}

fn parse_origin(text: &str) -> Result<Origin, &'static str> {
    [Origin::Hd, Origin::Imported]
        .into_iter()
        .find(|origin| origin.as_str() == text)
        .ok_or("write hd or imported")
}
