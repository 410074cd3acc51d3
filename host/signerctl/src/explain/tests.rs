//! What is explained, in every form; and what is not.

use serde_json::Value;

use super::*;
use signer_terminal::{EXIT_FAILED, EXIT_USAGE};

/// The example of EIP-155.
const UNSIGNED: &str =
    "0xec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";
const SIGNED: &str = "0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340b\
    d939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83";
/// Made by viem 2.57: a transaction with two blobs.
const BLOBS: &str = "0x03f8720108843b9aca008506fc23ac0082520894a0b86991c6218b36c1d19d4a2e9eb0ce3606eb488080c085012a05f200f842a0\
    01aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const SIGNED_BLOBS: &str = "0x03f8b50108843b9aca008506fc23ac0082520894a0b86991c6218b36c1d19d4a2e9eb0ce3606eb488080c085012a05f20\
    0f842a001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
    bbbbbbbbbbbb80a0af43e186916ac9db258c3bf5833a24198f9b90246660c8f8be9e982768cce186a07b0029a47379535210b0ed470a726361995bcafb\
    a81c2c94871d6290913db82c";

fn explained(text: &str) -> Report {
    explain(text.as_bytes(), None, Terminal::plain().style()).unwrap()
}

fn refused(text: &str, kind: Option<&str>) -> Failure {
    explain(text.as_bytes(), kind, Terminal::plain().style()).err().unwrap()
}

fn request(body: &Value) -> String {
    body.to_string()
}

#[test]
fn a_transaction_is_listed_in_the_order_of_its_facts_with_units() {
    let report = explained(UNSIGNED);
    let expected = "\
EVM transaction (evm.transaction)

kind              legacy
chain id          1
nonce             9
to                0x3535353535353535353535353535353535353535
value             1000000000000000000 wei = 1 ETH
gas               21000
gas price         20000000000 wei = 20 gwei
input             0x
selector          -
access list       none
creates contract  no
max cost          1000420000000000000 wei = 1.00042 ETH";
    assert_eq!(report.human, expected);
    assert_eq!((report.exit, &report.json["max_cost"]), (0, &json!("1000420000000000000")));
}

#[test]
fn a_signed_transaction_is_that_without_its_signature() {
    for (signed, unsigned) in [(SIGNED, UNSIGNED), (SIGNED_BLOBS, BLOBS)] {
        assert_eq!(signed::without_signature(signed).as_deref(), Some(unsigned));
        assert_eq!(signed::without_signature(unsigned), None);
        let report = explained(signed);
        assert_eq!(report.json, explained(unsigned).json);
        assert!(report.human.lines().next().unwrap().contains("signed already"));
        // Whatever is cut off, nothing panics, and it is not explained as something else.
        for length in 0..signed.len() {
            assert!(signed::without_signature(&signed[..length]).is_none());
        }
    }
    // From before EIP-155: v is 27 or 28.
    let old = UNSIGNED.replace("0xec", "0xe9").replace("80018080", "80");
    let signed = old.replace("0xe9", "0xec") + "1c0708";
    assert_eq!(signed::without_signature(&signed), Some(old));
}

#[test]
fn a_request_is_explained_with_who_is_asked() {
    let text = request(&json!({
        "wallet": "treasury", "type": "evm.authorization", "path": "m/44'/60'/0'/0/0",
        "authorization": {"chainId": 0, "address": "0x63c0c19a282a1b52b07dd5a65b58948a07dae32b", "nonce": 1},
    }));
    let human = explained(&text).human;
    assert!(
        human.starts_with("EIP-7702 authorization (evm.authorization)\n\nwallet  treasury\npath    m/44")
    );
    assert!(human.contains("0x63c0c19a282a1B52b07dD5a65b58948A07DAE32B"), "{human}");
    assert!(human.contains("warning: valid on every chain"), "{human}");
    assert!(human.contains("warning: hands its account to a contract"), "{human}");
}

#[test]
fn an_authorization_list_is_listed_and_warned_of() {
    let entry = |chain_id: u64, address: &str| json!({"chainId": chain_id, "address": address, "nonce": 1, "yParity": 0, "r": 7, "s": 8});
    let text = request(&json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": 0, "gas": 100_000, "maxFeePerGas": 2, "maxPriorityFeePerGas": 1,
        "to": "0x3535353535353535353535353535353535353535",
        "authorizationList": [
            entry(0, "0x63c0c19a282a1b52b07dd5a65b58948a07dae32b"),
            entry(5, "0x0000000000000000000000000000000000000000"),
        ],
    }}));
    let human = explained(&text).human;
    for line in [
        "authorization list [1]\n  chain id  5\n  address   0x0000000000000000000000000000000000000000\n  revokes   yes",
        "  chain id  none: every chain",
        "warning: authorization list [0]: hands its account",
        "warning: authorization list [0]: valid on every chain",
        "warning: authorization list [1]: removes the code",
        "warning: authorization list [1]: for another chain",
        "warning: whose accounts",
    ] {
        assert!(human.contains(line), "{line}: {human}");
    }
}

#[test]
fn what_is_signed_unseen_or_everywhere_is_warned_of() {
    let digest = format!("0x{}", "ab".repeat(32));
    let report = explain(digest.as_bytes(), Some("raw.digest"), Terminal::plain().style()).unwrap();
    assert!(report.human.contains("warning: signed unseen"));
    let creation = request(&json!({"type": "evm.transaction", "transaction": {
        "chainId": null, "nonce": 0, "gas": 100_000, "gasPrice": 1, "data": "0x00",
    }}));
    let human = explained(&creation).human;
    assert!(human.contains("to                none: creates a contract"), "{human}");
    assert!(human.contains("warning: valid on every chain"), "{human}");
    assert!(human.contains("warning: creates a contract"), "{human}");
}

#[test]
fn text_of_others_cannot_paint() {
    let text = request(&json!({"type": "evm.message", "text": "pay\n\u{1b}[2Jme", "address": "\u{202e}x"}));
    let human = explained(&text).human;
    assert!(human.contains("pay\\u{a}\\u{1b}[2Jme") && human.contains("\\u{202e}x"), "{human}");
    let long = request(&json!({"type": "evm.message", "text": "x".repeat(1000)}));
    assert!(explained(&long).human.contains("xxx... and 700 more characters"));
}

#[test]
fn rejections_name_the_field() {
    let text = request(&json!({"type": "evm.transaction", "transaction": {"nonce": 0, "blobs": []}}));
    let failure = refused(&text, None);
    assert_eq!(failure.exit(), EXIT_FAILED);
    assert!(failure.to_string().starts_with("this would be rejected: transaction.blobs: "), "{failure}");
    assert_eq!(failure.to_json()["error"]["problem"]["field"], "transaction.blobs");
    for text in [
        "{}",
        r#"{"type":"evm.transaction"}"#,
        r#"{"type":"x"}"#,
        r#"{"type":"raw.digest","digest":"0x","digest":"0x"}"#,
        r#"{"type":"raw.digest","surprise":1}"#,
        "0x",
        "0x05c0",
        "AAAA",
        "{",
    ] {
        assert_eq!(refused(text, None).exit(), EXIT_FAILED, "{text}");
    }
}

#[test]
fn what_has_no_known_form_is_wrong_usage() {
    for (text, kind) in [("", None), ("hello?", None), ("0x00", Some("evm.typed_data"))] {
        assert_eq!(refused(text, kind).exit(), EXIT_USAGE, "{text}");
    }
    assert_eq!(explain(&[0xff], None, Terminal::plain().style()).err().unwrap().exit(), EXIT_USAGE);
}
