//! KMS's operations as key policies name them, and what they mean for a key that protects keyrings.
//!
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awskeymanagementservice.html>

use super::judge::DeviationCode;

/// Two that take an attestation document, and are what the enclave does.
pub(super) const USE: [(&str, DeviationCode); 2] = [
    ("kms:decrypt", DeviationCode::UnattestedDecrypt),
    ("kms:generatedatakey", DeviationCode::UnattestedDataKey),
];

/// What moves data keys elsewhere, makes some that others know, or hands the right to do so on. None
/// takes an attestation document, or none is needed.
pub(super) const FORBIDDEN: [(&str, DeviationCode); 16] = [
    ("kms:creategrant", DeviationCode::CreateGrant),
    ("kms:derivesharedsecret", DeviationCode::OtherUse),
    ("kms:encrypt", DeviationCode::Encrypt),
    ("kms:generatedatakeypair", DeviationCode::OtherUse),
    ("kms:generatedatakeypairwithoutplaintext", DeviationCode::OtherUse),
    ("kms:generatedatakeywithoutplaintext", DeviationCode::OtherUse),
    ("kms:generatemac", DeviationCode::OtherUse),
    ("kms:getparametersforimport", DeviationCode::Import),
    ("kms:importkeymaterial", DeviationCode::Import),
    ("kms:reencryptfrom", DeviationCode::ReEncrypt),
    ("kms:reencryptto", DeviationCode::ReEncrypt),
    ("kms:replicatekey", DeviationCode::Replicate),
    ("kms:sign", DeviationCode::OtherUse),
    ("kms:updateprimaryregion", DeviationCode::Replicate),
    ("kms:verify", DeviationCode::OtherUse),
    ("kms:verifymac", DeviationCode::OtherUse),
];

/// Changing the policy itself, which is its administrators' business and nobody else's.
pub(super) const PUT_KEY_POLICY: &str = "kms:putkeypolicy";

/// What touches no data and hands nothing on: looking, naming, switching off.
pub(super) const HARMLESS: [&str; 27] = [
    "kms:cancelkeydeletion",
    "kms:createalias",
    "kms:deletealias",
    "kms:deleteimportedkeymaterial",
    "kms:describekey",
    "kms:disablekey",
    "kms:disablekeyrotation",
    "kms:enablekey",
    "kms:enablekeyrotation",
    "kms:getkeylastusage",
    "kms:getkeypolicy",
    "kms:getkeyrotationstatus",
    "kms:getpublickey",
    "kms:listaliases",
    "kms:listgrants",
    "kms:listkeypolicies",
    "kms:listkeyrotations",
    "kms:listresourcetags",
    "kms:listretirablegrants",
    "kms:retiregrant",
    "kms:revokegrant",
    "kms:rotatekeyondemand",
    "kms:schedulekeydeletion",
    "kms:tagresource",
    "kms:untagresource",
    "kms:updatealias",
    "kms:updatekeydescription",
];

/// Stands for every operation that this program does not know.
pub(super) const UNKNOWN: &str = "kms:\u{0}";

/// All of those above.
pub(super) fn known() -> impl Iterator<Item = &'static str> + Clone {
    let others = USE.iter().chain(&FORBIDDEN).map(|(action, _)| *action);
    HARMLESS.iter().copied().chain([PUT_KEY_POLICY]).chain(others)
}
