use serde_json::{Value, json};

use super::*;
use crate::kms::principal::{Caller, PrincipalSpec};

const PCR0: &str = "aa11";
const ENCLAVE_ROLE: &str = "arn:aws:iam::111122223333:role/parent";
const IMAGE: &str = "kms:RecipientAttestation:ImageSha384";

fn caller(arn: &str) -> Caller {
    Caller::from(&PrincipalSpec::permanent("AKIA", "secret", arn))
}

fn parent() -> Caller {
    caller("arn:aws:sts::111122223333:assumed-role/parent/i-0123")
}

fn policy(statements: &Value) -> Policy {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    Policy::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn statement(effect: &str, action: &str, condition: &Value) -> Value {
    json!({"Effect": effect, "Principal": "*", "Action": action, "Resource": "*", "Condition": condition})
}

fn context(pairs: &[(&str, &str)]) -> Context {
    let mut context = Context::default();
    for (key, value) in pairs {
        context.add(key, *value);
    }
    context
}

fn decide(policy: &Policy, caller: &Caller, action: &str, pairs: &[(&str, &str)]) -> Decision {
    let resource = "arn:aws:kms:us-east-1:111122223333:key/1234";
    policy.decide(&Question { caller, action, resource, context: &context(pairs) })
}

#[test]
fn an_explicit_deny_wins_and_an_allow_is_needed() {
    let allow = statement("Allow", "kms:*", &json!({}));
    let deny = statement("Deny", "kms:Encrypt", &json!({}));
    let ask = |policy: &Policy, action| decide(policy, &parent(), action, &[]);
    for order in [json!([allow, deny]), json!([deny, allow])] {
        let policy = policy(&order);
        assert_eq!(ask(&policy, "kms:Encrypt"), Decision::ExplicitDeny);
        assert_eq!(ask(&policy, "kms:Decrypt"), Decision::Allow);
    }
    assert_eq!(ask(&policy(&json!([deny])), "kms:Decrypt"), Decision::ImplicitDeny);
    assert_eq!(ask(&policy(&json!([])), "kms:Decrypt"), Decision::ImplicitDeny);
}

#[test]
fn attestation_admits_the_image_and_nothing_else() {
    let allow_attested =
        statement("Allow", "kms:Decrypt", &json!({"StringEqualsIgnoreCase": {IMAGE: "AA11"}}));
    let deny_unattested = statement("Deny", "kms:Decrypt", &json!({"Null": {IMAGE: "true"}}));
    let deny_others =
        statement("Deny", "kms:Decrypt", &json!({"StringNotEqualsIgnoreCase": {IMAGE: [PCR0]}}));
    let allow_all = statement("Allow", "kms:*", &json!({}));
    let (attested, other, none): (&[_], &[_], &[_]) = (&[(IMAGE, PCR0)], &[(IMAGE, "00")], &[]);
    let table = [
        (
            "attested allow",
            json!([allow_attested]),
            [Decision::Allow, Decision::ImplicitDeny, Decision::ImplicitDeny],
        ),
        ("a broader allow defeats it", json!([allow_attested, allow_all]), [Decision::Allow; 3]),
        (
            "Null denies the unattested only",
            json!([allow_all, deny_unattested]),
            [Decision::Allow, Decision::Allow, Decision::ExplicitDeny],
        ),
        (
            "a negated operator denies the unattested too",
            json!([allow_all, deny_others]),
            [Decision::Allow, Decision::ExplicitDeny, Decision::ExplicitDeny],
        ),
    ];
    for (name, statements, expected) in table {
        let policy = policy(&statements);
        let actual = [attested, other, none].map(|pairs| decide(&policy, &parent(), "kms:Decrypt", pairs));
        assert_eq!(actual, expected, "{name}");
    }
}

#[test]
fn operators_treat_missing_and_many_values_as_iam_does() {
    let keys = "kms:EncryptionContextKeys";
    let (a, b) = ((keys, "a"), (keys, "b"));
    // Operator, value in the policy, then whether it holds: key missing, value equal, value other, values a and b.
    let table = [
        ("StringEquals", "a", [false, true, false, true]),
        ("StringEquals", "A", [false, false, false, false]),
        ("StringEqualsIgnoreCase", "A", [false, true, false, true]),
        ("StringNotEquals", "a", [true, false, true, false]),
        ("StringNotEquals", "A", [true, true, true, true]),
        ("StringNotEqualsIgnoreCase", "A", [true, false, true, false]),
        ("StringLike", "?", [false, true, true, true]),
        ("StringLike", "a*", [false, true, false, true]),
        ("StringNotLike", "a*", [true, false, true, false]),
        ("StringEqualsIfExists", "a", [true, true, false, true]),
        ("StringNotEqualsIfExists", "a", [true, false, true, false]),
        ("ForAllValues:StringEquals", "a", [true, true, false, false]),
        ("ForAnyValue:StringEquals", "a", [false, true, false, true]),
        ("ForAllValues:StringNotEquals", "a", [true, false, true, false]),
        ("ForAnyValue:StringNotEquals", "a", [false, false, true, true]),
        ("Null", "true", [true, false, false, false]),
        ("Null", "false", [false, true, true, true]),
    ];
    for (operator, value, expected) in table {
        let policy = policy(&json!([statement("Allow", "*", &json!({operator: {keys: value}}))]));
        let contexts: [&[(&str, &str)]; 4] = [&[], &[a], &[b], &[a, b]];
        let actual =
            contexts.map(|pairs| decide(&policy, &parent(), "kms:Decrypt", pairs) == Decision::Allow);
        assert_eq!(actual, expected, "{operator} {value}");
    }
}

#[test]
fn all_conditions_must_hold_and_any_of_their_values_may() {
    let purpose = "kms:EncryptionContext:ns:purpose";
    let condition = json!({"StringEquals": {IMAGE: [PCR0, "bb22"], purpose: "keyring"}});
    let policy = policy(&json!([statement("Allow", "kms:Decrypt", &condition)]));
    let ask = |pairs: &[(&str, &str)]| decide(&policy, &parent(), "kms:Decrypt", pairs);
    assert_eq!(ask(&[(IMAGE, "bb22"), (purpose, "keyring")]), Decision::Allow);
    assert_eq!(ask(&[(IMAGE, "bb22"), (purpose, "witness")]), Decision::ImplicitDeny);
    assert_eq!(ask(&[(purpose, "keyring")]), Decision::ImplicitDeny);
    // Keys have no case; values have.
    assert_eq!(ask(&[(&IMAGE.to_uppercase(), PCR0), (purpose, "keyring")]), Decision::Allow);
    assert_eq!(ask(&[(IMAGE, "AA11"), (purpose, "keyring")]), Decision::ImplicitDeny);
}

#[test]
fn principals_are_sessions_roles_and_accounts() {
    let session = parent().arn;
    let table = [
        (json!("*"), true),
        (json!({"AWS": "*"}), true),
        (json!({"AWS": ENCLAVE_ROLE}), true),
        (json!({"AWS": session}), true),
        (json!({"AWS": ["arn:aws:iam::999922223333:root", "arn:aws:iam::111122223333:root"]}), true),
        (json!({"AWS": "111122223333"}), true),
        (json!({"AWS": "arn:aws:iam::999922223333:root"}), false),
        (json!({"AWS": "arn:aws:iam::111122223333:role/parent2"}), false),
        (json!({"Service": "ec2.amazonaws.com"}), false),
    ];
    for (principal, expected) in table {
        let mut allow = statement("Allow", "kms:Decrypt", &json!({}));
        allow["Principal"] = principal.clone();
        let allowed = decide(&policy(&json!([allow])), &parent(), "kms:Decrypt", &[]) == Decision::Allow;
        assert_eq!(allowed, expected, "{principal}");
    }
}

#[test]
fn everything_but_is_the_complement() {
    let deny_others = json!({"Effect": "Deny", "NotPrincipal": {"AWS": ENCLAVE_ROLE}, "NotAction": "kms:Describe*", "Resource": "*"});
    let policy = policy(&json!([statement("Allow", "KMS:*", &json!({})), deny_others]));
    let stranger = caller("arn:aws:iam::111122223333:user/eve");
    assert_eq!(decide(&policy, &parent(), "kms:Decrypt", &[]), Decision::Allow);
    assert_eq!(decide(&policy, &stranger, "kms:Decrypt", &[]), Decision::ExplicitDeny);
    assert_eq!(decide(&policy, &stranger, "kms:DescribeKey", &[]), Decision::Allow);
}

#[test]
fn resources_and_actions_take_wildcards() {
    let allowed = |action: &str, resource: &str| {
        let mut allow = statement("Allow", action, &json!({}));
        allow["Resource"] = resource.into();
        decide(&policy(&json!([allow])), &parent(), "kms:GenerateDataKey", &[]) == Decision::Allow
    };
    assert!(allowed("kms:GenerateDataKey*", "*"));
    assert!(allowed("kms:generatedatakey", "arn:aws:kms:*:111122223333:key/*"));
    assert!(!allowed("kms:GenerateDataKeyPair*", "*"));
    assert!(!allowed("kms:*", "arn:aws:kms:*:999922223333:key/*"));
}

#[test]
fn what_is_unknown_is_malformed() {
    let good = statement("Allow", "kms:Decrypt", &json!({}));
    let with = |name: &str, value: Value| {
        let mut statement = good.clone();
        statement[name] = value;
        statement
    };
    let bad = [
        with("Condition", json!({"StringEqual": {IMAGE: PCR0}})),
        with("Condition", json!({"NullIfExists": {IMAGE: "true"}})),
        with("Condition", json!({"ForAnyValue:Null": {IMAGE: "true"}})),
        with("Condition", json!({"Null": {IMAGE: "yes"}})),
        with("Condition", json!({"StringEquals": {"kms:RecipientAttestation:PCR32": PCR0}})),
        with("Condition", json!({"StringEquals": {"kms:RecipientAttestation:PCR01": PCR0}})),
        with("Condition", json!({"StringEquals": {"kms:RecipientAttestation:ImageSha256": PCR0}})),
        with("Condition", json!({"StringEquals": {IMAGE: []}})),
        with("Condition", json!({"StringEquals": {IMAGE: 7}})),
        with("Principal", json!({"AWS": "arn:aws:iam::111122223333:role/*"})),
        with("Principal", json!({"AWS": "parent"})),
        with("Principal", json!({})),
        with("NotPrincipal", json!("*")),
        with("Action", json!("s3:GetObject")),
        with("Effect", json!("allow")),
        with("Resource", Value::Null),
        with("Conditions", json!({})),
    ];
    for statement in bad {
        let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        let error = Policy::parse(&text).expect_err(&text);
        assert_eq!(error.code, "MalformedPolicyDocumentException", "{text}");
    }
    for text in [
        String::new(),
        "[]".to_owned(),
        json!({"Statement": [good]}).to_string(),
        json!({"Version": "2012-10-17"}).to_string(),
        json!({"Version": "2012-10-17", "Statement": [with("Sid", "a".into()), with("Sid", "a".into())]})
            .to_string(),
    ] {
        let error = Policy::parse(&text).expect_err(&text);
        assert_eq!(error.code, "MalformedPolicyDocumentException", "{text}");
    }
}
