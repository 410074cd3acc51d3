//! `signerctl kms-policy`: the key policy that ties KMS keys to one image and one configuration.
//!
//! How IAM decides: an explicit deny wins over everything, grants and IAM policies included; then an
//! allow is needed, of the key policy itself, or of an IAM policy where the key policy allows the
//! account. So use is allowed by exact statements, and what must never happen is denied besides, to
//! everyone: a broader allow that somebody adds later, here or in IAM, opens nothing.
//!
//! Absent keys: `StringEquals` on a key that a request lacks does not hold, so such a request is not
//! allowed; `StringNotEquals` on an absent key holds, so such a request is denied.
//! <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-attestation.html>

mod document;
mod statements;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use signer_eif::verify::pcr_after_extend;
use signer_rules::{configuration::SignedConfiguration, hex_bytes::HexBytes};
use signer_terminal::{
    Failure, Report, Terminal,
    files::{Access, OutputArgs},
};

use crate::{
    config,
    measurements::{self, Measurements, Pcr, parse_pcr},
};
use document::{Explained, Policy};
use statements::Pins;

/// Print the key policy for the KMS keys of one account.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl kms-policy --config config.json --account 111122223333 \\\n      \
        --role arn:aws:iam::111122223333:role/signer --measurements eif.json > key-policy.json\n  \
    aws kms put-key-policy --key-id KEY-ARN --policy-name default --policy file://key-policy.json\n\n\
    During a rollout both images are allowed; afterwards, print it again with the new one only:\n  \
    signerctl kms-policy ... --measurements old.json --measurements new.json\n\n\
    The policy goes to standard output, its explanation to standard error.")]
pub(crate) struct KmsPolicyArgs {
    /// The configuration of the appliance, signed by its quorum.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The AWS account whose keys the policy is for, 12 digits.
    #[arg(long, value_name = "ID", value_parser = parse_account)]
    account: String,
    /// The role of the parent instances.
    #[arg(long, value_name = "ARN")]
    role: String,
    /// An image that may open keyrings: what nitro-cli build-enclave printed. Repeatable.
    #[arg(long, value_name = "FILE", required_unless_present = "pcr0", conflicts_with = "pcr0")]
    measurements: Vec<PathBuf>,
    /// The image's PCR0, instead of --measurements.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr)]
    pcr0: Option<Pcr>,
    /// The image's PCR1.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pcr1: Option<Pcr>,
    /// The image's PCR2.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr, requires = "pcr0")]
    pcr2: Option<Pcr>,
    /// Also require PCR3, which is a digest of the parent's role.
    #[arg(long, value_name = "HEX", value_parser = parse_pcr)]
    pcr3: Option<Pcr>,
    /// Also require PCR3, computed from --role.
    #[arg(long, conflicts_with = "pcr3")]
    pin_role: bool,
    /// Who may administer the keys, but not use them. Repeatable; without it the account, which lets
    /// IAM policies of the account decide.
    #[arg(long = "admin-principal", value_name = "ARN")]
    admin_principals: Vec<String>,
    /// Write the policy to this file instead.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if it is there.
    #[arg(long, requires = "output")]
    force: bool,
}

pub(crate) fn run(args: &KmsPolicyArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let configuration = config::read_signed(&args.config)?;
    let keys = keys_of(&configuration, &args.account)?;
    let pins = pins(args, &configuration, &keys)?;
    let explained = statements::all(&pins);
    if keys.iter().any(|arn| arn.contains(":key/mrk-")) {
        terminal.warn(
            "a key is a multi-Region key: each replica has a key policy of its own, which needs the same content",
        );
    }
    if !pins.role.contains(&format!("::{}:", args.account)) {
        terminal.warn(
            "--role is of another account: it also needs an IAM policy there that allows these actions",
        );
    }
    terminal.explain(&explanation(&explained, &keys));
    report(args, &explained, &keys)
}

fn report(args: &KmsPolicyArgs, explained: &[Explained], keys: &[&str]) -> Result<Report, Failure> {
    let policy = Policy::new(explained);
    let text = serde_json::to_string_pretty(&policy).map_err(Failure::new)?;
    let meanings: Vec<_> =
        explained.iter().map(|one| json!({ "sid": one.statement.sid, "meaning": one.meaning })).collect();
    let json = json!({ "policy": policy, "keys": keys, "statements": meanings });
    let Some(output) = &args.output else { return Ok(Report::new(text, json)) };
    OutputArgs { output: output.clone(), force: args.force }
        .write(format!("{text}\n").as_bytes(), Access::Public)?;
    Ok(Report::new(format!("Written to {}", output.display()), json))
}

fn explanation(explained: &[Explained], keys: &[&str]) -> String {
    let width = explained.iter().map(|one| one.statement.sid.len()).max().unwrap_or_default();
    let lines = explained.iter().map(|one| format!("  {:width$}  {}", one.statement.sid, one.meaning));
    let keys = keys.iter().map(|arn| format!("  {arn}"));
    let keys: Vec<String> =
        std::iter::once("The policy belongs on each of these keys:".to_owned()).chain(keys).collect();
    format!("{}\n\nIts statements:\n{}\n", keys.join("\n"), lines.collect::<Vec<_>>().join("\n"))
}

/// The configuration's keys in the account: the policy says `"Resource": "*"`, which is the key that it is on.
fn keys_of<'a>(configuration: &'a SignedConfiguration, account: &str) -> Result<Vec<&'a str>, Failure> {
    let all = || configuration.configuration.kms.shares.iter().flat_map(|share| &share.keys);
    let keys: Vec<&str> =
        all().map(|key| key.arn.as_str()).filter(|arn| arn.split(':').nth(4) == Some(account)).collect();
    if keys.is_empty() {
        let known: Vec<&str> = all().filter_map(|key| key.arn.split(':').nth(4)).collect();
        return Err(Failure::new(format!("the configuration names no key of account {account}"))
            .hint(format!("its keys are of: {}", known.join(", "))));
    }
    Ok(keys)
}

fn pins(args: &KmsPolicyArgs, configuration: &SignedConfiguration, keys: &[&str]) -> Result<Pins, Failure> {
    let partition = keys.first().and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws").to_owned();
    require_principal("--role", &args.role, &partition, &["role/"])?;
    let mut administrators = args.admin_principals.clone();
    for principal in &administrators {
        require_principal("--admin-principal", principal, &partition, &["role/", "user/", "root"])?;
        if *principal == args.role {
            return Err(Failure::usage(
                "--admin-principal is the instances' role, which could then remove every check",
            )
            .hint("name another principal"));
        }
    }
    if administrators.is_empty() {
        administrators.push(format!("arn:{partition}:iam::{}:root", args.account));
    }
    let pcr3 = if args.pin_role { Some(HexBytes(pcr_after_extend(args.role.as_bytes()))) } else { args.pcr3 };
    Ok(Pins {
        role: args.role.clone(),
        administrators,
        images: images(args)?,
        pcr16: HexBytes(configuration.pcr16()),
        pcr3,
        authority: configuration.authority,
    })
}

fn images(args: &KmsPolicyArgs) -> Result<Vec<Measurements>, Failure> {
    let mut images: Vec<Measurements> = Vec::new();
    if let Some(pcr0) = args.pcr0 {
        images.push(Measurements { pcr0, pcr1: args.pcr1, pcr2: args.pcr2, pcr8: None });
    }
    for path in &args.measurements {
        let image = measurements::read(path)?;
        if !images.contains(&image) {
            images.push(image);
        }
    }
    Ok(images)
}

/// `arn:PARTITION:iam::ACCOUNT:KIND...`, without wildcards.
fn require_principal(option: &str, arn: &str, partition: &str, kinds: &[&str]) -> Result<(), Failure> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let valid = matches!(parts[..], ["arn", found, "iam", "", account, resource]
        if found == partition
            && parse_account(account).is_ok()
            && kinds.iter().any(|kind| if kind.ends_with('/') {
                resource.len() > kind.len() && resource.starts_with(kind)
            } else {
                resource == *kind
            })
            && resource.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+=,.@-".contains(&byte)));
    if valid {
        return Ok(());
    }
    Err(Failure::usage(format!("{option} {arn} is not an ARN of IAM that fits"))
        .hint(format!("write arn:{partition}:iam::ACCOUNT:{}...", kinds.first().unwrap_or(&"role/"))))
}

fn parse_account(text: &str) -> Result<String, &'static str> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account id has 12 digits")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::signed_configuration;

    const ROLE: &str = "arn:aws:iam::111122223333:role/signer";

    fn args(config: PathBuf) -> KmsPolicyArgs {
        KmsPolicyArgs {
            config,
            account: "111122223333".into(),
            role: ROLE.into(),
            measurements: vec![],
            pcr0: Some(HexBytes([1; 48])),
            pcr1: None,
            pcr2: None,
            pcr3: None,
            pin_role: true,
            admin_principals: vec![],
            output: None,
            force: false,
        }
    }

    #[test]
    fn the_policy_is_for_this_configuration() {
        let (config, _) = signed_configuration();
        let report = run(&args(config.clone()), &Terminal::plain()).unwrap();
        let pcr16 = hex::encode(config::read_signed(&config).unwrap().pcr16());
        assert!(report.human.contains(&pcr16));
        assert!(report.human.starts_with("{\n  \"Version\": \"2012-10-17\""));
        assert_eq!(report.json["keys"], json!([config::tests::KEY]));
        // PCR3 as AWS computes it: no digest of the ARN before the extension.
        assert!(report.human.contains(&hex::encode(pcr_after_extend(ROLE.as_bytes()))));
    }

    #[test]
    fn what_would_open_the_keys_is_refused() {
        type Change = fn(&mut KmsPolicyArgs);
        let (config, _) = signed_configuration();
        let cases: [(&str, Change); 5] = [
            ("names no key", |args| args.account = "999999999999".into()),
            ("not an ARN", |args| args.role = "arn:aws:iam::111122223333:role/*".into()),
            ("not an ARN", |args| args.role = "arn:aws:iam::111122223333:root".into()),
            ("not an ARN", |args| args.admin_principals = vec!["*".into()]),
            ("instances' role", |args| args.admin_principals = vec![ROLE.into()]),
        ];
        for (expected, change) in cases {
            let mut args = args(config.clone());
            change(&mut args);
            let error = run(&args, &Terminal::plain()).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
