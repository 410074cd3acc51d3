//! `signer-eif manifest create`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;
use signer_eif::{
    contents::Kind,
    manifest::{Build, Input, Manifest},
};
use signer_rules::{configuration::SignedConfiguration, hex_bytes::HexBytes};
use signer_terminal::{
    Failure, Report, envelope, fields,
    files::{self, Access, OutputArgs},
};

use super::{json_of, rows_of};
use crate::command::measure;

const EXAMPLES: &str = "\
Example:
  signer-eif manifest create --image nitro-signer.eif --commit $(git rev-parse HEAD) \\
      --toolchain \"$(rustc --version)\" --build-command scripts/build-eif --inputs inputs.json \\
      --config config.json --output manifest.json

inputs.json is an array: [{\"name\":\"linux-image\",\"version\":\"6.12.30\",\"sha256\":\"...\"}, ...]. PCRs, digests,
command line and kind are read from the image. Nobody has signed the result: see manifest sign.";

/// Write a manifest that nobody has signed yet.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CreateArgs {
    /// The image.
    #[arg(long, value_name = "IMAGE.eif")]
    image: PathBuf,
    /// The commit of the source, in full.
    #[arg(long, value_name = "HEX")]
    commit: String,
    /// The compiler, as it names itself.
    #[arg(long, value_name = "TEXT")]
    toolchain: String,
    /// How to build the image again.
    #[arg(long, value_name = "TEXT")]
    build_command: String,
    /// What else went into the image: a JSON array of {name, version, sha256}.
    #[arg(long, value_name = "FILE")]
    inputs: Option<PathBuf>,
    /// SHA-384 of an appliance configuration with which the image may run. Repeatable.
    #[arg(long = "configuration", value_name = "HEX")]
    configurations: Vec<HexBytes<48>>,
    /// An appliance configuration, signed by its admins, with which the image may run. Repeatable.
    #[arg(long = "config", value_name = "FILE")]
    configs: Vec<PathBuf>,
    /// The version of nitro-cli, if that built the image.
    #[arg(long, value_name = "VERSION")]
    nitro_cli: Option<String>,
    /// Whom the image is for, if its ramdisks do not show it.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindArg {
    Production,
    Development,
}

pub(super) fn run(args: &CreateArgs) -> Result<Report, Failure> {
    let bytes = measure::read(&args.image)?;
    let build = Build {
        kind: args.kind.map(Kind::from),
        source_commit: args.commit.clone(),
        toolchain: args.toolchain.clone(),
        inputs: args.inputs.as_deref().map(inputs).transpose()?.unwrap_or_default(),
        build_command: args.build_command.clone(),
        configurations: configurations(args)?,
        nitro_cli: args.nitro_cli.clone(),
    };
    let manifest = Manifest::of(&bytes, build)
        .map_err(|error| Failure::new(format!("{}: {error}", args.image.display())))?;
    let envelope = manifest.to_envelope().map_err(Failure::new)?;
    args.output.write(envelope::json(&envelope)?.as_bytes(), Access::Public)?;

    let file = args.output.output.display().to_string();
    let mut rows = vec![("wrote", format!("{file} (nobody has signed it yet)"))];
    rows.extend(rows_of(&manifest));
    Ok(Report::new(fields(&rows), json!({ "file": file, "manifest": json_of(&manifest) })))
}

fn inputs(path: &Path) -> Result<Vec<Input>, Failure> {
    serde_json::from_slice(&files::read(path)?).map_err(|error| {
        Failure::new(format!("{}: {error}", path.display()))
            .hint("write [{\"name\":\"...\",\"version\":\"...\",\"sha256\":\"64 hexadecimal digits\"}, ...]")
    })
}

fn configurations(args: &CreateArgs) -> Result<Vec<HexBytes<48>>, Failure> {
    let mut digests = args.configurations.clone();
    for path in &args.configs {
        let signed = SignedConfiguration::verify(&files::read(path)?)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        digests.push(signed.digest);
    }
    digests.sort_unstable();
    digests.dedup();
    Ok(digests)
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Production => Self::Production,
            KindArg::Development => Self::Development,
        }
    }
}
