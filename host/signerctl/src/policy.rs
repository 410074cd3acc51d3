//! `signerctl policy`: policy bundles.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde_json::{Value, json, value::RawValue};
use signer_eif::options::now_ms;
use signer_rules::{
    bundle::{
        self, Bundle, Client, ClientAuth, FORMAT, Keyring, PAYLOAD_TYPE, Rule, SignedBundle, WalletGroup,
    },
    configuration::SignedConfiguration,
    dsse::Envelope,
    hex_bytes::HexBytes,
    timestamp::Timestamp,
};
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Style, Terminal,
    envelope::{self, EnvelopeFile, SignArgs},
    fields,
    files::{self, Access, OutputArgs},
    http::Server,
    keys::{self, AdminSecret},
};

use crate::{
    cli::ServerArgs,
    config::{self, require_admin, signatures},
    status,
};

const SECONDS_A_DAY: u64 = 86_400;
/// What `--not-before` is by default.
const A_MINUTE_AGO: &str = "a minute ago";
/// The lifetime of a bundle if the operator names none and the configuration allows it.
const DEFAULT_DAYS: u16 = 30;

/// How often the status is looked at after a push, five times a second.
const PATIENCE: u32 = 100;

/// Make, sign, check and push policy bundles.
#[derive(Subcommand)]
pub(crate) enum PolicyCommand {
    /// Write a new bundle that nobody has signed yet.
    Init(InitArgs),
    /// Add an admin's signature to a bundle.
    Sign(SignPolicyArgs),
    /// Show a bundle and who signed it.
    Show(ShowArgs),
    /// Send a bundle to a running enclave.
    Push(PushArgs),
}

/// Write a new bundle that nobody has signed yet.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl policy init --config config.json --version 1 --keyring default=FINGERPRINT \\\n      \
        --client backend:none --rules rules.json --output policy.json\n\n\
    rules.json, where everything that no rule allows is denied, and deny wins:\n  \
    [{\"id\": \"wallets\", \"effect\": \"allow\", \"operations\": [\"wallet.create\", \"wallet.read\"]},\n   \
     {\"id\": \"pay\", \"effect\": \"allow\", \"operations\": [\"evm.transaction\"], \"clients\": [\"backend\"],\n    \
      \"wallets\": [\"@hot\"], \"chain_ids\": [1, 8453]}]\n\n\
    groups.json:\n  [{\"id\": \"hot\", \"wallets\": [\"w_0123...\"]}]")]
pub(crate) struct InitArgs {
    /// The configuration of the appliance, signed by its quorum.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The bundle's version, higher than that of the bundle before.
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    number: u64,
    /// The bundle before, if there was one.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
    /// In force from then on: "now", or a time such as 2026-01-31T00:00:00Z. By default a minute ago:
    /// an enclave whose clock is behind would refuse a bundle of just now.
    #[arg(
        long, value_name = "TIME", default_value = A_MINUTE_AGO, hide_default_value = true,
        value_parser = parse_time
    )]
    not_before: Timestamp,
    /// In force for so many days: 30, or less if the configuration allows less.
    #[arg(long, value_name = "DAYS")]
    lifetime_days: Option<u16>,
    /// A keyring that the enclave opens, with the fingerprint that keyring create printed. Repeatable.
    #[arg(long = "keyring", value_name = "ID=FINGERPRINT", value_parser = parse_keyring)]
    keyrings: Vec<Keyring>,
    /// Who may ask, and how it proves who it is: "none" means not at all. Repeatable.
    #[arg(long = "client", value_name = "NAME:none", value_parser = parse_client)]
    clients: Vec<Client>,
    /// A JSON array of rules. Without it nothing is allowed.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// A JSON array of wallet groups, which rules name as @group.
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Add an admin's signature to a bundle.
#[derive(Args)]
pub(crate) struct SignPolicyArgs {
    #[command(flatten)]
    sign: SignArgs,
    /// The configuration, to check the bundle against it and to count signatures.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Show a bundle and who signed it.
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// The bundle.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The configuration, to check who signed: the exit status is 1 unless an enclave would accept the bundle.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Send a bundle to a running enclave.
#[derive(Args)]
#[command(after_help = "Example:\n  signerctl policy push policy.json --url http://127.0.0.1:8080")]
pub(crate) struct PushArgs {
    /// The bundle, signed by the quorum.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(command: &PolicyCommand, terminal: &Terminal) -> Result<Report, Failure> {
    match command {
        PolicyCommand::Init(args) => init(args, terminal),
        PolicyCommand::Sign(args) => sign(args, terminal.style()),
        PolicyCommand::Show(args) => show(args, terminal.style()),
        PolicyCommand::Push(args) => push(args, terminal.style()),
    }
}

fn init(args: &InitArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let configuration = config::read_signed(&args.config)?;
    let previous = previous(args, &configuration, terminal)?;
    let bundle = Bundle {
        format: FORMAT.to_owned(),
        authority: configuration.authority,
        version: args.number,
        previous,
        not_before: args.not_before,
        expires: expires(args, &configuration)?,
        least_configuration_epoch: configuration.configuration.epoch,
        keyrings: args.keyrings.clone(),
        clients: args.clients.clone(),
        approvers: Vec::new(),
        abis: Vec::new(),
        wallet_groups: args
            .groups
            .as_deref()
            .map_or(Ok(Vec::new()), |path| list::<WalletGroup>(path, "groups"))?,
        rules: args.rules.as_deref().map_or(Ok(Vec::new()), |path| list::<Rule>(path, "rules"))?,
    };
    let payload = serde_json::to_vec_pretty(&bundle).map_err(Failure::new)?;
    // The enclave's own checks, on the very bytes that will be signed.
    let bundle = Bundle::from_json(&payload).map_err(|error| {
        Failure::new(error).hint("correct the field that is named, in --rules, --groups or the options")
    })?;
    if bundle.rules.is_empty() {
        terminal.warn("the bundle has no rules, so it denies everything");
    }
    args.output
        .write(envelope::json(&Envelope::unsigned(PAYLOAD_TYPE, &payload))?.as_bytes(), Access::Public)?;
    let file = args.output.output.display().to_string();
    let needed = configuration.quorum.threshold();
    let human = format!(
        "{}\n\nNext: signerctl policy sign {file} --key FILE.pem ({needed} of the admins)",
        fields(&rows(&file, &bundle, &payload))
    );
    Ok(Report::new(human, to_json(&file, &bundle, &payload)))
}

fn previous(
    args: &InitArgs,
    configuration: &SignedConfiguration,
    terminal: &Terminal,
) -> Result<Option<HexBytes<32>>, Failure> {
    let Some(path) = &args.previous else {
        if args.number > 1 {
            terminal
                .warn("--version is above 1 without --previous: nothing ties this bundle to the one before");
        }
        return Ok(None);
    };
    let before = SignedBundle::verify(&files::read(path)?, configuration)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    if args.number <= before.bundle.version {
        return Err(Failure::usage(format!(
            "--version {} is not higher than {}",
            args.number, before.bundle.version
        ))
        .hint(format!("write --version {}", before.bundle.version.saturating_add(1))));
    }
    Ok(Some(before.digest))
}

fn expires(args: &InitArgs, configuration: &SignedConfiguration) -> Result<Timestamp, Failure> {
    let longest = configuration.configuration.longest_bundle_lifetime_days;
    let days = args.lifetime_days.unwrap_or(DEFAULT_DAYS.min(longest));
    if days == 0 || days > longest {
        return Err(Failure::usage(format!(
            "--lifetime-days {days}: the configuration allows 1 to {longest}"
        )));
    }
    Ok(Timestamp::from_seconds(args.not_before.seconds().saturating_add(u64::from(days) * SECONDS_A_DAY)))
}

/// Reads a JSON array, so that errors name the entry.
fn list<T: DeserializeOwned>(path: &Path, name: &str) -> Result<Vec<T>, Failure> {
    let json = files::read(path)?;
    let entries: Vec<&RawValue> = serde_json::from_slice(&json)
        .map_err(|error| Failure::new(format!("{}: not a JSON array: {error}", path.display())))?;
    let parse = |(index, entry): (usize, &&RawValue)| {
        serde_json::from_str(entry.get()).map_err(|error| {
            Failure::new(format!("{}: {name}[{index}]: {error} of the entry", path.display()))
                .hint("see signerctl policy init --help for the members")
        })
    };
    entries.iter().enumerate().map(parse).collect()
}

fn sign(args: &SignPolicyArgs, style: Style) -> Result<Report, Failure> {
    let SignArgs { file: path, key } = &args.sign;
    let mut file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
    let bundle = parse(&file, path)?;
    let configuration = args.config.as_deref().map(config::read_signed).transpose()?;
    let key = AdminSecret::read(key)?;
    if let Some(configuration) = &configuration {
        require_admin(&key, &configuration.quorum)?;
        require_authority(&bundle, configuration)?;
    }
    file.sign(&key)?;
    let name = path.display().to_string();
    let public = keys::public_hex(&key.public());
    let mut rows = rows(&name, &bundle, file.unverified_payload());
    let mut json = to_json(&name, &bundle, file.unverified_payload());
    json["signed_by"] = json!({ "public_key": public, "key_id": key.public().id() });
    if let Some(configuration) = &configuration {
        let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &configuration.quorum);
        rows.push(("signatures", signatures.summary(style)));
        json["signatures"] = signatures.to_json();
    }
    let human = format!("{} with key {public}\n\n{}", style.bold("Signed"), fields(&rows));
    Ok(Report::new(human, json))
}

fn show(args: &ShowArgs, style: Style) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let bundle = parse(&file, &args.file)?;
    let name = args.file.display().to_string();
    let mut rows = rows(&name, &bundle, file.unverified_payload());
    let mut json = to_json(&name, &bundle, file.unverified_payload());
    json["bundle"] = json!(bundle);
    let Some(path) = &args.config else { return Ok(Report::new(fields(&rows), json)) };
    let configuration = config::read_signed(path)?;
    let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &configuration.quorum);
    let accepted = SignedBundle::verify(file.to_json()?.as_bytes(), &configuration);
    let verdict = match &accepted {
        Ok(_) => style.good("an enclave of this configuration accepts it"),
        Err(error) => style.bad(&format!("not acceptable: {error}")),
    };
    rows.extend([("signatures", signatures.summary(style)), ("verdict", verdict)]);
    json["signatures"] = signatures.to_json();
    json["acceptable"] = json!(accepted.is_ok());
    let human = format!("{}\n{}", fields(&rows), signatures.lines(style));
    Ok(Report { human, json, exit: if accepted.is_ok() { 0 } else { EXIT_FAILED } })
}

fn push(args: &PushArgs, style: Style) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let bundle = parse(&file, &args.file)?;
    if file.envelope().signature_count() == 0 {
        return Err(Failure::new(format!("{} is not signed", args.file.display()))
            .hint(format!("signerctl policy sign {} --key FILE.pem", args.file.display())));
    }
    let server = args.server.connect()?;
    let answer = server.post("/v1/policy", file.to_json()?)?;
    let digest = bundle::digest(file.unverified_payload());
    if !wait_until_in_force(&server, bundle.version, &digest.to_string()) {
        return Err(Failure::new(format!(
            "policy version {} is stored, and not in force here yet",
            bundle.version
        ))
        .hint("see the last problem with: signerctl status"));
    }
    let human = format!(
        "{} policy version {}, digest {digest}\n\n{}",
        style.good("In force:"),
        bundle.version,
        status::pretty(&answer)
    );
    let json = json!({ "version": bundle.version, "digest": digest, "in_force": true, "answer": answer });
    Ok(Report::new(human, json))
}

/// A pushed bundle is stored first; every host of the fleet then puts it in force by itself.
fn wait_until_in_force(server: &Server, version: u64, digest: &str) -> bool {
    for _ in 0..PATIENCE {
        let status = server.get("/v1/status").unwrap_or_default();
        let policy = &status["enclave"];
        if policy["policy_digest"] == digest {
            return true;
        }
        if policy["policy_version"].as_u64().is_some_and(|found| found > version) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    false
}

fn require_authority(bundle: &Bundle, configuration: &SignedConfiguration) -> Result<(), Failure> {
    if bundle.authority == configuration.authority {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the bundle belongs to authority {}, and the configuration to {}",
        bundle.authority, configuration.authority
    )))
}

fn parse(file: &EnvelopeFile, path: &Path) -> Result<Bundle, Failure> {
    Bundle::from_json(file.unverified_payload())
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn rows(file: &str, bundle: &Bundle, payload: &[u8]) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("file", file.to_owned()),
        ("authority", bundle.authority.to_string()),
        ("version", bundle.version.to_string()),
        ("digest", bundle::digest(payload).to_string()),
        ("previous", bundle.previous.map_or_else(|| "none".to_owned(), |digest| digest.to_string())),
        ("in force", format!("{} to {}", bundle.not_before, bundle.expires)),
    ];
    for keyring in &bundle.keyrings {
        rows.push(("keyring", format!("{}={}", keyring.id, keyring.fingerprint)));
    }
    for client in &bundle.clients {
        let proof = match &client.auth {
            ClientAuth::None => "without any proof of who it is".to_owned(),
            ClientAuth::Keys(keys) => format!("with {} keys", keys.len()),
        };
        rows.push(("client", format!("{}, {proof}", client.id)));
    }
    for group in &bundle.wallet_groups {
        rows.push(("group", format!("@{}: {} wallets", group.id, group.wallets.len())));
    }
    rows.extend(bundle.rules.iter().map(|rule| ("rule", rule_text(rule))));
    rows
}

/// A rule on one line: its members as they are written.
fn rule_text(rule: &Rule) -> String {
    serde_json::to_string(rule).unwrap_or_else(|_| rule.id.to_string())
}

fn to_json(file: &str, bundle: &Bundle, payload: &[u8]) -> Value {
    json!({
        "file": file, "authority": bundle.authority, "version": bundle.version, "digest": bundle::digest(payload),
        "previous": bundle.previous, "not_before": bundle.not_before, "expires": bundle.expires,
    })
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    match text {
        "now" => return Ok(Timestamp::from_millis(now_ms())),
        A_MINUTE_AGO => return Ok(Timestamp::from_millis(now_ms().saturating_sub(60_000))),
        _ => {}
    }
    text.parse().map_err(|error| format!("{error}"))
}

fn parse_keyring(text: &str) -> Result<Keyring, String> {
    let (id, fingerprint) = text.split_once('=').ok_or("write ID=FINGERPRINT")?;
    Ok(Keyring {
        id: id.parse().map_err(|error| format!("{error}"))?,
        fingerprint: fingerprint.parse().map_err(|error| format!("fingerprint: {error}"))?,
    })
}

fn parse_client(text: &str) -> Result<Client, String> {
    match text.split_once(':') {
        Some((id, "none")) => {
            let id = id.parse().map_err(|error| format!("{error}"))?;
            Ok(Client { id, auth: ClientAuth::None, roles: Vec::new(), sessions: None })
        }
        _ => Err("write NAME:none".to_owned()),
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
