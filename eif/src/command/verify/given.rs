//! What the caller gave to compare with, read from files.

use std::path::Path;

use signer_eif::{
    examine::{Check, Development, Expected, Image, Measurements},
    options::{Nonce, now_ms},
};
use signer_rules::{bundle::SignedBundle, configuration::SignedConfiguration};
use signer_terminal::{Failure, Terminal, files};

use super::{VerifyArgs, published::Published, report::Source};

/// Everything that was given.
pub(super) struct Given {
    published: Option<Published>,
    measurements: Option<Measurements>,
    configuration: Option<SignedConfiguration>,
    policy: Option<SignedBundle>,
}

impl Given {
    /// Reads it, and checks who signed it.
    pub(super) fn read(args: &VerifyArgs, terminal: &Terminal) -> Result<Self, Failure> {
        let configuration = args.config.as_deref().map(read_configuration).transpose()?;
        let policy = match (&args.policy, &configuration) {
            (Some(path), Some(configuration)) => Some(read_policy(path, configuration)?),
            _ => None,
        };
        if args.allow_development {
            terminal.warn(
                "DEVELOPMENT ALLOWED: such an image takes its keys from whoever holds the roots in it.",
            );
        }
        let image = &args.image;
        let published = Published::read(image, terminal)?;
        let typed =
            image.pcr0.map(|pcr0| Measurements { pcr0, pcr1: image.pcr1, pcr2: image.pcr2, pcr8: None });
        let measurements = published.as_ref().map(Published::measurements).or(typed);
        Ok(Self { published, measurements, configuration, policy })
    }

    /// The same as the judge takes it.
    pub(super) fn expected<'a>(&'a self, args: &'a VerifyArgs, nonce: Option<&'a Nonce>) -> Expected<'a> {
        Expected {
            now_ms: args.at.map_or_else(now_ms, |at| at.seconds().saturating_mul(1000)),
            max_age_ms: args.max_age.saturating_mul(1000),
            nonce: nonce.map(Nonce::as_bytes),
            image: self.measurements.as_ref().map_or(Image::NotGiven, Image::Measured),
            authority: args.authority,
            configuration: self.configuration.as_ref(),
            configurations: self.published.as_ref().map_or(&[], Published::configurations),
            policy: self.policy.as_ref(),
            keyrings: &args.keyrings,
            created: None,
            development: if args.allow_development { Development::Allowed } else { Development::Refused },
        }
    }

    /// Where the measurements are from.
    pub(super) fn source(&self) -> Source {
        self.published.as_ref().map_or(Source::Typed, Published::source)
    }

    /// Who stands behind the manifest, and whom its image is for.
    pub(super) fn manifest_checks(&self, allow_development: bool) -> Vec<Check> {
        self.published.as_ref().map(|published| published.checks(allow_development)).unwrap_or_default()
    }
}

fn read_configuration(path: &Path) -> Result<SignedConfiguration, Failure> {
    SignedConfiguration::verify(&files::read(path)?)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

fn read_policy(path: &Path, configuration: &SignedConfiguration) -> Result<SignedBundle, Failure> {
    SignedBundle::verify(&files::read(path)?, configuration)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}
