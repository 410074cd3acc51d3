//! `signerctl session`: prove who asks once, and sign the next requests for less.

use aws_lc_rs::{
    agreement::{PrivateKey, UnparsedPublicKey, X25519, agree},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::json;
use signer_rules::{
    authority::AuthorityId,
    hex_bytes::HexBytes,
    http_signature::session::{MacKey, SALT},
    name::Name,
    statement::Statement,
    timestamp::Timestamp,
};
use signer_terminal::{Failure, Report, Terminal, fields, files::OutputArgs, http};
use zeroize::Zeroizing;

use crate::{
    cli::ServerArgs,
    client::{self, KeyArgs, ProofArgs, session_file::SessionFile},
};

const PATH: &str = "/v1/sessions";

/// Prove who asks once, and sign the next requests for less.
#[derive(Subcommand)]
pub(crate) enum SessionCommand {
    /// Open a session with a client's key.
    Open(OpenArgs),
}

/// Open a session with a client's key.
#[derive(Args)]
#[command(after_help = "Example:\n  \
    signerctl session open --url URL --client backend --client-key backend.pem --key-id backend-1 \\\n      \
        --config config.json --measurements eif.json --lifetime 1h --output session.json\n  \
    signerctl sign treasury request.json --url URL --session session.json\n\n\
    The file holds the session's key, with mode 0600: whoever reads it is the client until the session\n\
    expires. How long that can be is the policy's (\"sessions\" of the client).")]
pub(crate) struct OpenArgs {
    /// The client's name in the policy. The session's key depends on it: under a wrong name every request is refused.
    #[arg(long, value_name = "NAME")]
    client: Name,
    /// How long: seconds, or a number with s, m or h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration)]
    lifetime: u64,
    /// The only one of the client's roles that the session has; all of them if not given.
    #[arg(long, value_name = "NAME")]
    role: Option<Name>,
    #[command(flatten)]
    server: ServerArgs,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    proof: ProofArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is relied on of the answer.
#[derive(Deserialize)]
struct Opened {
    id: HexBytes<16>,
    ticket: String,
    expires: Timestamp,
    public_key: HexBytes<32>,
    keyring: Name,
}

pub(crate) fn run(command: &SessionCommand, terminal: &Terminal) -> Result<Report, Failure> {
    let SessionCommand::Open(args) = command;
    open(args, terminal)
}

fn open(args: &OpenArgs, terminal: &Terminal) -> Result<Report, Failure> {
    let proof = args.proof.read()?;
    let authority = proof.authority();
    let signer = args.key.signer(authority)?;
    let (Some(signer), Some(authority)) = (signer, authority) else {
        return Err(Failure::usage("only a client's key opens a session")
            .hint("give --client-key FILE.pem, --key-id ID and --config FILE"));
    };
    let checker = proof.checker(&args.server, terminal)?;
    let statement = checker.as_ref().and_then(client::Checker::statement);
    let server = client::connect(&args.server, Some(signer), checker)?;

    let own = PrivateKey::generate(&X25519).map_err(|_| no_agreement())?;
    let own_public = own.compute_public_key().map_err(|_| no_agreement())?;
    let own_public = HexBytes(own_public.as_ref().try_into().map_err(|_| no_agreement())?);
    let mut body = json!({ "public_key": own_public, "lifetime_s": args.lifetime });
    if let Some(role) = &args.role {
        body["role"] = json!(role);
    }
    let opened: Opened = http::read(&server.post(PATH, body.to_string())?, "POST /v1/sessions")?;
    if statement.is_some_and(|statement| !names(&statement, &opened)) {
        return Err(Failure::new("the session's key is not one that the attested enclave names"));
    }
    let id = opened.id;
    let mac_key = mac_key(&own, own_public, authority, &args.client, &opened)?;
    let ticket = opened.ticket.clone();
    let session = SessionFile::new(authority, args.client.clone(), id, ticket, &mac_key, opened.expires);
    session.write(&args.output)?;
    let file = args.output.output.display().to_string();
    let human = format!(
        "{}\n\nNext: signerctl sign WALLET REQUEST.json --session {file}",
        fields(&[
            ("file", file.clone()),
            ("client", args.client.to_string()),
            ("session", id.to_string()),
            ("expires", opened.expires.to_string()),
        ])
    );
    let json = json!({
        "file": file, "client": args.client, "id": id, "authority": authority, "expires": opened.expires,
    });
    Ok(Report::new(human, json))
}

/// The key that both sides derive; only the client and enclaves of the fleet have it.
fn mac_key(
    own: &PrivateKey,
    client_key: HexBytes<32>,
    authority: AuthorityId,
    client: &Name,
    opened: &Opened,
) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let info = MacKey {
        authority,
        keyring: &opened.keyring,
        client,
        client_key,
        enclave_key: opened.public_key,
        expires: opened.expires.seconds(),
        id: opened.id,
    }
    .info();
    let peer = UnparsedPublicKey::new(&X25519, opened.public_key.0);
    agree(own, peer, no_agreement(), |shared| {
        let mut key = Zeroizing::new([0; 32]);
        Salt::new(HKDF_SHA256, SALT.as_bytes())
            .extract(shared)
            .expand(&[&info], Bytes32)
            .and_then(|material| material.fill(key.as_mut()))
            .map_err(|_| no_agreement())?;
        Ok(key)
    })
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

/// Whether the attested statement names the session's key.
fn names(statement: &Statement, opened: &Opened) -> bool {
    statement.session_key == Some(opened.public_key)
}

fn no_agreement() -> Failure {
    Failure::new("no key could be agreed on with the enclave")
}

/// Seconds; a number alone, or with s, m or h.
pub(crate) fn parse_duration(text: &str) -> Result<u64, &'static str> {
    let (digits, factor) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(digits) if text.ends_with('h') => (digits, 3600),
        Some(digits) if text.ends_with('m') => (digits, 60),
        Some(digits) => (digits, 1),
        None => (text, 1),
    };
    let number: u64 = digits.parse().map_err(|_| "write seconds, or a number with s, m or h")?;
    number.checked_mul(factor).filter(|seconds| *seconds > 0).ok_or("out of range")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200)] {
            assert_eq!(parse_duration(text), Ok(seconds), "{text}");
        }
        for text in ["", "h", "0", "-1", "1d", "18446744073709551615h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn both_sides_derive_the_same_key() {
        let (one, other) = (PrivateKey::generate(&X25519).unwrap(), PrivateKey::generate(&X25519).unwrap());
        let public =
            |key: &PrivateKey| HexBytes(key.compute_public_key().unwrap().as_ref().try_into().unwrap());
        let opened = |public_key| Opened {
            id: HexBytes([1; 16]),
            ticket: String::new(),
            expires: "2026-01-31T00:00:00Z".parse().unwrap(),
            public_key,
            keyring: "default".parse().unwrap(),
        };
        let client = "backend".parse().unwrap();
        let authority = HexBytes([2; 32]);
        let derive =
            |own: &PrivateKey, peer| mac_key(own, HexBytes([9; 32]), authority, &client, &opened(peer));
        let first = derive(&one, public(&other)).ok().unwrap();
        assert_eq!(*first, *derive(&one, public(&other)).ok().unwrap());
        assert_ne!(*first, *derive(&other, public(&one)).ok().unwrap(), "the enclave's key is bound");
    }
}
