//! `signerctl policy keygen`: a client's or an approver's key, and its entry for a bundle.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use signer_rules::name::Name;
use signer_terminal::{
    Failure, Report,
    client_keys::{ClientAlgorithm, ClientSecret},
    fields,
    files::OutputArgs,
    indented,
};

/// Make a client's or an approver's key, and print its entry for a bundle.
#[derive(Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["output", "show"]),
    after_help = "Examples:\n  \
        signerctl policy keygen --output backend.pem --id backend-1\n  \
        signerctl policy keygen --output backend.pem --id backend-1 --algorithm ecdsa-p256-sha256\n  \
        signerctl policy keygen --output alice.pem --id alice --approver\n  \
        signerctl policy keygen --show backend.pem --id backend-1\n\n\
        The entry of a client's key goes into \"auth\": {\"keys\": [...]} of the client, that of an\n\
        approver into \"approvers\". The file is a plain PKCS#8 PEM with mode 0600: keep it where the\n\
        client runs, or with the approver, and nowhere else."
)]
pub(crate) struct KeygenArgs {
    /// What the bundle calls the key: 1 to 63 of a-z, 0-9 and '-'. Requests name it with --key-id.
    #[arg(long, value_name = "NAME")]
    id: Name,
    /// How the key signs. Approvers sign with Ed25519.
    #[arg(long, value_name = "ALGORITHM", default_value = "ed25519", conflicts_with = "show")]
    algorithm: ClientAlgorithm,
    /// Print the entry of an approver.
    #[arg(long)]
    approver: bool,
    /// Write a new private key to this file, with mode 0600.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the file if it is there. The old key is lost.
    #[arg(long, requires = "output")]
    force: bool,
    /// Print the entry of the private key in this file.
    #[arg(long, value_name = "FILE")]
    show: Option<PathBuf>,
}

pub(super) fn run(args: &KeygenArgs) -> Result<Report, Failure> {
    let (key, file) = match (&args.output, &args.show) {
        (Some(output), _) => {
            require_ed25519(args, args.algorithm)?;
            let key = ClientSecret::generate(args.algorithm)?;
            key.write(&OutputArgs { output: output.clone(), force: args.force })?;
            (key, output)
        }
        (None, Some(file)) => (ClientSecret::read(file)?, file),
        (None, None) => return Err(Failure::usage("give --output or --show")),
    };
    require_ed25519(args, key.algorithm())?;
    let file = file.display().to_string();
    let entry = entry(args, &key);
    let place = if args.approver { "\"approvers\"" } else { "\"keys\" of the client's \"auth\"" };
    let human = format!(
        "{}\n\nThe entry, for {place}:\n{}",
        fields(&[
            ("file", file.clone()),
            ("algorithm", key.algorithm().to_string()),
            ("public key", key.public_hex()),
        ]),
        indented(&entry)
    );
    Ok(Report::new(human, json!({ "file": file, "algorithm": key.algorithm().as_str(), "entry": entry })))
}

fn entry(args: &KeygenArgs, key: &ClientSecret) -> Value {
    let public = key.public_hex();
    if args.approver {
        return json!({ "id": args.id, "public_key": public });
    }
    json!({ "id": args.id, "algorithm": key.algorithm().as_str(), "public_key": public })
}

fn require_ed25519(args: &KeygenArgs, algorithm: ClientAlgorithm) -> Result<(), Failure> {
    if args.approver && algorithm != ClientAlgorithm::Ed25519 {
        return Err(Failure::usage("approvers sign with Ed25519").hint("leave --algorithm out"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use signer_rules::bundle::{Approver, ClientKey};

    use super::*;
    use crate::config::tests::test_directory;

    #[test]
    fn entries_are_what_bundles_take() {
        let file = test_directory().join("key.pem");
        let mut args = KeygenArgs {
            id: "backend-1".parse().unwrap(),
            algorithm: ClientAlgorithm::EcdsaP256Sha256,
            approver: false,
            output: Some(file.clone()),
            force: false,
            show: None,
        };
        let made = run(&args).unwrap().json;
        let key: ClientKey = serde_json::from_value(made["entry"].clone()).unwrap();
        assert_eq!((key.algorithm.as_str(), key.public_key.0.len()), ("ecdsa-p256-sha256", 65));
        assert!(run(&args).err().unwrap().advice().unwrap().contains("--force"));

        (args.output, args.show) = (None, Some(file.clone()));
        assert_eq!(run(&args).unwrap().json, made);
        args.approver = true;
        assert!(run(&args).err().unwrap().to_string().contains("Ed25519"));

        (args.output, args.show, args.force) = (Some(file), None, true);
        args.algorithm = ClientAlgorithm::Ed25519;
        let made = run(&args).unwrap().json;
        assert!(serde_json::from_value::<Approver>(made["entry"].clone()).is_ok(), "{made}");
    }
}
