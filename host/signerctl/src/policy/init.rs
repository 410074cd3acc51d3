//! `signerctl policy init`: a new bundle.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use signer_eif::options::now_ms;
use signer_rules::{
    bundle::{
        Abi, Approver, Bundle, Client, ClientAuth, FORMAT, Keyring, PAYLOAD_TYPE, Rule, SignedBundle,
        WalletGroup,
    },
    configuration::SignedConfiguration,
    dsse::Envelope,
    hex_bytes::HexBytes,
    timestamp::Timestamp,
};
use signer_terminal::{
    Failure, Report, Terminal, envelope, fields,
    files::{self, Access, OutputArgs},
};

use super::{rows, to_json};
use crate::config;

const SECONDS_A_DAY: u64 = 86_400;
/// What `--not-before` is by default.
const A_MINUTE_AGO: &str = "a minute ago";
/// The lifetime of a bundle if the operator names none and the configuration allows it.
const DEFAULT_DAYS: u16 = 30;

/// Write a new bundle that nobody has signed yet.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl policy init --config config.json --version 2 --previous policy-1.json \\\n      \
        --keyring default=FINGERPRINT --clients clients.json --rules rules.json --output policy-2.json\n\n\
    rules.json, where everything that no rule allows is denied, and deny wins:\n  \
    [{\"id\": \"wallets\", \"effect\": \"allow\", \"operations\": [\"wallet.create\", \"wallet.read\"]},\n   \
     {\"id\": \"pay\", \"effect\": \"allow\", \"operations\": [\"evm.transaction\"], \"clients\": [\"backend\"],\n    \
      \"wallets\": [\"@hot\"], \"chain_ids\": [1, 8453]}]\n\n\
    groups.json:\n  [{\"id\": \"hot\", \"wallets\": [\"w_0123...\"]}]\n\n\
    clients.json, with keys of signerctl policy keygen:\n  \
    [{\"id\": \"backend\", \"auth\": {\"keys\": [{\"id\": \"backend-1\", \"algorithm\": \"ed25519\",\n    \
      \"public_key\": \"...\"}]}, \"roles\": [\"trader\"], \"sessions\": {\"longest_s\": 3600}}]\n\n\
    approvers.json:\n  [{\"id\": \"alice\", \"public_key\": \"...\"}]\n\n\
    abis.json:\n  [{\"id\": \"erc20\", \"functions\": [\"transfer(address to, uint256 amount)\"]}]")]
pub(crate) struct InitArgs {
    /// The configuration of the appliance, signed by its quorum.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The bundle's version, higher than that of the bundle before.
    #[arg(long = "version", value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) number: u64,
    /// The bundle before, if there was one.
    #[arg(long, value_name = "FILE")]
    pub(super) previous: Option<PathBuf>,
    /// In force from then on: "now", or a time such as 2026-01-31T00:00:00Z. By default a minute ago:
    /// an enclave whose clock is behind would refuse a bundle of just now.
    #[arg(
        long, value_name = "TIME", default_value = A_MINUTE_AGO, hide_default_value = true,
        value_parser = parse_time
    )]
    pub(super) not_before: Timestamp,
    /// In force for so many days: 30, or less if the configuration allows less.
    #[arg(long, value_name = "DAYS")]
    pub(super) lifetime_days: Option<u16>,
    /// A keyring that the enclave opens, with the fingerprint that keyring create printed. Repeatable.
    #[arg(long = "keyring", value_name = "ID=FINGERPRINT", value_parser = parse_keyring)]
    pub(super) keyrings: Vec<Keyring>,
    /// A client that does not prove who it is: at most one.
    #[arg(long = "client", value_name = "NAME:none", value_parser = parse_client)]
    pub(super) clients: Vec<Client>,
    /// A JSON array of clients: their keys, roles and sessions.
    #[arg(long = "clients", value_name = "FILE")]
    pub(super) client_file: Option<PathBuf>,
    /// A JSON array of approvers, whose signatures rules can demand.
    #[arg(long, value_name = "FILE")]
    pub(super) approvers: Option<PathBuf>,
    /// A JSON array of ABIs: functions of contracts, whose arguments rules can test.
    #[arg(long, value_name = "FILE")]
    pub(super) abis: Option<PathBuf>,
    /// A JSON array of rules. Without it nothing is allowed.
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Option<PathBuf>,
    /// A JSON array of wallet groups, which rules name as @group.
    #[arg(long, value_name = "FILE")]
    pub(super) groups: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

pub(super) fn run(args: &InitArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let configuration = config::read_signed(&args.config)?;
    let previous = previous(args, &configuration, terminal)?;
    let mut clients = args.clients.clone();
    clients.extend(list::<Client>(args.client_file.as_deref(), "clients")?);
    let bundle = Bundle {
        format: FORMAT.to_owned(),
        authority: configuration.authority,
        version: args.number,
        previous,
        not_before: args.not_before,
        expires: expires(args, &configuration)?,
        least_configuration_epoch: configuration.configuration.epoch,
        keyrings: args.keyrings.clone(),
        clients,
        approvers: list::<Approver>(args.approvers.as_deref(), "approvers")?,
        abis: list::<Abi>(args.abis.as_deref(), "abis")?,
        wallet_groups: list::<WalletGroup>(args.groups.as_deref(), "groups")?,
        rules: list::<Rule>(args.rules.as_deref(), "rules")?,
    };
    let payload = serde_json::to_vec_pretty(&bundle).map_err(Failure::new)?;
    // The enclave's own checks, on the very bytes that will be signed.
    let bundle = Bundle::from_json(&payload).map_err(|error| {
        Failure::new(error).hint("correct the field that is named, in the files or the options")
    })?;
    if bundle.rules.is_empty() {
        terminal.warn("the bundle has no rules, so it denies everything");
    }
    args.output
        .write(envelope::json(&Envelope::unsigned(PAYLOAD_TYPE, &payload))?.as_bytes(), Access::Public)?;
    let file = args.output.output.display().to_string();
    let needed = configuration.quorum.threshold();
    let human = format!(
        "{}\n\nNext: signerctl policy check {file}, then signerctl policy sign {file} --key FILE.pem \
         --config {} ({needed} of the admins)",
        fields(&rows(&file, &bundle, &payload)),
        args.config.display()
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

/// Reads a JSON array, if there is one, so that errors name the entry.
fn list<T: DeserializeOwned>(path: Option<&Path>, name: &str) -> Result<Vec<T>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
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

pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    match text {
        "now" => return Ok(Timestamp::from_millis(now_ms())),
        A_MINUTE_AGO => return Ok(Timestamp::from_millis(now_ms().saturating_sub(60_000))),
        _ => {}
    }
    text.parse().map_err(|error| format!("{error}"))
}

pub(super) fn parse_keyring(text: &str) -> Result<Keyring, String> {
    let (id, fingerprint) = text.split_once('=').ok_or("write ID=FINGERPRINT")?;
    Ok(Keyring {
        id: id.parse().map_err(|error| format!("{error}"))?,
        fingerprint: fingerprint.parse().map_err(|error| format!("fingerprint: {error}"))?,
    })
}

pub(super) fn parse_client(text: &str) -> Result<Client, String> {
    match text.split_once(':') {
        Some((id, "none")) => Ok(Client {
            id: id.parse().map_err(|error| format!("{error}"))?,
            auth: ClientAuth::None,
            roles: Vec::new(),
            sessions: None,
        }),
        _ => Err("write NAME:none, or give clients with keys in --clients FILE".to_owned()),
    }
}
