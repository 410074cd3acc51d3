use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use proptest::prelude::*;

use super::*;

const INPUT: &str = "sig1=(\"@method\" \"@path\" \"@query\" \"content-digest\");created=1618884473;expires=1618884500;\
                     keyid=\"payroll-1\";nonce=\"n-1\";tag=\"00ff\";alg=\"ed25519\"";

fn signing() -> Signing<'static> {
    Signing {
        created: 1_618_884_473,
        expires: Some(1_618_884_500),
        keyid: "payroll-1",
        nonce: "n-1",
        tag: "00ff",
        alg: Some("ed25519"),
    }
}

fn verifies(key: &VerifyingKey, base: &str, signature: &[u8]) -> bool {
    let signature = <[u8; 64]>::try_from(signature).map(|bytes| Signature::from_bytes(&bytes));
    signature.is_ok_and(|signature| key.verify_strict(base.as_bytes(), &signature).is_ok())
}

#[test]
fn bases_are_assembled_as_in_rfc_9421_b_2_6() {
    let key = STANDARD.decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=").unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let parameters = "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
                      ;created=1618884473;keyid=\"test-key-ed25519\"";
    let base = assemble(
        [
            ("\"date\"", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("\"@method\"", "POST"),
            ("\"@path\"", "/foo"),
            ("\"@authority\"", "example.com"),
            ("\"content-type\"", "application/json"),
            ("\"content-length\"", "18"),
        ],
        parameters,
    );
    let header =
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:";
    let (label, signature) = fields::read_signature(header).unwrap();
    assert_eq!(label, "sig-b26");
    assert!(verifies(&key, &base, &signature));
    // Read, but not of the profile.
    let input = format!("sig-b26={parameters}");
    assert_eq!(fields::SignatureInput::read(&input).unwrap().text, parameters);
    assert!(read(&input, header).is_err());
}

#[test]
fn digests_are_those_of_rfc_9530() {
    let digest = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
    assert_eq!(content_digest(b"{\"hello\": \"world\"}\n"), digest);
    assert!(check_content_digest(digest, b"{\"hello\": \"world\"}\n"));
    let empty = content_digest(b"");
    assert_eq!(empty, "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:");
    let twice = format!("{empty}, {empty}");
    for other in
        ["", "sha-256=:", &empty[..empty.len() - 1], &format!("{empty} "), &format!(" {empty}"), &twice]
    {
        assert!(!check_content_digest(other, b""), "{other}");
    }
    assert!(!check_content_digest(&empty.replace("sha-256", "SHA-256"), b""));
}

#[test]
fn what_is_written_is_read() {
    let digest = content_digest(b"{}");
    let unsigned = signing().prepare("POST", "/v1/wallets", Some("a=b"), &digest).unwrap();
    let canonical = INPUT.replace(";tag=\"00ff\";alg=\"ed25519\"", "");
    assert!(unsigned.signature_input.starts_with(&canonical));
    let header = signature_header(&[7; 64]);
    let presented = read(&unsigned.signature_input, &header).unwrap();
    assert_eq!(presented.signature, [7; 64]);
    assert_eq!((presented.created, presented.expires), (1_618_884_473, Some(1_618_884_500)));
    assert_eq!((presented.keyid, presented.nonce, presented.tag), ("payroll-1", "n-1", "00ff"));
    assert_eq!(
        base(&presented, "POST", "/v1/wallets", Some("a=b"), &digest).unwrap(),
        format!(
            "\"@method\": POST\n\"@path\": /v1/wallets\n\"@query\": ?a=b\n\"content-digest\": {digest}\n\
             \"@signature-params\": {}",
            unsigned.signature_input.strip_prefix("sig1=").unwrap()
        )
    );
    assert!(base(&presented, "POST", "/v1/wallets", None, &digest).is_err());
    for line in ["/v1\n\"@path\": /v2", "/v1\r", "/vé"] {
        assert!(base(&presented, "POST", line, Some("a"), &digest).is_err());
        assert!(base(&presented, "POST", "/v1", Some(line), &digest).is_err());
    }
}

#[test]
fn components_come_in_any_order() {
    let input = INPUT.replace("\"@method\" \"@path\" \"@query\"", "\"@query\" \"@path\" \"@method\"");
    let presented = read(&input, "sig1=:AA==:").unwrap();
    assert!(
        base(&presented, "GET", "/", Some(""), "d").unwrap().starts_with("\"@query\": ?\n\"@path\": /\n")
    );
}

#[test]
fn other_spellings_are_refused() {
    assert!(read(INPUT, "sig1=:AA==:").is_ok());
    for (from, to) in [
        ("sig1=", "Sig1="),
        ("sig1=", "1sig="),
        ("sig1=", "="),
        ("sig1=", " sig1="),
        ("sig1=", "other="),
        ("sig1=(", "sig1=a=("),
        ("(\"", "( \""),
        ("\" \"", "\"  \""),
        ("\"@query\" ", "\"@query\" \"@query\" "),
        ("\"@query\" ", "\"@authority\" "),
        ("\"@query\" ", "\"@query\";req "),
        ("\"@method\" ", ""),
        ("\"@path\" ", ""),
        (" \"content-digest\"", ""),
        (";created", "; created"),
        (";created", " ;created"),
        ("created=", "created=0"),
        ("created=1618884473", "created=1618884473.0"),
        ("created=1618884473", "created=-1"),
        ("created=1618884473", "created=+1"),
        ("created=1618884473", "created=\"1618884473\""),
        ("created=1618884473", "created=1618884500"),
        ("created=1618884473", "created=1618884473;created=1618884473"),
        ("created=1618884473", "created=1000000000000000"),
        ("created=1618884473;", ""),
        ("keyid=\"payroll-1\"", "keyid=payroll-1"),
        ("keyid=\"payroll-1\"", "keyid=\"\""),
        ("keyid=\"payroll-1\"", "keyid=\"pay\\\"roll\""),
        ("keyid=\"payroll-1\"", "keyid=\"pay roll\""),
        ("keyid=\"payroll-1\"", "keyid=\"päyroll\""),
        ("keyid=\"payroll-1\";", ""),
        ("nonce=\"n-1\";", ""),
        ("nonce=\"n-1\"", "nonce=\"n-1\";nonce=\"n-1\""),
        (";tag=\"00ff\"", ""),
        (";tag", ";app=\"x\";tag"),
        (";tag", ";bare;tag"),
    ] {
        let changed = INPUT.replacen(from, to, 1);
        assert_ne!(changed, INPUT);
        assert!(read(&changed, "sig1=:AA==:").is_err(), "{changed}");
    }
    for tail in [";", " ", ",", ", sig2=()", "\t", "\0"] {
        assert!(read(&format!("{INPUT}{tail}"), "sig1=:AA==:").is_err(), "{tail:?}");
    }
    for signature in [
        "",
        "sig1",
        "sig1=",
        "sig1=:",
        "sig1=AA==",
        "sig1=:AA==",
        "sig1=:AA:",
        "sig1=:AB==:",
        "sig1=: AA==:",
        "sig1=:AA==:;a=1",
        "sig1=:AA==:, sig2=:AA==:",
        "sig2=:AA==:",
        "sig1=:-_==:",
        "sig1=:AA==: ",
    ] {
        assert!(read(INPUT, signature).is_err(), "{signature}");
    }
    let nonce = |length: usize| INPUT.replace("n-1", &"n".repeat(length));
    assert!(read(&nonce(MAX_NONCE), "sig1=:AA==:").is_ok());
    assert!(read(&nonce(MAX_NONCE + 1), "sig1=:AA==:").is_err());
    assert!(read(&INPUT.replace("00ff", &"0".repeat(MAX_HEADER)), "sig1=:AA==:").is_err());
    assert!(read(INPUT, &format!("sig1=:{}:", "A".repeat(MAX_HEADER))).is_err());
    assert!(read(&INPUT.replace("sig1", &"s".repeat(65)), &format!("{}=:AA==:", "s".repeat(65))).is_err());
}

#[test]
fn a_writer_writes_nothing_that_is_read_otherwise() {
    let digest = content_digest(b"");
    for bad in ["", "a\"b", "a b", "a\";nonce=\"b", "ä", "a\\"] {
        for signing in [
            Signing { nonce: bad, ..signing() },
            Signing { keyid: bad, ..signing() },
            Signing { tag: bad, ..signing() },
            Signing { alg: Some(bad), ..signing() },
        ] {
            assert!(signing.prepare("GET", "/", None, &digest).is_err(), "{bad}");
        }
    }
    assert!(Signing { expires: Some(1), ..signing() }.prepare("GET", "/", None, &digest).is_err());
}

mod answers {
    use super::*;
    use crate::http_signature::response::{
        Answer, LABEL, Presented, Request, Signing, read, signature_header,
    };

    const REQUEST: Request<'static> = Request {
        method: "GET",
        path: "/v1/wallets",
        query: Some("limit=1"),
        content_digest: Some("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"),
        signature: Some("sig1=:AA==:"),
    };
    const ANSWER: Answer<'static> = Answer {
        status: 200,
        content_digest: "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        receipt: None,
    };
    const SIGNING: Signing<'static> = Signing { created: 1_618_884_473, keyid: "00", tag: "ff" };

    #[test]
    fn an_answer_belongs_to_its_request() {
        let key = SigningKey::from_bytes(&[1; 32]);
        let unsigned = SIGNING.prepare(&REQUEST, &ANSWER).unwrap();
        assert_eq!(
            unsigned.signature_input,
            format!(
                "{LABEL}=(\"@status\" \"content-digest\" \"@method\";req \"@path\";req \"@query\";req \
                 \"content-digest\";req \"signature\";req);created=1618884473;keyid=\"00\";alg=\"ed25519\";tag=\"ff\""
            )
        );
        let header = signature_header(&key.sign(unsigned.base.as_bytes()).to_bytes());
        let presented = read(&unsigned.signature_input, &header).unwrap();
        let good = |presented: &Presented<'_>, request: &Request<'_>, answer: &Answer<'_>| {
            presented
                .base(request, answer)
                .is_ok_and(|base| verifies(&key.verifying_key(), &base, &presented.signature))
        };
        assert!(good(&presented, &REQUEST, &ANSWER));
        for request in [
            Request { method: "POST", ..REQUEST },
            Request { path: "/v1/batch", ..REQUEST },
            Request { query: None, ..REQUEST },
            Request { query: Some(""), ..REQUEST },
            Request { content_digest: None, ..REQUEST },
            Request { signature: None, ..REQUEST },
            Request { signature: Some("sig1=:AAA=:"), ..REQUEST },
        ] {
            assert!(!good(&presented, &request, &ANSWER), "{request:?}");
        }
        for answer in [
            Answer { status: 201, ..ANSWER },
            Answer { content_digest: "sha-256=:AA==:", ..ANSWER },
            Answer { receipt: Some("boot=\"00\""), ..ANSWER },
        ] {
            assert!(!good(&presented, &REQUEST, &answer), "{answer:?}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_covered() {
        let request = Request { query: None, content_digest: None, signature: None, ..REQUEST };
        let answer = Answer { receipt: Some("boot=\"00\", sequence=1"), ..ANSWER };
        let unsigned = SIGNING.prepare(&request, &answer).unwrap();
        assert!(unsigned.signature_input.starts_with(
            "enclave=(\"@status\" \"content-digest\" \"signer-receipt\" \"@method\";req \"@path\";req);created="
        ));
        assert!(SIGNING.prepare(&Request { path: "/\n", ..request }, &answer).is_err());
    }

    #[test]
    fn other_signatures_are_none_of_an_enclave() {
        let unsigned = SIGNING.prepare(&REQUEST, &ANSWER).unwrap();
        let header = signature_header(&[0; 64]);
        for (from, to) in [
            ("enclave=", "sig1="),
            ("ed25519", "hmac-sha256"),
            (";alg=\"ed25519\"", ""),
            (";tag", ";nonce=\"n\";tag"),
            (";tag", ";expires=1618884474;tag"),
        ] {
            assert!(read(&unsigned.signature_input.replacen(from, to, 1), &header).is_err(), "{to}");
        }
        let reordered = unsigned
            .signature_input
            .replace("\"@status\" \"content-digest\"", "\"content-digest\" \"@status\"");
        assert!(read(&reordered, &header).unwrap().base(&REQUEST, &ANSWER).is_err());
    }
}

fn token() -> impl Strategy<Value = String> {
    "[!#-\\[\\]-~]{1,40}"
}

proptest! {
    #[test]
    fn writing_and_reading_round_trips(
        created in 0u64..1_000_000_000_000_000,
        keyid in token(), nonce in token(), tag in token(), alg in proptest::option::of(token()),
        path in "/[A-Za-z0-9._/'-]{0,40}", query in proptest::option::of("[!-~]{0,40}"),
        body in proptest::collection::vec(any::<u8>(), 0..64),
        signature in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let signing = Signing { created, expires: None, keyid: &keyid, nonce: &nonce, tag: &tag, alg: alg.as_deref() };
        let digest = content_digest(&body);
        let unsigned = signing.prepare("POST", &path, query.as_deref(), &digest).unwrap();
        let header = signature_header(&signature);
        let presented = read(&unsigned.signature_input, &header).unwrap();
        prop_assert_eq!(presented.created, created);
        prop_assert_eq!((presented.keyid, presented.nonce), (keyid.as_str(), nonce.as_str()));
        prop_assert_eq!((presented.tag, presented.alg), (tag.as_str(), alg.as_deref()));
        prop_assert_eq!(&presented.signature, &signature);
        prop_assert_eq!(base(&presented, "POST", &path, query.as_deref(), &digest).unwrap(), unsigned.base);
    }

    #[test]
    fn a_changed_character_is_refused_or_changes_what_was_signed(at in 0usize..400, to in 0u8..128) {
        let digest = content_digest(b"{}");
        let unsigned = signing().prepare("POST", "/v1", Some("a"), &digest).unwrap();
        let header = signature_header(&[9; 64]);
        let mut changed = unsigned.signature_input.clone().into_bytes();
        let at_input = at % changed.len();
        prop_assume!(changed[at_input] != to);
        changed[at_input] = to;
        if let Ok(presented) = read(&String::from_utf8(changed).unwrap(), &header) {
            prop_assert_ne!(base(&presented, "POST", "/v1", Some("a"), &digest).ok(), Some(unsigned.base.clone()));
        }
        let mut changed = header.into_bytes();
        let at_header = at % changed.len();
        prop_assume!(changed[at_header] != to);
        changed[at_header] = to;
        if let Ok(presented) = read(&unsigned.signature_input, &String::from_utf8(changed).unwrap()) {
            prop_assert_ne!(presented.signature, vec![9; 64]);
        }
    }

    #[test]
    fn nothing_panics(input in ".{0,200}", signature in ".{0,100}") {
        let _ = read(&input, &signature);
        let _ = response::read(&input, &signature);
        let _ = read(&format!("sig1=({input}"), &format!("sig1=:{signature}"));
        let _ = read(&format!("sig1=(\"@method\" \"@path\" \"content-digest\");{input}"), "sig1=:AA==:");
        let _ = signing().prepare(&input, &signature, Some(&input), &signature);
    }
}
