//! `signerctl approve`: agree to one request, after having seen it.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::json;
use signer_eif::options::now_ms;
use signer_rules::{
    approval::{self, Approval},
    authority::AdminKey,
    bundle::{Approvals, Approver, SignedBundle},
    chain,
    dsse::Envelope,
    hex_bytes::HexBytes,
    name::Name,
    request_digest::request_digest,
    timestamp::Timestamp,
};
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Terminal,
    envelope::{self, EnvelopeFile, Signatures},
    fields,
    files::{self, Access, OutputArgs},
    http::Headers,
    keys::AdminSecret,
};

use crate::{
    config,
    explain::{self, Given},
    policy,
    session::parse_duration,
    wallet::parse_wallet,
};

/// Agree to one request, after having seen it.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl approve --request request.json --wallet treasury --client backend --rule large-payments \\\n      \
        --policy policy.json --config config.json --key alice.pem --output approval.json\n  \
    signerctl approve --request request.json --wallet treasury --client backend --rule large-payments \\\n      \
        --policy policy.json --config config.json --key bob.pem --add-to approval.json\n  \
    signerctl sign treasury request.json --url URL --approval approval.json\n\n\
    An approval is for these very bytes of the request, sent to this path by this client, under this rule\n\
    of this policy, until it expires. It can be used more than once until then.\n\n\
    Exit status: 0 signed; 1 not signed; 2 wrong usage, or nobody to ask.")]
pub(crate) struct ApproveArgs {
    /// The body of the request, byte by byte as it will be sent.
    #[arg(long, value_name = "REQUEST.json")]
    request: PathBuf,
    /// The wallet that is to sign: its name or id as the request's path has it.
    #[arg(long, value_name = "NAME|ID", value_parser = parse_wallet, required_unless_present = "path")]
    wallet: Option<String>,
    /// The request's path, if it is not /v1/wallets/WALLET/sign.
    #[arg(long, value_name = "PATH", conflicts_with = "wallet")]
    path: Option<String>,
    /// The request's method.
    #[arg(long, value_name = "METHOD", default_value = "POST")]
    method: String,
    /// Who will ask.
    #[arg(long, value_name = "NAME")]
    client: Name,
    /// The rule that demands approval.
    #[arg(long, value_name = "ID")]
    rule: Name,
    /// The policy bundle in force, signed by its quorum.
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The configuration of the appliance, signed by its quorum.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The approver's private key.
    #[arg(long, value_name = "FILE.pem")]
    key: PathBuf,
    /// How long it can be used: seconds, or a number with s, m or h. By default an hour, or less if the rule
    /// allows less; and always a minute less than the rule allows, for clocks that differ.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "add_to")]
    expires_in: Option<u64>,
    /// The file to write.
    #[arg(long, short, value_name = "FILE", required_unless_present = "add_to")]
    output: Option<PathBuf>,
    /// Overwrite the file if it is there.
    #[arg(long)]
    force: bool,
    /// Another approver's approval of the same request, to add the signature to. Rewritten if there is no --output.
    #[arg(long, value_name = "FILE")]
    add_to: Option<PathBuf>,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

/// How long an approval can be used if the approver does not say, in seconds.
const DEFAULT_S: u64 = 3600;
/// How far an enclave's clock may be behind the approver's, in seconds.
const BEHIND_S: u64 = 60;
/// The header that carries an approval.
const HEADER: &str = "signer-approval";

pub(crate) fn run(args: &ApproveArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let configuration = config::read_signed(&args.config)?;
    let signed = SignedBundle::verify(&files::read(&args.policy)?, &configuration)
        .map_err(|error| Failure::new(format!("{}: {error}", args.policy.display())))?;
    let key = AdminSecret::read(&args.key)?;
    let demand = Demand::of(args, &signed, &key.public())?;
    let body = files::read(&args.request)?;
    let path = path(args)?;
    let wanted = Approval {
        format: approval::FORMAT.to_owned(),
        authority: configuration.authority,
        client: args.client.clone(),
        request_digest: digest(&args.method, &path, &body),
        rule: args.rule.clone(),
        policy_digest: signed.digest,
        not_after: demand.not_after(args)?,
    };
    let (mut envelope, wanted) = match &args.add_to {
        Some(file) => earlier(file, &wanted, demand.approvals)?,
        None => (wanted.unsigned().map_err(Failure::new)?, wanted),
    };
    let shown = seen(args, terminal, &body, &path, &wanted, &demand)?;
    if args.yes {
        terminal.explain(&shown);
    } else if !terminal.ask(&shown, "Sign this approval?", "read the request, then give --yes")? {
        return Err(Failure::new("not signed").with_exit(EXIT_FAILED));
    }
    key.sign(&mut envelope).map_err(Failure::new)?;
    write(args, &envelope)?;
    report(args, &envelope, &wanted, &demand, terminal)
}

/// What the rule demands, and who answers it.
struct Demand<'a> {
    approvals: &'a Approvals,
    approver: &'a Name,
    approvers: Vec<AdminKey>,
    line: String,
}

impl<'a> Demand<'a> {
    fn of(args: &ApproveArgs, signed: &'a SignedBundle, key: &AdminKey) -> Result<Self, Failure> {
        let bundle = &signed.bundle;
        if !bundle.clients.iter().any(|client| client.id == args.client) {
            return Err(Failure::new(format!("the policy has no client {}", args.client)));
        }
        let rule = bundle.rules.iter().find(|rule| rule.id == args.rule).ok_or_else(|| {
            Failure::new(format!("the policy has no rule {}", args.rule))
                .hint(format!("list the rules: signerctl policy check {}", args.policy.display()))
        })?;
        let approvals = rule
            .approvals
            .as_ref()
            .ok_or_else(|| Failure::new(format!("rule {} demands no approval", args.rule)))?;
        let of: Vec<&Approver> =
            bundle.approvers.iter().filter(|approver| approvals.of.contains(&approver.id)).collect();
        let approver = of.iter().find(|approver| approver.public_key == *key).ok_or_else(|| {
            let names: Vec<&str> = approvals.of.iter().map(Name::as_str).collect();
            Failure::new(format!("the key is of nobody whose approval rule {} counts", args.rule))
                .hint(format!("they are: {}", names.join(", ")))
        })?;
        Ok(Self {
            approvals,
            approver: &approver.id,
            approvers: of.iter().map(|approver| approver.public_key.clone()).collect(),
            line: policy::line(rule),
        })
    }

    fn not_after(&self, args: &ApproveArgs) -> Result<Timestamp, Failure> {
        let longest = u64::from(self.approvals.longest_s);
        let seconds = args.expires_in.unwrap_or(DEFAULT_S.min(longest));
        if seconds > longest {
            return Err(Failure::usage(format!("--expires-in: the rule allows {longest} s at most")));
        }
        // An enclave whose clock is behind would take the whole of it for too long.
        let margin = BEHIND_S.min(longest / 4);
        let seconds = seconds.min(longest.saturating_sub(margin));
        Ok(Timestamp::from_seconds((now_ms() / 1000).saturating_add(seconds)))
    }
}

fn path(args: &ApproveArgs) -> Result<String, Failure> {
    match (&args.path, &args.wallet) {
        (Some(path), _) if path.starts_with('/') => Ok(path.clone()),
        (Some(_), _) => Err(Failure::usage("--path: a path starts with /")),
        (None, Some(wallet)) => Ok(format!("/v1/wallets/{wallet}/sign")),
        (None, None) => Err(Failure::usage("give --wallet or --path")),
    }
}

/// What names a request; the path may have a query.
pub(crate) fn digest(method: &str, path: &str, body: &[u8]) -> HexBytes<32> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    request_digest(method, path, query, body)
}

/// Somebody's approval of the same thing, which may expire at another time.
fn earlier(path: &Path, wanted: &Approval, approvals: &Approvals) -> Result<(Envelope, Approval), Failure> {
    let failed = |text: &str| Failure::new(format!("{}: {text}", path.display()));
    let file = EnvelopeFile::read(path, approval::PAYLOAD_TYPE)?;
    let earlier: Approval =
        serde_json::from_slice(file.unverified_payload()).map_err(|error| failed(&error.to_string()))?;
    if earlier != (Approval { not_after: earlier.not_after, ..wanted.clone() }) {
        return Err(failed("the approval is of another request, client, rule or policy")
            .hint("approve anew with --output"));
    }
    let left = earlier.not_after.seconds().saturating_sub(now_ms() / 1000);
    if left == 0 || left > u64::from(approvals.longest_s) {
        return Err(failed(&format!("the approval is until {}", earlier.not_after))
            .hint("approve anew with --output"));
    }
    Ok((file.envelope().clone(), earlier))
}

/// Everything that the approver has to see.
fn seen(
    args: &ApproveArgs,
    terminal: &Terminal,
    body: &[u8],
    path: &str,
    approval: &Approval,
    demand: &Demand<'_>,
) -> Result<String, Failure> {
    let style = terminal.style();
    let text = std::str::from_utf8(body).map_err(|_| Failure::usage("the request is not text"))?;
    let mut parts = Vec::new();
    for given in Given::read_all(text.trim(), None)? {
        let facts =
            chain::describe(&given.kind, &given.body()).map_err(|rejection| explain::rejected(&rejection))?;
        parts.push(explain::full(&given, &facts, style)?);
    }
    parts.push(fields(&[
        ("request", format!("{} {}", args.method, signer_terminal::clean(path))),
        ("request digest", approval.request_digest.to_string()),
        ("asked by", args.client.to_string()),
        ("under rule", demand.line.clone()),
        ("approved by", demand.approver.to_string()),
        ("until", approval.not_after.to_string()),
    ]));
    Ok(parts.join("\n\n"))
}

fn write(args: &ApproveArgs, envelope: &Envelope) -> Result<(), Failure> {
    let json = envelope::json(envelope)?;
    match (&args.output, &args.add_to) {
        (Some(output), _) => {
            OutputArgs { output: output.clone(), force: args.force }.write(json.as_bytes(), Access::Public)
        }
        (None, Some(file)) => files::replace(file, json.as_bytes(), Access::Public),
        (None, None) => Err(Failure::usage("give --output")),
    }
}

fn report(
    args: &ApproveArgs,
    envelope: &Envelope,
    approval: &Approval,
    demand: &Demand<'_>,
    terminal: &Terminal,
) -> Result<Report, Failure> {
    let needed = demand.approvals.threshold;
    let signatures = Signatures::of(envelope, approval::PAYLOAD_TYPE, &demand.approvers, usize::from(needed));
    let file = args.output.as_ref().or(args.add_to.as_ref());
    let file = file.map(|path| path.display().to_string()).unwrap_or_default();
    let count = format!("{} of the {needed} needed", signatures.valid());
    let style = terminal.style();
    let count = if signatures.complete() { style.good(&count) } else { style.caution(&count) };
    let header = header(envelope)?;
    let human = format!(
        "{}\n\n{}: {}",
        fields(&[("file", file.clone()), ("approvals", count), ("until", approval.not_after.to_string())]),
        header.0,
        header.1
    );
    let json = json!({
        "file": file, "request_digest": approval.request_digest, "not_after": approval.not_after,
        "approvals": signatures.valid(), "needed": needed, "complete": signatures.complete(),
        "header": { "name": header.0, "value": header.1 },
    });
    Ok(Report::new(human, json))
}

/// The header that carries an approval.
fn header(envelope: &Envelope) -> Result<(&'static str, String), Failure> {
    let json = serde_json::to_vec(envelope).map_err(Failure::new)?;
    Ok((HEADER, STANDARD.encode(json)))
}

/// The headers of a request that goes with the approval in this file, if there is one.
pub(crate) fn headers(file: Option<&Path>) -> Result<Headers, Failure> {
    let Some(path) = file else { return Ok(Headers::new()) };
    Ok(vec![header(EnvelopeFile::read(path, approval::PAYLOAD_TYPE)?.envelope())?])
}

#[cfg(test)]
#[path = "approve_tests.rs"]
mod tests;
