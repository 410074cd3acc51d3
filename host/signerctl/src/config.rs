//! `signerctl config`: the appliance configuration.

mod rotate;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use signer_rules::{
    authority::{AdminKey, AuthorityId, Genesis, Quorum},
    configuration::{
        self, Audit, Clock, Configuration, ConfigurationError, FORMAT, Kms, KmsKey, PAYLOAD_TYPE,
        PolicyCheck, Share, SignedConfiguration,
    },
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
};
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Style, Terminal,
    envelope::{self, EnvelopeFile, SignArgs, Signatures},
    fields,
    files::{self, Access, OutputArgs},
    keys::{self, AdminSecret},
};

/// Make, sign and check the appliance configuration.
#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a new configuration that nobody has signed yet.
    Init(InitArgs),
    /// Add an admin's signature to a configuration.
    Sign(SignArgs),
    /// Check who signed a configuration; print its authority, digest and PCR16.
    Digest(DigestArgs),
    /// Write a change of admins that nobody has signed yet.
    Rotate(rotate::RotateArgs),
    /// Add the signature of an admin, former or new, to a change of admins.
    RotateSign(rotate::RotateSignArgs),
    /// Write the configuration that succeeds another, for the admins after the change to sign.
    Next(rotate::NextArgs),
}

/// Write a new configuration that nobody has signed yet.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl config init --admin admin-1.pem --threshold 1 --output config.json \\\n      \
        --share arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab\n\n\
    Two shares under keys of two accounts, the first one also wrapped in a second region:\n  \
    signerctl config init --admin a.pem --admin b.pem --admin c.pem --threshold 2 --output config.json \\\n      \
        --share ARN-OF-ACCOUNT-A,ARN-OF-ACCOUNT-A-IN-ANOTHER-REGION --share ARN-OF-ACCOUNT-B\n\n\
    Every call makes another appliance: its id is random.")]
pub(crate) struct InitArgs {
    /// An admin's public key: 64 hexadecimal digits, or a PEM file (private or public). Repeatable.
    #[arg(long, value_name = "HEX|FILE", required = true)]
    admin: Vec<String>,
    /// How many admins must sign.
    #[arg(long, value_name = "K")]
    threshold: u8,
    /// KMS keys of one share of the keyrings' key, separated by commas: any of them opens the share,
    /// and all shares are needed. Repeatable, once for each share.
    #[arg(long = "share", visible_alias = "kms-key", value_name = "ARN[,ARN...]", required = true)]
    shares: Vec<String>,
    /// The KMS host for a key, if it is not kms.REGION.amazonaws.com. Repeatable.
    #[arg(long = "endpoint", value_name = "ARN=HOST", value_parser = parse_endpoint)]
    endpoints: Vec<(String, String)>,
    /// What an enclave does if a KMS key or its key policy is not as `kms-policy` has it.
    #[arg(long, value_name = "WHAT", value_enum, default_value = "enforce")]
    kms_policy_check: KmsPolicyCheck,
    /// The longest lifetime of a policy bundle.
    #[arg(long, value_name = "DAYS", default_value = "90")]
    bundle_lifetime_days: u16,
    /// How long a record of the audit log may wait to be stored before nothing is signed any more.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    longest_unstored_s: u16,
    /// How often an enclave leaves a witness of its audit log in KMS's log, while there are new records.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    witness_s: u16,
    /// How long an enclave goes on signing while it can leave no witness: the longest outage of KMS that is borne,
    /// and the most that a host can hide.
    #[arg(long, value_name = "SECONDS", default_value = "3600")]
    longest_unwitnessed_s: u32,
    #[command(flatten)]
    output: OutputArgs,
}

/// What an enclave does if a KMS key is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KmsPolicyCheck {
    /// Open no keyring, and make none.
    Enforce,
    /// Say so in events, and go on.
    Report,
}

impl From<KmsPolicyCheck> for PolicyCheck {
    fn from(check: KmsPolicyCheck) -> Self {
        match check {
            KmsPolicyCheck::Enforce => Self::Enforce,
            KmsPolicyCheck::Report => Self::Report,
        }
    }
}

/// Check who signed a configuration.
#[derive(Args)]
pub(crate) struct DigestArgs {
    /// The configuration.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(command: &ConfigCommand, terminal: &Terminal) -> Result<Report, Failure> {
    match command {
        ConfigCommand::Init(args) => init(args),
        ConfigCommand::Sign(args) => sign(args, terminal.style()),
        ConfigCommand::Digest(args) => digest(&args.file, terminal.style()),
        ConfigCommand::Rotate(args) => rotate::rotate(args, terminal.style()),
        ConfigCommand::RotateSign(args) => rotate::sign(args, terminal.style()),
        ConfigCommand::Next(args) => rotate::next(args),
    }
}

/// Reads a configuration that its quorum signed.
pub(crate) fn read_signed(path: &Path) -> Result<SignedConfiguration, Failure> {
    SignedConfiguration::verify(&files::read(path)?).map_err(|error| {
        let failure = Failure::new(format!("{}: {error}", path.display()));
        match error {
            ConfigurationError::Envelope(DsseError::Quorum { .. }) => failure
                .hint(format!("let more admins sign: signerctl config sign {} --key FILE", path.display())),
            _ => failure,
        }
    })
}

fn init(args: &InitArgs) -> Result<Report, Failure> {
    let admins = read_admins(&args.admin)?;
    let mut appliance_id = [0; 32];
    aws_lc_rs::rand::fill(&mut appliance_id).map_err(|_| Failure::new("the system gives no randomness"))?;
    let configuration = Configuration {
        format: FORMAT.to_owned(),
        epoch: 0,
        genesis: Genesis { appliance_id: HexBytes(appliance_id), admins, threshold: args.threshold },
        transitions: Vec::new(),
        kms: Kms { shares: shares(args)?, policy_check: args.kms_policy_check.into() },
        longest_bundle_lifetime_days: args.bundle_lifetime_days,
        clock: Clock { resynchronise_s: 60, longest_drift_ms: 1000 },
        audit: Audit {
            longest_unstored_s: args.longest_unstored_s,
            witness_s: args.witness_s,
            longest_unwitnessed_s: args.longest_unwitnessed_s,
        },
    };
    write_unsigned(&configuration, &args.output)
}

/// Writes a configuration for its admins to sign.
fn write_unsigned(configuration: &Configuration, output: &OutputArgs) -> Result<Report, Failure> {
    let authority = configuration.validate().map_err(Failure::new)?;
    let quorum = configuration.current().map_err(Failure::new)?;
    let payload = serde_json::to_vec_pretty(configuration).map_err(Failure::new)?;
    let unsigned = Envelope::unsigned(PAYLOAD_TYPE, &payload);
    output.write(envelope::json(&unsigned)?.as_bytes(), Access::Public)?;

    let file = output.output.display().to_string();
    let content = Content { configuration, authority, quorum: &quorum, payload: &payload };
    let human = format!(
        "{}\n\nNext: signerctl config sign {file} --key FILE.pem ({} of the admins)",
        fields(&content.rows(&file)),
        quorum.threshold()
    );
    Ok(Report::new(human, content.to_json(&file)))
}

/// Public keys in the order in which they are signed.
fn read_admins(texts: &[String]) -> Result<Vec<AdminKey>, Failure> {
    let mut admins = texts.iter().map(|text| keys::read_public(text)).collect::<Result<Vec<_>, _>>()?;
    admins.sort_by_key(|admin: &AdminKey| admin.key().to_bytes());
    Ok(admins)
}

fn shares(args: &InitArgs) -> Result<Vec<Share>, Failure> {
    let mut used = 0;
    let mut key = |arn: &str| {
        let mut key = KmsKey { arn: arn.to_owned(), endpoint: String::new() };
        let given = args.endpoints.iter().find(|(of, _)| of == arn);
        used += usize::from(given.is_some());
        let suffix = if arn.starts_with("arn:aws-cn:") { "amazonaws.com.cn" } else { "amazonaws.com" };
        key.endpoint =
            given.map_or_else(|| format!("kms.{}.{suffix}", key.region()), |(_, host)| host.clone());
        key
    };
    let shares =
        args.shares.iter().map(|share| Share { keys: share.split(',').map(&mut key).collect() }).collect();
    if used < args.endpoints.len() {
        return Err(Failure::usage("an --endpoint names a key that no --share names"));
    }
    Ok(shares)
}

fn parse_endpoint(text: &str) -> Result<(String, String), &'static str> {
    let (arn, host) = text.split_once('=').ok_or("write ARN=HOST")?;
    Ok((arn.to_owned(), host.to_owned()))
}

fn sign(args: &SignArgs, style: Style) -> Result<Report, Failure> {
    let mut file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let (configuration, authority, quorum) = parse(&file, &args.file)?;
    let key = AdminSecret::read(&args.key)?;
    require_admin(&key, &quorum)?;
    file.sign(&key)?;
    let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &quorum);
    let name = args.file.display().to_string();
    let payload = file.unverified_payload();
    let content = Content { configuration: &configuration, authority, quorum: &quorum, payload };
    let mut rows = content.rows(&name);
    rows.push(("signatures", signatures.summary(style)));
    let public = keys::public_hex(&key.public());
    let human = format!("{} with key {public}\n\n{}", style.bold("Signed"), fields(&rows));
    let mut json = content.to_json(&name);
    json["signed_by"] = json!({ "public_key": public, "key_id": key.public().id() });
    json["signatures"] = signatures.to_json();
    Ok(Report::new(human, json))
}

fn digest(path: &Path, style: Style) -> Result<Report, Failure> {
    let file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
    let (configuration, authority, quorum) = parse(&file, path)?;
    let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &quorum);
    let name = path.display().to_string();
    let payload = file.unverified_payload();
    let content = Content { configuration: &configuration, authority, quorum: &quorum, payload };
    let mut rows = content.rows(&name);
    rows.push(("signatures", signatures.summary(style)));
    let human = format!("{}\n{}", fields(&rows), signatures.lines(style));
    let mut json = content.to_json(&name);
    json["signatures"] = signatures.to_json();
    let exit = if signatures.complete() { 0 } else { EXIT_FAILED };
    Ok(Report { human, json, exit })
}

/// Who of the appliance's present admins signed an envelope.
pub(crate) fn signatures(envelope: &Envelope, payload_type: &'static str, quorum: &Quorum) -> Signatures {
    Signatures::of(envelope, payload_type, quorum.admins(), quorum.threshold())
}

/// What is said where nothing tells whether a key is an admin's.
pub(crate) const KEY_NOT_CHECKED: &str = "not checked whether this key is an admin's: give --config FILE";

/// Refuses a key that is not an admin's: its signature would be passed over.
pub(crate) fn require_admin(key: &AdminSecret, quorum: &Quorum) -> Result<(), Failure> {
    if quorum.admins().contains(&key.public()) {
        return Ok(());
    }
    Err(Failure::new(format!("key {} is not an admin of this appliance", keys::public_hex(&key.public())))
        .hint("sign with one of the keys that config digest lists for this configuration"))
}

fn parse(file: &EnvelopeFile, path: &Path) -> Result<(Configuration, AuthorityId, Quorum), Failure> {
    let in_file = |error: String| Failure::new(format!("{}: {error}", path.display()));
    let configuration: Configuration = serde_json::from_slice(file.unverified_payload())
        .map_err(|error| in_file(format!("not a configuration: {error}")))?;
    let authority = configuration.validate().map_err(|error| in_file(error.to_string()))?;
    let quorum = configuration.current().map_err(|error| in_file(error.to_string()))?;
    Ok((configuration, authority, quorum))
}

/// A configuration whose fields are good, and what follows from it.
struct Content<'a> {
    configuration: &'a Configuration,
    authority: AuthorityId,
    quorum: &'a Quorum,
    payload: &'a [u8],
}

impl Content<'_> {
    fn rows(&self, file: &str) -> Vec<(&'static str, String)> {
        let Self { configuration, quorum, .. } = self;
        let mut rows = vec![
            ("file", file.to_owned()),
            ("authority", self.authority.to_string()),
            ("digest (SHA-384)", configuration::digest(self.payload).to_string()),
            ("PCR16", pcr16(self.payload).to_string()),
            ("epoch", configuration.epoch.to_string()),
            ("threshold", format!("{} of {} admins", quorum.threshold(), quorum.admins().len())),
        ];
        rows.extend(quorum.admins().iter().map(|admin| ("admin", keys::public_hex(admin))));
        if !configuration.transitions.is_empty() {
            rows.push(("admins changed", times(configuration.transitions.len())));
        }
        for (share, number) in configuration.kms.shares.iter().zip(1..) {
            for key in &share.keys {
                rows.push(("KMS key", format!("share {number}: {} at {}", key.arn, key.endpoint)));
            }
        }
        let check = match configuration.kms.policy_check {
            PolicyCheck::Enforce => "no keyring under a key that is open to others",
            PolicyCheck::Report => "only reported",
        };
        rows.push(("KMS policy check", check.to_owned()));
        rows.push(("longest policy", format!("{} days", configuration.longest_bundle_lifetime_days)));
        let clock = configuration.clock;
        rows.push((
            "clock",
            format!("every {} s, drift up to {} ms", clock.resynchronise_s, clock.longest_drift_ms),
        ));
        let audit = configuration.audit;
        rows.push((
            "audit log",
            format!(
                "stored within {} s, witnessed every {} s, nothing signed after {} s without",
                audit.longest_unstored_s, audit.witness_s, audit.longest_unwitnessed_s
            ),
        ));
        rows
    }

    fn to_json(&self, file: &str) -> Value {
        json!({
            "file": file,
            "authority": self.authority,
            "digest": configuration::digest(self.payload),
            "pcr16": pcr16(self.payload),
            "admins": self.quorum.admins(),
            "threshold": self.quorum.threshold(),
            "configuration": self.configuration,
        })
    }
}

fn times(count: usize) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

fn pcr16(payload: &[u8]) -> HexBytes<48> {
    HexBytes(signer_eif::verify::pcr_after_extend(&configuration::digest(payload).0))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const KEY: &str =
        "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    /// A new directory for one test.
    pub(crate) fn test_directory() -> PathBuf {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        let path = std::env::temp_dir().join(format!("signerctl-test-{}", hex::encode(random)));
        std::fs::create_dir(&path).unwrap();
        path
    }

    /// A signed configuration in a new directory, with the key that signed it.
    pub(crate) fn signed_configuration() -> (PathBuf, PathBuf) {
        let directory = test_directory();
        let (key, config) = (directory.join("admin.pem"), directory.join("config.json"));
        AdminSecret::generate().unwrap().write(&OutputArgs { output: key.clone(), force: false }).unwrap();
        init(&init_args(&key, &config)).unwrap();
        sign(&SignArgs { file: config.clone(), key: key.clone() }, Terminal::plain().style()).unwrap();
        (config, key)
    }

    fn init_args(key: &Path, output: &Path) -> InitArgs {
        InitArgs {
            admin: vec![key.display().to_string()],
            threshold: 1,
            shares: vec![KEY.into()],
            endpoints: vec![],
            kms_policy_check: KmsPolicyCheck::Enforce,
            bundle_lifetime_days: 90,
            longest_unstored_s: 60,
            witness_s: 60,
            longest_unwitnessed_s: 3600,
            output: OutputArgs { output: output.to_owned(), force: false },
        }
    }

    #[test]
    fn init_sign_digest() {
        let directory = test_directory();
        let (key, config) = (directory.join("admin.pem"), directory.join("config.json"));
        AdminSecret::generate().unwrap().write(&OutputArgs { output: key.clone(), force: false }).unwrap();
        let style = Terminal::plain().style();

        let made = init(&init_args(&key, &config)).unwrap();
        let unsigned = digest(&config, style).unwrap();
        assert_eq!(unsigned.exit, EXIT_FAILED);
        assert_eq!(unsigned.json["signatures"]["valid"], 0);
        assert!(read_signed(&config).unwrap_err().advice().unwrap().contains("config sign"));

        sign(&SignArgs { file: config.clone(), key }, style).unwrap();
        let signed = digest(&config, style).unwrap();
        assert_eq!(signed.exit, 0);
        assert_eq!(signed.json["signatures"]["complete"], true);
        assert_eq!(signed.json["digest"], made.json["digest"]);

        let verified = read_signed(&config).unwrap();
        assert_eq!(signed.json["authority"], verified.authority.to_string());
        assert_eq!(signed.json["pcr16"], hex::encode(verified.pcr16()));
        assert_eq!(verified.configuration.kms.shares[0].keys[0].endpoint, "kms.us-east-1.amazonaws.com");
        assert_eq!(signed.json["configuration"]["kms"]["policy_check"], "enforce");
    }

    #[test]
    fn strangers_cannot_sign() {
        let (config, _) = signed_configuration();
        let stranger = test_directory().join("stranger.pem");
        AdminSecret::generate()
            .unwrap()
            .write(&OutputArgs { output: stranger.clone(), force: false })
            .unwrap();
        let before = files::read(&config).unwrap();
        let refused = sign(&SignArgs { file: config.clone(), key: stranger }, Terminal::plain().style());
        assert!(refused.err().unwrap().to_string().contains("not an admin"));
        assert_eq!(files::read(&config).unwrap(), before);
    }

    #[test]
    fn bad_configurations_are_named_by_field() {
        let (_, key) = signed_configuration();
        let output = test_directory().join("config.json");
        let mut args = init_args(&key, &output);
        args.shares = vec!["alias/mine".into()];
        assert!(init(&args).err().unwrap().to_string().starts_with("kms.shares[0].keys[0].arn"));
        let mut args = init_args(&key, &output);
        args.endpoints = vec![("arn:other".into(), "host".into())];
        assert!(init(&args).is_err());
        assert!(!output.exists());
    }
}
