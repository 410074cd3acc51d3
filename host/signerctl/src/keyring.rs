//! `signerctl keyring`: create a keyring, with a proof of where its key was made.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use signer_eif::{
    examine::{Answer, Development, Examination, Expected, Image, MAX_AGE_MS, Outcome},
    options::{RootArgs, now_ms},
};
use signer_rules::{
    bundle::Keyring,
    configuration::SignedConfiguration,
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    keyring_request::{FORMAT, KeyringRequest, KeyringRequestError, PAYLOAD_TYPE},
    name::Name,
    timestamp::Timestamp,
};
use signer_terminal::{
    EXIT_FAILED, Failure, Report, Style, Terminal,
    envelope::{self, EnvelopeFile, SignArgs},
    fields,
    files::{Access, OutputArgs},
    http,
    keys::{self, AdminSecret},
};

use crate::{
    cli::ServerArgs,
    config::{self, KEY_NOT_CHECKED, require_admin, signatures},
    measurements::MeasurementArgs,
};

/// Create keyrings, with a proof of where their key was made.
#[derive(Subcommand)]
pub(crate) enum KeyringCommand {
    /// Create a keyring in a running enclave, and verify its proof.
    Create(Box<CreateArgs>),
    /// Write a request to create a keyring, for admins who sign on different machines.
    Request(RequestArgs),
    /// Add an admin's signature to a request.
    Sign(SignRequestArgs),
}

/// Create a keyring in a running enclave, and verify its proof.
#[derive(Args)]
#[command(after_help = "Examples:\n  \
    signerctl keyring create --url http://127.0.0.1:8080 --config config.json --keyring default \\\n      \
        --key admin-1.pem --key admin-2.pem --measurements eif.json\n  \
    signerctl keyring create --url URL --config config.json --request request.json --measurements eif.json\n\n\
    Nothing uses the new keyring until the admins sign its fingerprint into a policy:\n  \
    signerctl policy init --keyring ID=FINGERPRINT ...")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// The configuration that the enclave must run.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The new keyring's name: 1 to 63 of a-z, 0-9 and '-'.
    #[arg(long, value_name = "ID", required_unless_present = "request", conflicts_with = "request")]
    keyring: Option<Name>,
    /// An admin's private key; as many as the threshold needs. Repeatable.
    #[arg(long, value_name = "FILE.pem", required_unless_present = "request", conflicts_with = "request")]
    key: Vec<PathBuf>,
    /// A request that enough admins signed already: see keyring request and keyring sign.
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    #[command(flatten)]
    measurements: MeasurementArgs,
    /// Do without measurements: any program in any enclave may have made the key. For development.
    #[arg(long, conflicts_with_all = ["measurements", "pcr0"])]
    allow_any_image: bool,
    #[command(flatten)]
    root: RootArgs,
}

/// Write a request to create a keyring.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl keyring request --config config.json --keyring default --valid-minutes 120 --output request.json\n  \
    signerctl keyring sign request.json --key admin-1.pem --config config.json\n  \
    signerctl keyring create --url URL --config config.json --request request.json --measurements eif.json")]
pub(crate) struct RequestArgs {
    /// The configuration of the appliance.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The new keyring's name.
    #[arg(long, value_name = "ID")]
    keyring: Name,
    /// Sign with this key already. Repeatable.
    #[arg(long, value_name = "FILE.pem")]
    key: Vec<PathBuf>,
    /// How long the request can be used.
    #[arg(long, value_name = "MINUTES", default_value = "15", value_parser = clap::value_parser!(u64).range(1..=1440))]
    valid_minutes: u64,
    #[command(flatten)]
    output: OutputArgs,
}

/// Add an admin's signature to a request.
#[derive(Args)]
pub(crate) struct SignRequestArgs {
    #[command(flatten)]
    sign: SignArgs,
    /// The configuration, to check the request against it and to count signatures.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// What is relied on of the answer, beside its proof.
#[derive(Deserialize)]
struct Created {
    keyring: Keyring,
}

pub(crate) fn run(command: &KeyringCommand, terminal: &Terminal) -> Result<Report, Failure> {
    match command {
        KeyringCommand::Create(args) => create(args, terminal),
        KeyringCommand::Request(args) => request(args, terminal.style()),
        KeyringCommand::Sign(args) => sign(args, terminal),
    }
}

fn create(args: &CreateArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let server = args.server.connect()?;
    let measurements = args.measurements.read()?;
    let image = match &measurements {
        Some(measurements) => Image::Measured(measurements),
        None if args.allow_any_image => {
            terminal
                .warn("ANY IMAGE: whatever program answers may know this keyring's key. Development only.");
            Image::Any
        }
        None => {
            return Err(Failure::usage("nothing says which image may make the key")
                .hint("give --measurements FILE or --pcr0 HEX; for development, --allow-any-image"));
        }
    };
    let root = args.root.read(terminal)?;
    let configuration = config::read_signed(&args.config)?;
    let envelope = match (&args.request, &args.keyring) {
        (Some(path), _) => EnvelopeFile::read(path, PAYLOAD_TYPE)?.to_json()?,
        (None, Some(keyring)) => envelope::json(&signed_request(&configuration, keyring, &args.key, 15)?)?,
        (None, None) => return Err(Failure::usage("give --keyring and --key, or --request")),
    };
    let request = verify(&envelope, &configuration)?;

    let answer = server.post("/v1/keyrings", envelope)?;
    let created: Created = http::read(&answer, "POST /v1/keyrings")?;
    let proof: Answer = http::read(&answer, "POST /v1/keyrings")?;
    if created.keyring.id != request.keyring {
        return Err(Failure::new(format!(
            "the server answered with keyring {}, and {} was asked for",
            created.keyring.id, request.keyring
        )));
    }
    let expected = Expected {
        now_ms: now_ms(),
        max_age_ms: MAX_AGE_MS,
        nonce: Some(&request.nonce.0),
        image,
        authority: None,
        configuration: Some(&configuration),
        configurations: &[],
        policy: None,
        keyrings: &[],
        created: Some(&created.keyring),
        development: Development::Emulated,
    };
    let examination = Examination::of(&proof, root, &expected);
    Ok(report(&created.keyring, &proof, &examination, terminal.style()))
}

/// The fingerprint is written only if everything holds: admins copy it into what they sign.
fn report(keyring: &Keyring, proof: &Answer, examination: &Examination, style: Style) -> Report {
    let table = examination.table(style);
    let mut json = examination.to_json();
    json["boot_id"] = json!(proof.boot_id);
    if examination.outcome() != Outcome::Match {
        json["keyring"] = Value::Null;
        let verdict = style.bad("DOES NOT MATCH: do not sign this keyring into a policy.");
        return Report { human: format!("{table}\n\n{verdict}"), json, exit: EXIT_FAILED };
    }
    json["keyring"] = json!(keyring);
    let human = format!(
        "{table}\n\n{}\n{}\n\nNext: signerctl policy init --keyring {}={} ...",
        style.good("Created, and its proof holds."),
        fields(&[("keyring", keyring.id.to_string()), ("fingerprint", keyring.fingerprint.to_string())]),
        keyring.id,
        keyring.fingerprint
    );
    Report::new(human, json)
}

fn request(args: &RequestArgs, style: Style) -> Result<Report, Failure> {
    let configuration = config::read_signed(&args.config)?;
    let envelope = signed_request(&configuration, &args.keyring, &args.key, args.valid_minutes)?;
    args.output.write(envelope::json(&envelope)?.as_bytes(), Access::Public)?;
    let payload = envelope.unverified_payload().map_err(Failure::new)?;
    let request = parse(&payload)?;
    let signatures = signatures(&envelope, PAYLOAD_TYPE, &configuration.quorum);
    let file = args.output.output.display().to_string();
    let mut rows = rows(&file, &request);
    rows.push(("signatures", signatures.summary(style)));
    let mut json = to_json(&file, &request);
    json["signatures"] = signatures.to_json();
    Ok(Report::new(fields(&rows), json))
}

fn sign(args: &SignRequestArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let (SignArgs { file: path, key }, style) = (&args.sign, terminal.style());
    let mut file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
    let request = parse(file.unverified_payload())?;
    let configuration = args.config.as_deref().map(config::read_signed).transpose()?;
    let key = AdminSecret::read(key)?;
    if let Some(configuration) = &configuration {
        require_admin(&key, &configuration.quorum)?;
        if request.authority != configuration.authority {
            return Err(Failure::new("the request is for another authority than the configuration's")
                .hint("is --config of another appliance?"));
        }
    } else {
        terminal.warn(KEY_NOT_CHECKED);
    }
    file.sign(&key)?;
    let name = path.display().to_string();
    let public = keys::public_hex(&key.public());
    let mut rows = rows(&name, &request);
    let mut json = to_json(&name, &request);
    json["signed_by"] = json!({ "public_key": public, "key_id": key.public().id() });
    if let Some(configuration) = &configuration {
        let signatures = signatures(file.envelope(), PAYLOAD_TYPE, &configuration.quorum);
        rows.push(("signatures", signatures.summary(style)));
        json["signatures"] = signatures.to_json();
    }
    let human = format!("{} with key {public}\n\n{}", style.bold("Signed"), fields(&rows));
    Ok(Report::new(human, json))
}

fn signed_request(
    configuration: &SignedConfiguration,
    keyring: &Name,
    keys: &[PathBuf],
    minutes: u64,
) -> Result<Envelope, Failure> {
    let mut nonce = [0; 32];
    aws_lc_rs::rand::fill(&mut nonce).map_err(|_| Failure::new("the system gives no randomness"))?;
    let request = KeyringRequest {
        format: FORMAT.to_owned(),
        authority: configuration.authority,
        keyring: keyring.clone(),
        nonce: HexBytes(nonce),
        expires: Timestamp::from_seconds(now_ms() / 1000 + minutes * 60),
    };
    let payload = serde_json::to_vec_pretty(&request).map_err(Failure::new)?;
    let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &payload);
    for path in keys {
        let key = AdminSecret::read(path)?;
        require_admin(&key, &configuration.quorum)?;
        key.sign(&mut envelope).map_err(Failure::new)?;
    }
    Ok(envelope)
}

/// What the enclave will check too: here the answer says what to do.
fn verify(envelope: &str, configuration: &SignedConfiguration) -> Result<KeyringRequest, Failure> {
    let now = Timestamp::from_millis(now_ms());
    KeyringRequest::verify(envelope.as_bytes(), configuration, now).map_err(|error| {
        let failure = Failure::new(&error);
        match error {
            KeyringRequestError::Envelope(DsseError::Quorum { .. }) => {
                failure.hint("give --key once for each admin, or collect signatures with keyring request")
            }
            KeyringRequestError::Expired(_) => failure.hint("make a new one with keyring request"),
            KeyringRequestError::ForeignAuthority { .. } => failure.hint("is --config of another appliance?"),
            _ => failure,
        }
    })
}

fn parse(payload: &[u8]) -> Result<KeyringRequest, Failure> {
    serde_json::from_slice(payload).map_err(|error| Failure::new(format!("not a keyring request: {error}")))
}

fn rows(file: &str, request: &KeyringRequest) -> Vec<(&'static str, String)> {
    vec![
        ("file", file.to_owned()),
        ("creates", format!("keyring {}", request.keyring)),
        ("authority", request.authority.to_string()),
        ("nonce", request.nonce.to_string()),
        ("expires", request.expires.to_string()),
    ]
}

fn to_json(file: &str, request: &KeyringRequest) -> Value {
    json!({
        "file": file, "authority": request.authority, "keyring": request.keyring, "nonce": request.nonce,
        "expires": request.expires,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{signed_configuration, test_directory};

    #[test]
    fn requests_are_signed_here_or_elsewhere() {
        let (config, key) = signed_configuration();
        let output = OutputArgs { output: test_directory().join("request.json"), force: false };
        let path = output.output.clone();
        let args = RequestArgs {
            config: config.clone(),
            keyring: "default".parse().unwrap(),
            key: vec![],
            valid_minutes: 15,
            output,
        };
        let terminal = Terminal::plain();
        let made = request(&args, terminal.style()).unwrap();
        assert_eq!(made.json["signatures"]["complete"], false);

        let configuration = config::read_signed(&config).unwrap();
        let envelope = || EnvelopeFile::read(&path, PAYLOAD_TYPE).unwrap().to_json().unwrap();
        assert!(verify(&envelope(), &configuration).unwrap_err().advice().unwrap().contains("--key"));
        let signed_with = |key: &PathBuf| {
            let signed = SignArgs { file: path.clone(), key: key.clone() };
            sign(&SignRequestArgs { sign: signed, config: Some(config.clone()) }, &terminal)
        };
        let stranger = OutputArgs { output: test_directory().join("stranger.pem"), force: false };
        AdminSecret::generate().unwrap().write(&stranger).unwrap();
        assert!(signed_with(&stranger.output).is_err(), "no admin's key");
        assert_eq!(signed_with(&key).unwrap().json["signatures"]["complete"], true);
        let request = verify(&envelope(), &configuration).unwrap();
        assert_eq!(request.keyring.as_str(), "default");
        assert_eq!(made.json["nonce"], request.nonce.to_string());
    }
}
