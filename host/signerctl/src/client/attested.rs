//! Enclaves that prove what they are, so that their answers can be believed.

use std::path::PathBuf;

use clap::Args;
use signer_eif::{
    examine::{
        Answer, Check, Development, Examination, Expected, Image, MAX_AGE_MS, Measurements, Outcome, Verdict,
    },
    manifest::Manifest,
    options::{Nonce, RootArgs, now_ms},
    verify::Root,
};
use signer_rules::{
    authority::AuthorityId, configuration::SignedConfiguration, dsse::Envelope, hex_bytes::HexBytes,
    statement::Statement,
};
use signer_terminal::{
    Failure, Terminal, files,
    http::{self, Server},
    keys::read_public,
};

use super::answers::Checker;
use crate::{cli::ServerArgs, config, measurements::MeasurementArgs};

/// Which enclave is believed.
#[derive(Args)]
pub(crate) struct ProofArgs {
    /// The configuration that the enclave must run; names the authority that requests are for.
    #[arg(long, value_name = "FILE", conflicts_with = "authority")]
    pub(crate) config: Option<PathBuf>,
    /// The authority that the enclave must obey and that requests are for.
    #[arg(long, value_name = "HEX")]
    pub(crate) authority: Option<AuthorityId>,
    #[command(flatten)]
    measurements: MeasurementArgs,
    /// The published manifest of the image, signed: in place of --measurements.
    #[arg(
        long, value_name = "FILE", requires = "manifest_signers",
        conflicts_with_all = ["measurements", "pcr0", "pcr1", "pcr2"]
    )]
    manifest: Option<PathBuf>,
    /// Who must have signed the manifest: a public key, or its file. Repeatable.
    #[arg(long = "manifest-signer", value_name = "HEX|FILE", requires = "manifest")]
    manifest_signers: Vec<String>,
    /// How many of them; all if not given.
    #[arg(long, value_name = "K", requires = "manifest")]
    manifest_threshold: Option<usize>,
    #[command(flatten)]
    root: RootArgs,
    /// Take answers that nobody proved to be the enclave's.
    #[arg(long)]
    unverified: bool,
}

/// What [`ProofArgs`] name, read.
pub(crate) struct Proof<'a> {
    args: &'a ProofArgs,
    configuration: Option<SignedConfiguration>,
    image: Option<Measured>,
}

struct Measured {
    measurements: Measurements,
    /// Under which it may run; empty: under any.
    configurations: Vec<HexBytes<48>>,
}

/// Asks enclaves for proof.
pub(super) struct Attestor {
    server: Server,
    root: Root,
    authority: Option<AuthorityId>,
    configuration: Option<SignedConfiguration>,
    image: Measured,
}

impl ProofArgs {
    /// Reads what is named, and checks who signed it.
    pub(crate) fn read(&self) -> Result<Proof<'_>, Failure> {
        let configuration = self.config.as_deref().map(config::read_signed).transpose()?;
        let plain = |measurements| Measured { measurements, configurations: Vec::new() };
        let image = match &self.manifest {
            Some(_) => self.read_manifest()?,
            None => self.measurements.read()?.map(plain),
        };
        Ok(Proof { args: self, configuration, image })
    }

    fn read_manifest(&self) -> Result<Option<Measured>, Failure> {
        let Some(path) = &self.manifest else { return Ok(None) };
        let failed = |error: String| Failure::new(format!("{}: {error}", path.display()));
        let signers =
            self.manifest_signers.iter().map(|text| read_public(text)).collect::<Result<Vec<_>, _>>()?;
        let threshold = self.manifest_threshold.unwrap_or(signers.len());
        let envelope = Envelope::from_json(&files::read(path)?).map_err(|error| failed(error.to_string()))?;
        let manifest =
            Manifest::verify(&envelope, &signers, threshold).map_err(|error| failed(error.to_string()))?;
        let pcrs = manifest.pcrs;
        let measurements =
            Measurements { pcr0: pcrs.pcr0, pcr1: Some(pcrs.pcr1), pcr2: Some(pcrs.pcr2), pcr8: pcrs.pcr8 };
        Ok(Some(Measured { measurements, configurations: manifest.configurations }))
    }
}

impl Proof<'_> {
    /// The authority that requests are for, if it is known.
    pub(crate) fn authority(&self) -> Option<AuthorityId> {
        self.args.authority.or(self.configuration.as_ref().map(|signed| signed.authority))
    }

    /// What checks the answers of this appliance; none, with a warning, if nobody said what to check them with.
    pub(crate) fn checker(
        self,
        server: &ServerArgs,
        terminal: &Terminal,
    ) -> Result<Option<Checker>, Failure> {
        if self.args.unverified {
            terminal.warn("UNVERIFIED: nothing proves that the answer is an enclave's");
            return Ok(None);
        }
        let authority = self.authority();
        match (self.image, authority) {
            (Some(image), Some(_)) => {
                let attestor = Attestor {
                    server: server.connect()?,
                    root: self.args.root.read(terminal)?,
                    authority: self.args.authority,
                    configuration: self.configuration,
                    image,
                };
                Checker::new(attestor, terminal).map(Some)
            }
            (Some(_), None) => Err(Failure::usage("an image alone does not say whose enclave it must be")
                .hint("give --config FILE or --authority HEX")),
            (None, known) => {
                let missing = if known.is_some() { "" } else { "--config FILE and " };
                terminal.warn(&format!(
                    "the answer is not checked: nothing proves that it is an enclave's. Give {missing}--measurements \
                     FILE (or --manifest), or say --unverified"
                ));
                Ok(None)
            }
        }
    }
}

impl Attestor {
    /// One that expects an image that there is not.
    #[cfg(test)]
    pub(super) fn of_nothing(server: Server) -> Self {
        let measurements = Measurements { pcr0: HexBytes([1; 48]), pcr1: None, pcr2: None, pcr8: None };
        let image = Measured { measurements, configurations: Vec::new() };
        Self { server, root: Root::aws(), authority: None, configuration: None, image }
    }

    /// Has whichever enclave answers prove that it is one of those expected.
    pub(super) fn attest(&self) -> Result<Statement, Failure> {
        let nonce = Nonce::random()?;
        let answer: Answer = http::read(&self.server.get(&nonce.attestation_path())?, "GET /v1/attestation")?;
        let expected = Expected {
            now_ms: now_ms(),
            max_age_ms: MAX_AGE_MS,
            nonce: Some(nonce.as_bytes()),
            image: Image::Measured(&self.image.measurements),
            authority: self.authority,
            configuration: self.configuration.as_ref(),
            configurations: &self.image.configurations,
            policy: None,
            keyrings: &[],
            created: None,
            development: Development::Emulated,
        };
        let examination = Examination::of(&answer, self.root, &expected);
        if let (Outcome::Match, Some(statement)) = (examination.outcome(), &examination.statement) {
            return Ok(statement.clone());
        }
        let open = |check: &&Check| matches!(check.verdict, Verdict::Fail | Verdict::NotChecked);
        let wrong: Vec<&str> = examination.checks.iter().filter(open).map(|check| check.name).collect();
        let message = format!("the enclave does not prove to be the one you expect: {}", wrong.join(", "));
        Err(Failure::new(message).hint(
            "see every check: signerctl attest with the same options, or with a manifest: signer-eif verify --url URL \
             --manifest FILE --manifest-signer KEY --config FILE",
        ))
    }
}
