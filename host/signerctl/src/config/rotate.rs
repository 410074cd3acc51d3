//! Changing the admins: a transition that those before and those after sign, and the configuration
//! that contains it. The authority stays, and everything made under it.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use signer_rules::{
    authority::Quorum,
    configuration::SignedConfiguration,
    dsse::Envelope,
    transition::{self, FORMAT, PAYLOAD_TYPE, Tip, Transition},
};
use signer_terminal::{
    Failure, Report, Style,
    envelope::{self, EnvelopeFile, Signatures},
    fields,
    files::{Access, OutputArgs},
    keys::{self, AdminSecret},
};

use super::{KmsPolicyCheck, read_admins, read_signed, write_unsigned};

const FLOW: &str = "The whole flow:\n  \
    signerctl config rotate config.json --admin NEW-1.pem --admin NEW-2.pem --threshold 2 --output transition.json\n  \
    signerctl config rotate-sign transition.json --config config.json --key OLD-1.pem   (the quorum before)\n  \
    signerctl config rotate-sign transition.json --config config.json --key NEW-1.pem   (every new admin)\n  \
    signerctl config next config.json --transition transition.json --output next.json\n  \
    signerctl config sign next.json --key NEW-1.pem                                     (the quorum after)\n\n\
    Before enclaves take it: push a bundle that both quorums signed (policy init --config\n\
    config.json, policy sign with OLD and NEW keys), or they refuse every stored bundle and stay in\n\
    booting; then give the key policy of next.json to KMS. docs/operations.md, Changing the admins.";

/// Write a change of admins that nobody has signed yet.
#[derive(Args)]
#[command(after_help = FLOW)]
pub(crate) struct RotateArgs {
    /// The configuration in force, signed by its quorum.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// The public key of an admin after the change, also of those who stay: 64 hexadecimal digits,
    /// or a PEM file (private or public). Repeatable.
    #[arg(long, value_name = "HEX|FILE", required = true)]
    admin: Vec<String>,
    /// How many of them must sign.
    #[arg(long, value_name = "K")]
    threshold: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// Add the signature of an admin, former or new, to a change of admins.
#[derive(Args)]
#[command(after_help = FLOW)]
pub(crate) struct RotateSignArgs {
    /// The transition; the signature is added to it.
    #[arg(value_name = "TRANSITION")]
    file: PathBuf,
    /// The configuration in force, which it changes.
    #[arg(long, value_name = "CONFIG")]
    config: PathBuf,
    /// The private key of an admin before or after.
    #[arg(long, value_name = "FILE.pem")]
    key: PathBuf,
}

/// Write the configuration that succeeds another, for the admins after the change to sign.
#[derive(Args)]
#[command(after_help = FLOW)]
pub(crate) struct NextArgs {
    /// The configuration in force, signed by its quorum.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// A change of admins that all who must have signed.
    #[arg(long, value_name = "FILE", required_unless_present = "kms_policy_check")]
    transition: Option<PathBuf>,
    /// What an enclave does from then on if a KMS key or its key policy is not as `kms-policy` has it.
    #[arg(long, value_name = "WHAT", value_enum)]
    kms_policy_check: Option<KmsPolicyCheck>,
    #[command(flatten)]
    output: OutputArgs,
}

pub(super) fn rotate(args: &RotateArgs, style: Style) -> Result<Report, Failure> {
    let tip = tip(&read_signed(&args.config)?)?;
    let number = usize::from(tip.number).saturating_add(1);
    if number > transition::MAX_TRANSITIONS {
        return Err(Failure::new(format!("an appliance has {} transitions at most", tip.number))
            .hint("make a new appliance with config init, and move the assets to its wallets"));
    }
    let transition = Transition {
        format: FORMAT.to_owned(),
        authority: tip.authority,
        number: tip.number.saturating_add(1),
        previous: tip.digest,
        admins: read_admins(&args.admin)?,
        threshold: args.threshold,
    };
    let payload = serde_json::to_vec_pretty(&transition).map_err(Failure::new)?;
    // The enclave's own checks, but for the signatures.
    let after = tip.judge(&payload).map_err(Failure::new)?;
    let unsigned = Envelope::unsigned(PAYLOAD_TYPE, &payload);
    args.output.write(envelope::json(&unsigned)?.as_bytes(), Access::Public)?;
    let file = args.output.output.display().to_string();
    let view = View { tip: &tip, after: &after, envelope: &unsigned };
    let human = format!(
        "{}\n\nNext: signerctl config rotate-sign {file} --config {} --key FILE.pem\n\
         ({} of the admins before, and every admin after)",
        fields(&view.rows(&file, style)),
        args.config.display(),
        tip.quorum.threshold()
    );
    Ok(Report::new(human, view.to_json(&file)))
}

pub(super) fn sign(args: &RotateSignArgs, style: Style) -> Result<Report, Failure> {
    let tip = tip(&read_signed(&args.config)?)?;
    let mut file = EnvelopeFile::read(&args.file, PAYLOAD_TYPE)?;
    let after = tip.judge(file.unverified_payload()).map_err(|error| {
        Failure::new(format!("{}: {error}", args.file.display()))
            .hint("was it made with config rotate from this --config?")
    })?;
    let key = AdminSecret::read(&args.key)?;
    let public = keys::public_hex(&key.public());
    if !tip.quorum.admins().contains(&key.public()) && !after.quorum.admins().contains(&key.public()) {
        return Err(Failure::new(format!("key {public} is no admin before the change or after it"))
            .hint("sign with a key that config digest lists, or that config rotate named with --admin"));
    }
    file.sign(&key)?;
    let name = args.file.display().to_string();
    let view = View { tip: &tip, after: &after, envelope: file.envelope() };
    let human = format!("{} with key {public}\n\n{}", style.bold("Signed"), fields(&view.rows(&name, style)));
    let mut json = view.to_json(&name);
    json["signed_by"] = json!({ "public_key": public, "key_id": key.public().id() });
    Ok(Report::new(human, json))
}

pub(super) fn next(args: &NextArgs) -> Result<Report, Failure> {
    let current = read_signed(&args.config)?;
    let tip = tip(&current)?;
    let mut configuration = current.configuration;
    configuration.epoch = configuration.epoch.saturating_add(1);
    if let Some(path) = &args.transition {
        let file = EnvelopeFile::read(path, PAYLOAD_TYPE)?;
        tip.after(file.envelope()).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display())).hint(format!(
                "let them sign: signerctl config rotate-sign {} --config {} --key FILE.pem",
                path.display(),
                args.config.display()
            ))
        })?;
        configuration.transitions.push(file.envelope().clone());
    }
    if let Some(check) = args.kms_policy_check {
        configuration.kms.policy_check = check.into();
    }
    write_unsigned(&configuration, &args.output)
}

fn tip(configuration: &SignedConfiguration) -> Result<Tip, Failure> {
    let configuration = &configuration.configuration;
    transition::tip(&configuration.genesis, &configuration.transitions)
        .map_err(|(_, error)| Failure::new(error))
}

/// A transition as people and programs see it.
struct View<'a> {
    tip: &'a Tip,
    after: &'a Tip,
    envelope: &'a Envelope,
}

impl View<'_> {
    fn before(&self) -> Signatures {
        Signatures::of(self.envelope, PAYLOAD_TYPE, self.tip.quorum.admins(), self.tip.quorum.threshold())
    }

    /// All of them: each shows that there is a private key.
    fn possession(&self) -> Signatures {
        let admins = self.after.quorum.admins();
        Signatures::of(self.envelope, PAYLOAD_TYPE, admins, admins.len())
    }

    fn rows(&self, file: &str, style: Style) -> Vec<(&'static str, String)> {
        let mut rows = vec![
            ("file", file.to_owned()),
            ("authority", self.tip.authority.to_string()),
            ("transition", self.after.number.to_string()),
            ("digest (SHA-256)", self.after.digest.to_string()),
            ("threshold before", threshold(&self.tip.quorum)),
            ("threshold after", threshold(&self.after.quorum)),
        ];
        rows.extend(self.after.quorum.admins().iter().map(|admin| ("admin after", keys::public_hex(admin))));
        rows.push(("signed before", self.before().summary(style)));
        rows.push(("signed after", self.possession().summary(style)));
        rows
    }

    fn to_json(&self, file: &str) -> Value {
        let (before, possession) = (self.before(), self.possession());
        json!({
            "file": file,
            "authority": self.tip.authority,
            "number": self.after.number,
            "digest": self.after.digest,
            "admins": self.after.quorum.admins(),
            "threshold": self.after.quorum.threshold(),
            "complete": before.complete() && possession.complete(),
            "signatures": { "before": before.to_json(), "after": possession.to_json() },
        })
    }
}

fn threshold(quorum: &Quorum) -> String {
    format!("{} of {} admins", quorum.threshold(), quorum.admins().len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use signer_terminal::{Terminal, envelope::SignArgs};

    use super::*;
    use crate::config::tests::{signed_configuration, test_directory};

    fn output(directory: &Path, name: &str) -> OutputArgs {
        OutputArgs { output: directory.join(name), force: false }
    }

    fn new_key(directory: &Path, name: &str) -> PathBuf {
        AdminSecret::generate().unwrap().write(&output(directory, name)).unwrap();
        directory.join(name)
    }

    #[test]
    fn admins_hand_over() {
        let (config, old) = signed_configuration();
        let directory = test_directory();
        let style = Terminal::plain().style();
        let new = ["new-1.pem", "new-2.pem"].map(|name| new_key(&directory, name));
        let rotation = RotateArgs {
            config: config.clone(),
            admin: new.iter().map(|key| key.display().to_string()).collect(),
            threshold: 2,
            output: output(&directory, "transition.json"),
        };
        assert_eq!(rotate(&rotation, style).unwrap().json["complete"], false);
        let transition = directory.join("transition.json");
        let sign_with = |key: &PathBuf| {
            let (file, config) = (transition.clone(), config.clone());
            sign(&RotateSignArgs { file, config, key: key.clone() }, style)
        };
        let next_args = NextArgs {
            config: config.clone(),
            transition: Some(transition.clone()),
            kms_policy_check: None,
            output: output(&directory, "next.json"),
        };
        let early = next(&next_args).err().unwrap();
        assert!(early.advice().unwrap().contains("rotate-sign"), "{early}");
        assert!(sign_with(&new_key(&directory, "stranger.pem")).is_err());
        assert_eq!(sign_with(&old).unwrap().json["complete"], false);
        assert_eq!(sign_with(&new[0]).unwrap().json["complete"], false);
        assert!(next(&next_args).err().unwrap().to_string().contains("new admins"));
        assert_eq!(sign_with(&new[1]).unwrap().json["complete"], true);

        let made = next(&next_args).unwrap();
        assert_eq!(made.json["configuration"]["epoch"], 1);
        let file = directory.join("next.json");
        let as_admin =
            |key: &PathBuf| super::super::sign(&SignArgs { file: file.clone(), key: key.clone() }, style);
        assert!(as_admin(&old).err().unwrap().to_string().contains("not an admin"));
        as_admin(&new[0]).unwrap();
        assert!(read_signed(&file).is_err());
        as_admin(&new[1]).unwrap();
        let (before, after) = (read_signed(&config).unwrap(), read_signed(&file).unwrap());
        assert_eq!(after.authority, before.authority);
        assert_ne!(after.pcr16(), before.pcr16());
        assert_eq!((after.quorum.admins().len(), after.quorum.threshold()), (2, 2));
    }
}
