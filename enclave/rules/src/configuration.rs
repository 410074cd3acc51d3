//! The appliance configuration: what the admins fix for the life of an enclave.
//!
//! Its SHA-384 is extended into PCR16, so KMS releases keys to this configuration or to none.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha384};

use crate::{
    authority::{AuthorityId, Genesis, GenesisError, Quorum},
    dsse::{DsseError, Envelope},
    hex_bytes::HexBytes,
    transition::{self, TransitionError},
};

/// The DSSE payload type of a configuration.
pub const PAYLOAD_TYPE: &str = "application/vnd.nitro-signer.configuration.v1+json";

/// The value of `format`.
pub const FORMAT: &str = "nitro-signer/configuration/v1";

/// The most shares of a keyring, and the most KMS keys of a share.
pub const MAX_SHARES: usize = 4;

/// What the admins sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// [`FORMAT`].
    pub format: String,
    /// Rises by one with every configuration that succeeds another.
    pub epoch: u64,
    /// How the appliance began.
    pub genesis: Genesis,
    /// How its admins changed since: [`transition::Transition`]s in their envelopes, oldest first,
    /// at most [`transition::MAX_TRANSITIONS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transitions: Vec<Envelope>,
    /// Which KMS keys wrap keyrings.
    pub kms: Kms,
    /// The longest time between `not_before` and `expires` of a policy bundle, in days: 1 to 366.
    pub longest_bundle_lifetime_days: u16,
    /// How the enclave keeps time.
    pub clock: Clock,
    /// How the audit log leaves the enclave.
    pub audit: Audit,
}

/// Which KMS keys wrap keyrings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kms {
    /// A keyring's key is split in as many shares, all of which are needed to open it. Two shares
    /// under keys of two accounts mean that no single editor of a key policy can open it.
    pub shares: Vec<Share>,
    /// What follows if the state of a key is not as it should be.
    #[serde(default)]
    pub policy_check: PolicyCheck,
}

/// What follows if a KMS key, its key policy or its grants, as the enclave reads them before it opens
/// or makes a keyring, let others than attested enclaves of this configuration at data keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyCheck {
    /// The keyring is not opened or made.
    #[default]
    Enforce,
    /// Events tell, and work goes on.
    Report,
}

/// One share of a keyring: any one of its keys opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Share {
    /// Independent KMS keys, for example of two regions.
    pub keys: Vec<KmsKey>,
}

/// One symmetric KMS key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KmsKey {
    /// The key's full ARN; aliases are refused, since whoever moves an alias would choose the key.
    pub arn: String,
    /// The host of the KMS endpoint, which must be AWS's for the region of the ARN.
    pub endpoint: String,
}

/// How the enclave keeps time between readings of the NSM's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Seconds between readings: 10 to 3,600.
    pub resynchronise_s: u16,
    /// The difference, in milliseconds, between a reading and the enclave's own count that is
    /// reported as drift: 100 to 60,000.
    pub longest_drift_ms: u32,
}

/// How the audit log leaves the enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// The longest time, in seconds, that a record may wait for the host to store it before nothing is decided any more:
    /// 10 to 3,600.
    pub longest_unstored_s: u16,
    /// Seconds between two witnesses in the log of KMS, while there are new records: 10 to 3,600.
    pub witness_s: u16,
    /// The longest time, in seconds, for which decisions are made that no witness covers: from `witness_s` to 604,800. It
    /// is what a host can gain that carries no more witnesses, and what an outage of KMS may last.
    pub longest_unwitnessed_s: u32,
}

/// A configuration that its quorum signed, with what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedConfiguration {
    /// The content.
    pub configuration: Configuration,
    /// Names the authority.
    pub authority: AuthorityId,
    /// The admins after all transitions: who signed it, and who decides under it.
    pub quorum: Quorum,
    /// SHA-384 of the signed bytes: what is extended into PCR16.
    pub digest: HexBytes<48>,
}

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    /// The envelope is not what a quorum signed.
    #[error(transparent)]
    Envelope(#[from] DsseError),
    /// Not a configuration in JSON.
    #[error("not a configuration: {0}")]
    Malformed(String),
    /// The genesis names no authority.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A change of admins was not agreed to by those before, or by those after.
    #[error("transitions[{index}]: {cause}")]
    Transition {
        /// Which, counted from zero.
        index: usize,
        /// Why.
        cause: TransitionError,
    },
    /// A field's value cannot be.
    #[error("{field}: {problem}")]
    Field {
        /// Where, for example `kms.shares[0].keys[1].arn`.
        field: String,
        /// What to write instead.
        problem: &'static str,
    },
}

impl Configuration {
    /// The admins after all transitions, each of which is verified.
    pub fn current(&self) -> Result<Quorum, ConfigurationError> {
        if self.transitions.len() > transition::MAX_TRANSITIONS {
            return Err(field("transitions", "must be at most 64"));
        }
        transition::tip(&self.genesis, &self.transitions)
            .map(|tip| tip.quorum)
            .map_err(|(index, cause)| ConfigurationError::Transition { index, cause })
    }

    /// Checks every field, transitions too, and computes the authority's id.
    pub fn validate(&self) -> Result<AuthorityId, ConfigurationError> {
        if self.format != FORMAT {
            return Err(field("format", "must be \"nitro-signer/configuration/v1\""));
        }
        let authority = self.genesis.authority_id()?;
        self.current()?;
        if self.kms.shares.is_empty() || self.kms.shares.len() > MAX_SHARES {
            return Err(field("kms.shares", "must name 1 to 4 shares"));
        }
        let mut seen: Vec<&str> = Vec::new();
        let mut accounts: Vec<(usize, &str)> = Vec::new();
        for (index, share) in self.kms.shares.iter().enumerate() {
            if share.keys.is_empty() || share.keys.len() > MAX_SHARES {
                return Err(field(&format!("kms.shares[{index}].keys"), "must name 1 to 4 KMS keys"));
            }
            for (position, key) in share.keys.iter().enumerate() {
                let place = format!("kms.shares[{index}].keys[{position}]");
                key.validate(&place)?;
                // A multi-Region key has one id and is one key, wherever its replicas are.
                if seen.contains(&key.key_id()) {
                    return Err(field(&format!("{place}.arn"), "is already in use for a share"));
                }
                seen.push(key.key_id());
                if accounts.iter().any(|(other, account)| *other != index && *account == key.account()) {
                    return Err(field(
                        &format!("{place}.arn"),
                        "is of an account that another share has: one key-policy editor could open both",
                    ));
                }
                accounts.push((index, key.account()));
            }
        }
        if !(1..=366).contains(&self.longest_bundle_lifetime_days) {
            return Err(field("longest_bundle_lifetime_days", "must be 1 to 366"));
        }
        if !(10..=3600).contains(&self.clock.resynchronise_s) {
            return Err(field("clock.resynchronise_s", "must be 10 to 3600"));
        }
        if !(100..=60_000).contains(&self.clock.longest_drift_ms) {
            return Err(field("clock.longest_drift_ms", "must be 100 to 60000"));
        }
        if !(10..=3600).contains(&self.audit.longest_unstored_s) {
            return Err(field("audit.longest_unstored_s", "must be 10 to 3600"));
        }
        if !(10..=3600).contains(&self.audit.witness_s) {
            return Err(field("audit.witness_s", "must be 10 to 3600"));
        }
        if !(u32::from(self.audit.witness_s)..=604_800).contains(&self.audit.longest_unwitnessed_s) {
            return Err(field("audit.longest_unwitnessed_s", "must be audit.witness_s to 604800"));
        }
        Ok(authority)
    }
}

impl KmsKey {
    /// The region of the ARN; empty if the ARN is not valid, which [`Configuration::validate`]
    /// has refused.
    pub fn region(&self) -> &str {
        self.arn.split(':').nth(3).unwrap_or_default()
    }

    /// The account of the ARN; empty if the ARN is not valid.
    pub fn account(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    fn key_id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    fn validate(&self, place: &str) -> Result<(), ConfigurationError> {
        let parts: Vec<&str> = self.arn.split(':').collect();
        let &["arn", partition, "kms", region, account, resource] = parts.as_slice() else {
            return Err(field(
                &format!("{place}.arn"),
                "must be a key ARN, arn:aws:kms:REGION:ACCOUNT:key/ID",
            ));
        };
        let key_id = resource.strip_prefix("key/").unwrap_or_default();
        let valid = matches!(partition, "aws" | "aws-cn" | "aws-us-gov")
            && is_label(region)
            && account.len() == 12
            && account.bytes().all(|byte| byte.is_ascii_digit())
            && is_label(key_id);
        if !valid {
            return Err(field(
                &format!("{place}.arn"),
                "must be a key ARN, arn:aws:kms:REGION:ACCOUNT:key/ID",
            ));
        }
        if !is_aws_endpoint(&self.endpoint, partition, region) {
            return Err(field(
                &format!("{place}.endpoint"),
                "must be a KMS host of the ARN's region, such as kms.REGION.amazonaws.com",
            ));
        }
        Ok(())
    }
}

impl SignedConfiguration {
    /// Verifies an envelope against the quorum that its own genesis and transitions come to.
    ///
    /// That makes it *a* configuration; that it is *ours* is for whoever knows the authority's id:
    /// KMS by PCR16 and the encryption context, clients and auditors by the attested statement.
    pub fn verify(envelope: &[u8]) -> Result<Self, ConfigurationError> {
        let envelope = Envelope::from_json(envelope)?;
        let claimed = parse(&envelope.unverified_payload()?)?;
        let authority = claimed.validate()?;
        let quorum = claimed.current()?;
        // The bytes that were parsed above: an envelope holds one payload.
        let payload = envelope.verify(PAYLOAD_TYPE, quorum.admins(), quorum.threshold())?;
        Ok(Self { configuration: claimed, authority, quorum, digest: digest(&payload) })
    }

    /// The value of PCR16 in an enclave that runs this configuration:
    /// `SHA-384(48 zero bytes ‖ digest)`.
    pub fn pcr16(&self) -> [u8; 48] {
        Sha384::new_with_prefix([0; 48]).chain_update(self.digest.0).finalize().into()
    }
}

/// SHA-384 of a configuration's signed bytes.
pub fn digest(payload: &[u8]) -> HexBytes<48> {
    HexBytes(Sha384::digest(payload).into())
}

fn parse(payload: &[u8]) -> Result<Configuration, ConfigurationError> {
    serde_json::from_slice(payload).map_err(|error| ConfigurationError::Malformed(error.to_string()))
}

fn field(field: &str, problem: &'static str) -> ConfigurationError {
    ConfigurationError::Field { field: field.to_owned(), problem }
}

/// The KMS endpoints that AWS documents: standard, FIPS, dual-stack, and interface VPC endpoints.
fn is_aws_endpoint(host: &str, partition: &str, region: &str) -> bool {
    let (domain, dual_stack) = match partition {
        "aws" | "aws-us-gov" => ("amazonaws.com", "api.aws"),
        "aws-cn" => ("amazonaws.com.cn", "api.amazonwebservices.com.cn"),
        _ => return false,
    };
    let public = ["kms", "kms-fips"].iter().any(|service| {
        host == format!("{service}.{region}.{domain}") || host == format!("{service}.{region}.{dual_stack}")
    });
    let private = host
        .strip_suffix(&format!(".kms.{region}.vpce.{domain}"))
        .is_some_and(|label| label.starts_with("vpce-") && is_label(label));
    public || private
}

/// Lower-case letters, digits and inner hyphens: a DNS label, a region, or a KMS key id.
fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

#[cfg(test)]
pub(crate) mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;

    /// The sample, as if its quorum had signed it.
    pub(crate) fn signed_sample() -> SignedConfiguration {
        let configuration = sample();
        let authority = configuration.validate().unwrap();
        let quorum = configuration.current().unwrap();
        SignedConfiguration { configuration, authority, quorum, digest: HexBytes([0; 48]) }
    }

    pub(crate) fn sample() -> Configuration {
        let mut admins: Vec<crate::authority::AdminKey> =
            [1u8, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]).verifying_key().into()).to_vec();
        admins.sort_by_key(|admin| admin.key().to_bytes());
        Configuration {
            format: FORMAT.into(),
            epoch: 0,
            genesis: Genesis { appliance_id: HexBytes([7; 32]), admins, threshold: 2 },
            transitions: Vec::new(),
            kms: Kms {
                shares: vec![Share { keys: vec![key("us-east-1")] }],
                policy_check: PolicyCheck::Enforce,
            },
            longest_bundle_lifetime_days: 90,
            clock: Clock { resynchronise_s: 60, longest_drift_ms: 1000 },
            audit: Audit { longest_unstored_s: 60, witness_s: 60, longest_unwitnessed_s: 3600 },
        }
    }

    fn key(region: &str) -> KmsKey {
        KmsKey {
            arn: format!("arn:aws:kms:{region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
            endpoint: format!("kms.{region}.amazonaws.com"),
        }
    }

    pub(crate) fn envelope(configuration: &Configuration, seeds: &[u8]) -> String {
        let mut envelope = Envelope::unsigned(PAYLOAD_TYPE, &serde_json::to_vec(configuration).unwrap());
        for seed in seeds {
            envelope.sign(&SigningKey::from_bytes(&[*seed; 32])).unwrap();
        }
        envelope.to_json().unwrap()
    }

    #[test]
    fn a_quorum_makes_a_configuration() {
        let signed = SignedConfiguration::verify(envelope(&sample(), &[1, 3]).as_bytes()).unwrap();
        assert_eq!(signed.configuration, sample());
        assert_eq!(signed.authority, sample().genesis.authority_id().unwrap());
        let alone = SignedConfiguration::verify(envelope(&sample(), &[1]).as_bytes());
        assert!(matches!(alone, Err(ConfigurationError::Envelope(DsseError::Quorum { .. }))));
    }

    #[test]
    fn bad_fields_are_named() {
        type Change = fn(&mut Configuration);
        let cases: [(&str, Change); 16] = [
            ("format", |c| c.format = "other".into()),
            ("kms.shares", |c| c.kms.shares.clear()),
            ("kms.shares[0].keys", |c| c.kms.shares[0].keys.clear()),
            ("kms.shares[0].keys[0].arn", |c| {
                c.kms.shares[0].keys[0].arn = "arn:aws:kms:us-east-1:111122223333:alias/a".into();
            }),
            ("kms.shares[0].keys[0].arn", |c| c.kms.shares[0].keys[0].arn = "alias/a".into()),
            ("kms.shares[0].keys[1].arn", |c| {
                let again = c.kms.shares[0].keys[0].clone();
                c.kms.shares[0].keys.push(again);
            }),
            ("kms.shares[0].keys[1].arn", |c| {
                let replica = key("eu-west-1");
                c.kms.shares[0].keys.push(replica);
            }),
            ("kms.shares[1].keys[0].arn", |c| {
                let mut same_account = key("eu-west-1");
                same_account.arn.push('0');
                c.kms.shares.push(Share { keys: vec![same_account] });
            }),
            ("kms.shares[0].keys[0].endpoint", |c| c.kms.shares[0].keys[0].endpoint = "evil.example".into()),
            ("longest_bundle_lifetime_days", |c| c.longest_bundle_lifetime_days = 0),
            ("clock.resynchronise_s", |c| c.clock.resynchronise_s = 5),
            ("clock.longest_drift_ms", |c| c.clock.longest_drift_ms = 1),
            ("audit.longest_unstored_s", |c| c.audit.longest_unstored_s = 5),
            ("audit.witness_s", |c| c.audit.witness_s = 9),
            ("audit.longest_unwitnessed_s", |c| c.audit.longest_unwitnessed_s = 59),
            ("audit.longest_unwitnessed_s", |c| c.audit.longest_unwitnessed_s = 604_801),
        ];
        for (expected, change) in cases {
            let mut configuration = sample();
            change(&mut configuration);
            match configuration.validate() {
                Err(ConfigurationError::Field { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn endpoints_are_awss_for_the_region() {
        for host in [
            "kms.us-east-1.amazonaws.com",
            "kms-fips.us-east-1.amazonaws.com",
            "kms.us-east-1.api.aws",
            "vpce-0123-abc.kms.us-east-1.vpce.amazonaws.com",
        ] {
            assert!(is_aws_endpoint(host, "aws", "us-east-1"), "{host}");
        }
        for host in [
            "kms.eu-west-1.amazonaws.com",
            "kms.us-east-1.amazonaws.com.evil.example",
            "kms.us-east-1.amazonaws.com.",
            "KMS.us-east-1.amazonaws.com",
            "a.b.vpce-1.kms.us-east-1.vpce.amazonaws.com",
            "evil.kms.us-east-1.vpce.amazonaws.com",
            "kms.us-east-1.amazonaws.com:8443",
            "",
        ] {
            assert!(!is_aws_endpoint(host, "aws", "us-east-1"), "{host}");
        }
        assert!(is_aws_endpoint("kms.cn-north-1.amazonaws.com.cn", "aws-cn", "cn-north-1"));
        assert!(!is_aws_endpoint("kms.cn-north-1.amazonaws.com", "aws-cn", "cn-north-1"));
    }

    #[test]
    fn pcr16_extends_zeros_with_the_digest() {
        let signed = SignedConfiguration::verify(envelope(&sample(), &[1, 2]).as_bytes()).unwrap();
        let mut bytes = vec![0; 48];
        bytes.extend(signed.digest.0);
        assert_eq!(signed.pcr16(), <[u8; 48]>::from(Sha384::digest(&bytes)));
    }
}
