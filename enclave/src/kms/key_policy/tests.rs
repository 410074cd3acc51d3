use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const SHA384: &str = "kms:RecipientAttestation:ImageSha384";
const PCR16: &str = "kms:RecipientAttestation:PCR16";

/// What `signerctl kms-policy` prints, whose own tests compare it with this file.
fn printed() -> Value {
    serde_json::from_str(include_str!("printed.json")).unwrap()
}

fn hex48(byte: &str) -> String {
    byte.repeat(48)
}

fn state(policy: &Value) -> KeyState {
    KeyState {
        key: KEY.into(),
        metadata: KeyMetadata {
            enabled: true,
            state: "Enabled".into(),
            spec: "SYMMETRIC_DEFAULT".into(),
            usage: "ENCRYPT_DECRYPT".into(),
            origin: "AWS_KMS".into(),
            manager: "CUSTOMER".into(),
            elsewhere: Vec::new(),
        },
        policy: policy.to_string(),
        grants: Vec::new(),
    }
}

fn codes(state: &KeyState) -> Vec<&'static str> {
    let pins = Pins { pcr16: HexBytes([0x16; 48]) };
    state.judge(&pins).iter().map(|deviation| deviation.code.as_str()).collect()
}

fn of_policy(change: impl FnOnce(&mut Value)) -> Vec<&'static str> {
    let mut policy = printed();
    change(&mut policy);
    codes(&state(&policy))
}

/// The printed policy with one statement more.
fn with(statement: Value) -> Vec<&'static str> {
    of_policy(|policy| policy["Statement"].as_array_mut().unwrap().push(statement))
}

/// One statement, and no denials.
fn alone(statement: &Value) -> Vec<&'static str> {
    codes(&state(&json!({"Version": "2012-10-17", "Statement": statement})))
}

fn allow(action: &str) -> Value {
    let root = "arn:aws:iam::111122223333:root";
    json!({"Effect": "Allow", "Principal": {"AWS": root}, "Action": action, "Resource": "*"})
}

fn when(mut statement: Value, condition: Value) -> Value {
    statement["Condition"] = condition;
    statement
}

fn attested(image: &Value, configuration: &Value) -> Value {
    json!({"StringEqualsIgnoreCase": {SHA384: image, PCR16: configuration}})
}

fn remove(policy: &mut Value, sid: &str) {
    let statements = policy["Statement"].as_array_mut().unwrap();
    let before = statements.len();
    statements.retain(|statement| statement["Sid"] != sid);
    assert_eq!(statements.len() + 1, before, "{sid}");
}

const NONE: [&str; 0] = [];

#[test]
fn the_printed_policy_is_as_it_should_be() {
    assert_eq!(of_policy(|_| ()), NONE);
}

#[test]
fn denials_of_the_printed_policy_take_back_what_others_allow() {
    for action in ["kms:Decrypt", "kms:GenerateDataKey", "kms:ReEncrypt*", "kms:Encrypt", "kms:CreateGrant"] {
        assert_eq!(with(allow(action)), NONE, "{action}");
        assert_ne!(alone(&allow(action)), NONE, "{action}");
    }
    // Two of its denials say the same as others.
    for sid in ["DenyUseWithoutAttestation", "DenyUseWithoutConfiguration", "DenyOtherAuthorities"] {
        assert_eq!(of_policy(|policy| remove(policy, sid)), NONE, "{sid}");
    }
    // Its allows are exact, so that nothing needs its denials but what others add.
    for sid in ["DenyOtherImages", "DenyOtherConfigurations", "DenyForbiddenOperations"] {
        assert_eq!(of_policy(|policy| remove(policy, sid)), NONE, "{sid}");
    }
}

#[test]
fn spellings_of_kms_and_of_people_are_the_same() {
    let image = json!(hex48("AB"));
    let ours = json!([hex48("16")]);
    let condition =
        |pcr0: &str| json!({"StringEquals": {pcr0: image, "KMS:recipientattestation:pcr16": ours}});
    assert_eq!(alone(&when(allow("KMS:DECRYPT"), condition("kms:RecipientAttestation:PCR0"))), NONE);
    assert_eq!(alone(&when(allow("kms:*"), condition(SHA384))), NONE);
    assert_eq!(alone(&json!([when(allow("kms:Decrypt"), condition(SHA384))])), NONE);
}

#[test]
fn what_a_statement_must_not_allow() {
    let image = json!(hex48("10"));
    let ours = json!(hex48("16"));
    let zero = json!(hex48("00"));
    let two = json!([hex48("16"), hex48("17")]);
    let decrypt = |condition| when(allow("kms:Decrypt"), condition);
    let cases: Vec<(Value, &[&str])> = vec![
        (allow("kms:Decrypt"), &["unattested_decrypt"]),
        (allow("kms:?ecrypt"), &["unattested_decrypt"]),
        (allow("kms:GenerateDataKey"), &["unattested_data_key"]),
        (allow("kms:GenerateDataKey*"), &["unattested_data_key", "other_use"]),
        (allow("kms:Encrypt"), &["encrypt"]),
        (allow("kms:ReEncryptFrom"), &["re_encrypt"]),
        (allow("kms:ReEncrypt*"), &["re_encrypt"]),
        (allow("kms:CreateGrant"), &["create_grant"]),
        (allow("kms:ReplicateKey"), &["replicate"]),
        (allow("kms:UpdatePrimaryRegion"), &["replicate"]),
        (allow("kms:ImportKeyMaterial"), &["import"]),
        (allow("kms:DeriveSharedSecret"), &["other_use"]),
        (allow("kms:GenerateDataKeyPair"), &["other_use"]),
        (allow("kms:ReadMinds"), &["unknown_action"]),
        (allow("s3:GetObject"), &["unknown_action"]),
        (allow("kms:Synchronize*"), &["unknown_action"]),
        (decrypt(json!({"StringEquals": {"kms:CallerAccount": "111122223333"}})), &["unattested_decrypt"]),
        (decrypt(json!({"StringLike": {SHA384: image, PCR16: ours}})), &["unattested_decrypt"]),
        (decrypt(json!({"StringEqualsIfExists": {SHA384: image, PCR16: ours}})), &["unattested_decrypt"]),
        (
            decrypt(json!({"ForAllValues:StringEquals": {SHA384: image, PCR16: ours}})),
            &["unattested_decrypt"],
        ),
        (decrypt(json!({"StringNotEquals": {SHA384: image, PCR16: ours}})), &["unattested_decrypt"]),
        (decrypt(json!({"Null": {SHA384: "false", PCR16: "false"}})), &["unattested_decrypt"]),
        (decrypt(json!({"StringEquals": {SHA384: image}})), &["any_configuration"]),
        (decrypt(json!({"StringEquals": {PCR16: ours}})), &["any_image"]),
        (decrypt(json!({"StringEquals": {SHA384: "*", PCR16: ours}})), &["any_image"]),
        (decrypt(json!({"StringEquals": {SHA384: [image, "${aws:userid}"], PCR16: ours}})), &["any_image"]),
        (decrypt(attested(&zero, &ours)), &["debug_image"]),
        (decrypt(attested(&json!([image, zero]), &ours)), &["debug_image"]),
        (decrypt(attested(&image, &two)), &["foreign_configuration"]),
        (decrypt(attested(&image, &json!(hex48("17")))), &["foreign_configuration"]),
        (decrypt(attested(&image, &json!(""))), &["any_configuration"]),
    ];
    for (statement, expected) in cases {
        assert_eq!(alone(&statement), expected, "{statement}");
    }
}

#[test]
fn what_is_open_to_more_than_is_named() {
    let everything = ["unattested_decrypt", "unattested_data_key", "create_grant", "other_use", "encrypt"];
    for action in ["kms:*", "*"] {
        let found = alone(&allow(action));
        assert!(everything.iter().chain(&["wildcard"]).all(|code| found.contains(code)), "{found:?}");
        assert_eq!(with(allow(action)), ["wildcard"], "{action}");
    }
    let mut statement = allow("");
    let members = statement.as_object_mut().unwrap();
    members.remove("Action");
    members.insert("NotAction".into(), json!("kms:Encrypt"));
    assert_eq!(with(statement.clone()), ["wildcard"]);
    assert!(!alone(&statement).contains(&"encrypt"));
    let service = json!({"Effect": "Allow", "Principal": {"Service": "ebs.amazonaws.com"}, "Action": "kms:Decrypt", "Resource": "*"});
    assert_eq!(with(service), ["service_principal"]);
    for everyone in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["111122223333", "*"]})] {
        let mut statement = allow("kms:PutKeyPolicy");
        statement["Principal"] = everyone;
        assert_eq!(with(statement), ["open_administration"]);
    }
    assert_eq!(with(allow("kms:PutKeyPolicy")), NONE);
    let mut all_but = allow("kms:PutKeyPolicy");
    let members = all_but.as_object_mut().unwrap();
    let principal = members.remove("Principal").unwrap();
    members.insert("NotPrincipal".into(), principal);
    assert_eq!(with(all_but), ["open_administration"]);
}

#[test]
fn denials_that_do_not_cover() {
    let weakened = |sid: &str, change: fn(&mut Value)| {
        of_policy(|policy| {
            let statements = policy["Statement"].as_array_mut().unwrap();
            change(statements.iter_mut().find(|statement| statement["Sid"] == sid).unwrap());
            statements.push(allow("kms:Decrypt"));
        })
    };
    let role = |statement: &mut Value| {
        statement["Principal"] = json!({"AWS": "arn:aws:iam::111122223333:role/signer"});
    };
    let service = |statement: &mut Value| statement["Principal"] = json!({"Service": "*"});
    let elsewhere = |statement: &mut Value| statement["Resource"] = json!("arn:aws:kms:*:*:key/other");
    let less = |statement: &mut Value| statement["Action"] = json!("kms:GenerateDataKey");
    let narrowed = |statement: &mut Value| {
        statement["Condition"]["StringEquals"] = json!({"kms:CallerAccount": "111122223333"});
    };
    let if_exists = |statement: &mut Value| {
        let keys = statement["Condition"]["StringNotEqualsIgnoreCase"].take();
        statement["Condition"] = json!({"ForAnyValue:StringNotEquals": keys});
    };
    for change in [role, service, elsewhere, less, narrowed, if_exists] {
        assert_eq!(weakened("DenyOtherImages", change), ["any_image"]);
        assert_eq!(weakened("DenyOtherConfigurations", change), ["any_configuration"]);
    }
    let allowed = |statement: &mut Value| statement["Effect"] = json!("Allow");
    assert!(weakened("DenyForbiddenOperations", allowed).contains(&"create_grant"));
    let debug = |statement: &mut Value| {
        statement["Condition"]["StringNotEqualsIgnoreCase"][SHA384]
            .as_array_mut()
            .unwrap()
            .push(json!(hex48("00")));
    };
    assert_eq!(weakened("DenyOtherImages", debug), ["debug_image"]);
    let another = |statement: &mut Value| {
        statement["Condition"]["StringNotEqualsIgnoreCase"][PCR16]
            .as_array_mut()
            .unwrap()
            .push(json!(hex48("17")));
    };
    assert_eq!(weakened("DenyOtherConfigurations", another), ["foreign_configuration"]);
    let on_this_key = |statement: &mut Value| statement["Resource"] = json!([KEY]);
    assert_eq!(weakened("DenyOtherImages", on_this_key), NONE);
}

#[test]
fn keys_that_are_not_kmss_own_secret() {
    type Change = fn(&mut KeyState);
    let cases: [(&str, Change); 11] = [
        ("key_disabled", |state| state.metadata.enabled = false),
        ("key_disabled", |state| state.metadata.state = "PendingDeletion".into()),
        ("key_kind", |state| state.metadata.spec = "RSA_2048".into()),
        ("key_kind", |state| state.metadata.usage = "SIGN_VERIFY".into()),
        ("imported_key_material", |state| state.metadata.origin = "EXTERNAL".into()),
        ("custom_key_store", |state| state.metadata.origin = "AWS_CLOUDHSM".into()),
        ("custom_key_store", |state| state.metadata.origin = "EXTERNAL_KEY_STORE".into()),
        ("aws_managed_key", |state| state.metadata.manager = "AWS".into()),
        ("multi_region_replica", |state| {
            state.metadata.elsewhere.push("arn:aws:kms:eu-west-1:1:key/mrk-1".into());
        }),
        ("grant", |state| {
            let (id, grantee) = ("1".into(), "arn:aws:iam::111122223333:role/signer".into());
            state.grants.push(Grant { id, grantee, operations: vec!["DescribeKey".into()] });
        }),
        ("policy_unreadable", |state| state.policy.push('}')),
    ];
    for (code, change) in cases {
        let mut state = state(&printed());
        change(&mut state);
        assert_eq!(codes(&state), [code]);
    }
}

#[test]
fn deviations_say_where() {
    let mut policy = printed();
    policy["Statement"].as_array_mut().unwrap().insert(2, allow("kms:*"));
    let found = state(&policy).judge(&Pins { pcr16: HexBytes([0x16; 48]) });
    assert_eq!(found, [Deviation { code: DeviationCode::Wildcard, statement: Some(3) }]);
    assert!(!DeviationCode::Wildcard.meaning().is_empty());
}

#[test]
fn the_digest_is_of_everything_that_was_read() {
    let known = |state: &KeyState| vec![Known { key: KEY.into(), state: Some(state.clone()) }];
    let honest = state(&printed());
    let base = digest(&known(&honest)).unwrap();
    assert_eq!(digest(&known(&honest)).unwrap(), base);
    let mut spaced = honest.clone();
    spaced.policy.push(' ');
    let mut granted = honest.clone();
    granted.grants.push(Grant { id: "1".into(), grantee: String::new(), operations: Vec::new() });
    let mut external = honest.clone();
    external.metadata.origin = "EXTERNAL".into();
    for other in [spaced, granted, external] {
        assert_ne!(digest(&known(&other)).unwrap(), base);
    }
    assert_ne!(digest(&[Known { key: KEY.into(), state: None }]).unwrap(), base);
    assert_ne!(digest(&[known(&honest), known(&honest)].concat()).unwrap(), base);
}

proptest! {
    #[test]
    fn nothing_that_kms_sends_panics(policy in ".{0,200}") {
        let mut state = state(&printed());
        state.policy = policy;
        prop_assert_eq!(codes(&state), ["policy_unreadable"]);
    }

    /// Leaving out any statements of the printed policy, or repeating them, never opens anything: what
    /// it allows is exact.
    #[test]
    fn no_part_of_the_printed_policy_opens_anything(picks in prop::collection::vec(0usize..12, 1..16)) {
        let found = of_policy(|policy| {
            let all = policy["Statement"].take();
            policy["Statement"] = picks.iter().map(|at| all[*at].clone()).collect();
        });
        prop_assert_eq!(found, NONE);
    }

    /// Whatever conditions an allow has beside the two, it is still attested.
    #[test]
    fn more_conditions_only_narrow(operator in "[A-Za-z:]{1,20}", key in "[a-z:]{1,20}", value in "[a-z*]{0,9}") {
        prop_assume!(!operator.starts_with("StringEquals"));
        let mut condition = attested(&json!(hex48("10")), &json!(hex48("16")));
        condition[operator] = json!({key: value});
        prop_assert_eq!(alone(&when(allow("kms:Decrypt"), condition)), NONE);
    }
}
