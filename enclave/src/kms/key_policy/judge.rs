//! What must hold of a KMS key that protects keyrings: nobody gets at data keys but attested
//! enclaves of a named image under our configuration.
//!
//! How IAM decides: an explicit deny wins over everything, IAM policies and grants included; then an
//! allow is needed. So an allow is harmless if it demands the attestation itself, or if denials to
//! everyone take back all that it gives beyond. Where this cannot be seen for certain, it counts as
//! a deviation. Absent condition keys: `StringEquals` does not hold, `StringNotEquals` does.

use signer_rules::hex_bytes::HexBytes;

use super::{
    KeyState,
    actions::{self, FORBIDDEN, PUT_KEY_POLICY, UNKNOWN, USE},
    document::{Condition, Document, Effect, Statement},
};

/// To what a key must be tied.
#[derive(Clone, Copy, Debug)]
pub struct Pins {
    /// Of our configuration.
    pub pcr16: HexBytes<48>,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// What.
    pub code: DeviationCode,
    /// Where: a statement of the policy, counted from 1, if it is about one.
    pub statement: Option<usize>,
}

/// What is not as it should be. The names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviationCode {
    /// `key_disabled`
    KeyDisabled,
    /// `key_kind`
    KeyKind,
    /// `imported_key_material`
    ImportedKeyMaterial,
    /// `custom_key_store`
    CustomKeyStore,
    /// `aws_managed_key`
    AwsManagedKey,
    /// `multi_region_replica`
    MultiRegionReplica,
    /// `grant`
    Grant,
    /// `policy_unreadable`
    PolicyUnreadable,
    /// `state_unreadable`
    StateUnreadable,
    /// `wildcard`
    Wildcard,
    /// `unknown_action`
    UnknownAction,
    /// `service_principal`
    ServicePrincipal,
    /// `unattested_decrypt`
    UnattestedDecrypt,
    /// `unattested_data_key`
    UnattestedDataKey,
    /// `any_image`
    AnyImage,
    /// `debug_image`
    DebugImage,
    /// `any_configuration`
    AnyConfiguration,
    /// `foreign_configuration`
    ForeignConfiguration,
    /// `encrypt`
    Encrypt,
    /// `re_encrypt`
    ReEncrypt,
    /// `create_grant`
    CreateGrant,
    /// `replicate`
    Replicate,
    /// `import`
    Import,
    /// `other_use`
    OtherUse,
    /// `open_administration`
    OpenAdministration,
}

impl DeviationCode {
    /// Name and meaning.
    fn row(self) -> (&'static str, &'static str) {
        match self {
            Self::KeyDisabled => ("key_disabled", "the key is not enabled"),
            Self::KeyKind => ("key_kind", "the key is not a symmetric key for encryption"),
            Self::ImportedKeyMaterial => {
                ("imported_key_material", "the key's material was imported: whoever imported it knows it")
            }
            Self::CustomKeyStore => ("custom_key_store", "the key's material is not KMS's own"),
            Self::AwsManagedKey => ("aws_managed_key", "the key is AWS's, with a key policy of AWS's"),
            Self::MultiRegionReplica => (
                "multi_region_replica",
                "the key is in other Regions too, under key policies of their own, which are not read",
            ),
            Self::Grant => ("grant", "the key has grants, which take no attestation: revoke them"),
            Self::PolicyUnreadable => ("policy_unreadable", "the key policy is not understood"),
            Self::StateUnreadable => {
                ("state_unreadable", "KMS does not show the key's description, policy or grants")
            }
            Self::Wildcard => ("wildcard", "operations are allowed that nobody named"),
            Self::UnknownAction => ("unknown_action", "an operation is allowed that is not known here"),
            Self::ServicePrincipal => ("service_principal", "AWS services or federations may use the key"),
            Self::UnattestedDecrypt => ("unattested_decrypt", "Decrypt is allowed without attestation"),
            Self::UnattestedDataKey => {
                ("unattested_data_key", "GenerateDataKey is allowed without attestation")
            }
            Self::AnyImage => ("any_image", "enclaves of any image may use the key"),
            Self::DebugImage => ("debug_image", "enclaves in debug mode may use the key"),
            Self::AnyConfiguration => ("any_configuration", "enclaves of any configuration may use the key"),
            Self::ForeignConfiguration => {
                ("foreign_configuration", "enclaves of another configuration may use the key")
            }
            Self::Encrypt => ("encrypt", "Encrypt is allowed"),
            Self::ReEncrypt => ("re_encrypt", "ReEncrypt is allowed, which takes no attestation"),
            Self::CreateGrant => ("create_grant", "CreateGrant is allowed"),
            Self::Replicate => ("replicate", "the key may be taken to other Regions"),
            Self::Import => ("import", "key material may be imported"),
            Self::OtherUse => ("other_use", "operations with the key are allowed that no enclave needs"),
            Self::OpenAdministration => ("open_administration", "everyone may change the key policy"),
        }
    }

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        self.row().1
    }
}

pub(super) fn judge(state: &KeyState, pins: &Pins) -> Vec<Deviation> {
    let mut found: Vec<Deviation> =
        of_metadata(state).into_iter().map(|code| Deviation { code, statement: None }).collect();
    match Document::parse(&state.policy) {
        Ok(document) => found.extend(of_policy(&document, &state.key, pins)),
        Err(_) => found.push(Deviation { code: DeviationCode::PolicyUnreadable, statement: None }),
    }
    found
}

fn of_metadata(state: &KeyState) -> Vec<DeviationCode> {
    let metadata = &state.metadata;
    let checks = [
        (!metadata.enabled || metadata.state != "Enabled", DeviationCode::KeyDisabled),
        (metadata.spec != "SYMMETRIC_DEFAULT" || metadata.usage != "ENCRYPT_DECRYPT", DeviationCode::KeyKind),
        (metadata.origin == "EXTERNAL", DeviationCode::ImportedKeyMaterial),
        (!matches!(&*metadata.origin, "AWS_KMS" | "EXTERNAL"), DeviationCode::CustomKeyStore),
        (metadata.manager != "CUSTOMER", DeviationCode::AwsManagedKey),
        (!metadata.elsewhere.is_empty(), DeviationCode::MultiRegionReplica),
        (!state.grants.is_empty(), DeviationCode::Grant),
    ];
    checks.into_iter().filter_map(|(deviates, code)| deviates.then_some(code)).collect()
}

fn of_policy(document: &Document, key: &str, pins: &Pins) -> Vec<Deviation> {
    let denials = Denials::of(document, key, pins);
    let mut found = Vec::new();
    for (statement, number) in document.statements().iter().zip(1..) {
        if statement.effect != Effect::Allow {
            continue;
        }
        let mut codes: Vec<DeviationCode> = Vec::new();
        for code in of_allow(statement, &denials, pins) {
            if !codes.contains(&code) {
                codes.push(code);
            }
        }
        found.extend(codes.into_iter().map(|code| Deviation { code, statement: Some(number) }));
    }
    found
}

/// Everything that a statement allows and must not.
fn of_allow(statement: &Statement, denials: &Denials, pins: &Pins) -> Vec<DeviationCode> {
    let own = Attestation::demanded_by(statement, pins);
    let mut codes = Vec::new();
    for (action, unattested) in USE {
        if !statement.is_about(action) || denials.always(action) {
            continue;
        }
        let denied = denials.others(action);
        let image = own.image.or(denied.image);
        let configuration = own.configuration.or(denied.configuration);
        codes.extend(match (image, configuration) {
            (Demand::Met, Demand::Met) => None,
            (Demand::Absent, Demand::Absent) => Some(unattested),
            (Demand::Absent, _) => Some(DeviationCode::AnyImage),
            (Demand::Wrong, _) => Some(DeviationCode::DebugImage),
            (_, Demand::Absent) => Some(DeviationCode::AnyConfiguration),
            (_, Demand::Wrong) => Some(DeviationCode::ForeignConfiguration),
        });
    }
    let attested = own.image == Demand::Met && own.configuration == Demand::Met;
    let forbidden = FORBIDDEN.iter().filter(|(action, _)| statement.is_about(action));
    codes.extend(forbidden.filter(|(action, _)| !attested && !denials.always(action)).map(|(_, code)| *code));
    if !attested && statement.is_about(UNKNOWN) {
        codes.push(DeviationCode::Wildcard);
    }
    if !attested && statement.names_beyond(&actions::known()) {
        codes.push(DeviationCode::UnknownAction);
    }
    // Whether denials to "everyone" hold for services is nothing to rely on.
    let touches_data = USE.iter().chain(&FORBIDDEN).any(|(action, _)| statement.is_about(action));
    if statement.names_others() && touches_data && !attested {
        codes.push(DeviationCode::ServicePrincipal);
    }
    if statement.names_everyone() && statement.is_about(PUT_KEY_POLICY) && !denials.always(PUT_KEY_POLICY) {
        codes.push(DeviationCode::OpenAdministration);
    }
    codes
}

/// What is demanded of one measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Demand {
    /// Nothing, or nothing that is understood.
    Absent,
    /// Values that include one that must not be.
    Wrong,
    /// Values that may be, and no other.
    Met,
}

impl Demand {
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Met, _) | (_, Self::Met) => Self::Met,
            (Self::Wrong, _) | (_, Self::Wrong) => Self::Wrong,
            _ => Self::Absent,
        }
    }
}

/// What is demanded of an enclave.
#[derive(Clone, Copy, Debug)]
struct Attestation {
    image: Demand,
    configuration: Demand,
}

impl Attestation {
    /// By the conditions of an allow, which must all hold: any of them may demand it.
    fn demanded_by(statement: &Statement, pins: &Pins) -> Self {
        let equals = |condition: &Condition<'_>| {
            matches!(condition.operator, "StringEquals" | "StringEqualsIgnoreCase")
        };
        let demanded = |test: &dyn Fn(&Condition<'_>) -> Demand| {
            let conditions = statement.conditions().filter(equals);
            conditions.fold(Demand::Absent, |demand, condition| demand.or(test(&condition)))
        };
        Self {
            image: demanded(&of_image),
            configuration: demanded(&|condition| of_configuration(condition, pins)),
        }
    }
}

/// What the policy denies to everyone, operation by operation: found once, however many statements
/// allow.
struct Denials(Vec<Denied>);

struct Denied {
    action: &'static str,
    /// Whatever comes with it.
    always: bool,
    /// What is demanded by denying all others.
    others: Attestation,
}

impl Denials {
    fn of(document: &Document, key: &str, pins: &Pins) -> Self {
        let data = USE.iter().chain(&FORBIDDEN).map(|(action, _)| *action);
        Self(data.chain([PUT_KEY_POLICY]).map(|action| Denied::of(document, key, pins, action)).collect())
    }

    fn always(&self, action: &str) -> bool {
        self.about(action).is_some_and(|denied| denied.always)
    }

    fn others(&self, action: &str) -> Attestation {
        let nothing = Attestation { image: Demand::Absent, configuration: Demand::Absent };
        self.about(action).map_or(nothing, |denied| denied.others)
    }

    fn about(&self, action: &str) -> Option<&Denied> {
        self.0.iter().find(|denied| denied.action == action)
    }
}

impl Denied {
    fn of(document: &Document, key: &str, pins: &Pins, action: &'static str) -> Self {
        let mut others = Attestation { image: Demand::Absent, configuration: Demand::Absent };
        let mut always = false;
        for statement in document.statements() {
            let applies = statement.effect == Effect::Deny
                && statement.is_for_everyone()
                && statement.covers_key(key)
                && statement.is_about(action);
            if !applies {
                continue;
            }
            let mut conditions = statement.conditions();
            match (conditions.next(), conditions.next()) {
                (None, _) => always = true,
                (Some(condition), None)
                    if matches!(condition.operator, "StringNotEquals" | "StringNotEqualsIgnoreCase") =>
                {
                    others.image = others.image.or(of_image(&condition));
                    others.configuration = others.configuration.or(of_configuration(&condition, pins));
                }
                // With several conditions it needs all of them, so it does not deny what fails one.
                _ => {}
            }
        }
        Self { action, always, others }
    }
}

/// PCR0 under either of its names. Its value is zero in debug mode.
fn of_image(condition: &Condition<'_>) -> Demand {
    let is_pcr0 = ["kms:RecipientAttestation:ImageSha384", "kms:RecipientAttestation:PCR0"]
        .iter()
        .any(|name| condition.key.eq_ignore_ascii_case(name));
    if !is_pcr0 || !condition.values.iter().all(|value| is_measurement(&value.0)) {
        return Demand::Absent;
    }
    let debug = condition.values.iter().any(|value| value.0.bytes().all(|byte| byte == b'0'));
    if debug { Demand::Wrong } else { Demand::Met }
}

fn of_configuration(condition: &Condition<'_>, pins: &Pins) -> Demand {
    let is_pcr16 = condition.key.eq_ignore_ascii_case("kms:RecipientAttestation:PCR16");
    if !is_pcr16 || !condition.values.iter().all(|value| is_measurement(&value.0)) {
        return Demand::Absent;
    }
    let ours = pins.pcr16.to_string();
    let all_ours = condition.values.iter().all(|value| value.0.eq_ignore_ascii_case(&ours));
    if all_ours { Demand::Met } else { Demand::Wrong }
}

fn is_measurement(value: &str) -> bool {
    value.len() == 96 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}
