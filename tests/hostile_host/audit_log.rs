//! A host keeps the audit log.

use std::time::{Duration, Instant};

use serde_json::Value;
use signer_rules::{audit::verify_boot, configuration::Audit, statement::Statement};
use signer_shared::message::{RefusalCode, Request, Response};
use signer_tests::{
    kms::Fault,
    stack::{Host, PATIENT_AUDIT, StackOptions},
};
use tokio::time::sleep;

use crate::world::{World, create_wallet, problem, refusal, sign, status};

/// Asks for a page; returns the sequence number of its first record, and its lines.
async fn page(host: &mut Host, after: Option<u64>) -> (u64, Vec<Vec<u8>>) {
    match host.ask(Request::Audit { after }).await.expect("an answer") {
        Response::Audit { first, records, checkpoint, .. } => {
            let records = records.into_iter().map(serde_bytes::ByteBuf::into_vec);
            (first, records.chain(checkpoint.map(String::into_bytes)).collect())
        }
        other => panic!("no records: {other:?}"),
    }
}

/// The entries of one kind, in order.
pub(crate) async fn records(host: &mut Host, kind: &str) -> Vec<Value> {
    let (_, lines) = page(host, None).await;
    let records = lines.iter().map(|line| serde_json::from_slice::<Value>(line).expect("JSON"));
    records.filter_map(|record| record.get(kind).cloned()).collect()
}

/// Attack: say that records are stored which were never handed out. Defence: the enclave forgets only
/// what it has given, under a checkpoint; and what it gives once more is the same.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_claim_of_a_stored_log_forgets_nothing() {
    let (_world, mut host) = World::ready().await;
    for after in [0, 2, u64::MAX] {
        let answer = host.ask(Request::Audit { after: Some(after) }).await.expect("an answer");
        assert_eq!(refusal(answer), RefusalCode::Malformed, "{after}");
    }
    let (first, lines) = page(&mut host, None).await;
    // Boot, keyring made and opened, policy, and the checkpoint.
    assert_eq!((first, lines.len()), (0, 5));
    let answer = host.ask(Request::Audit { after: Some(4) }).await.expect("an answer");
    assert_eq!(refusal(answer), RefusalCode::Malformed);
    assert_eq!(page(&mut host, None).await, (first, lines.clone()));

    let statement = match host.ask(Request::Attest { nonce: None }).await.expect("an answer") {
        Response::Attestation { statement, .. } => statement,
        other => panic!("no document: {other:?}"),
    };
    let statement: Statement = serde_json::from_slice(&statement).expect("a statement");
    let segment: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    let chain =
        verify_boot([segment.as_slice()], statement.identity_key, statement.authority, statement.boot_id)
            .expect("the boot's own log");
    assert_eq!((chain.length(), chain.unsealed), (4, 0));
    assert_eq!(chain.digest(statement.audit_sequence), Some(statement.audit_head));
}

/// Attack: run an enclave in secret, carry nothing to KMS once its keyring is open, so that it leaves no witness, and
/// store nothing of it. Defence: KMS's log has the id of each request that it granted, an enclave's log all of its own;
/// `signerctl audit verify` names an id that no log has, as `tests/audit.rs` shows.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_boot_without_a_witness_is_in_the_log_of_kms() {
    let (world, mut host) = World::ready().await;
    let granted: Vec<Value> = world
        .stack
        .kms
        .trail()
        .iter()
        .filter(|event| event["eventName"] == "Decrypt" && event["errorCode"].is_null())
        .map(|event| event["requestID"].clone())
        .collect();
    let opened = records(&mut host, "keyring_opened").await;
    let recorded: Vec<Value> = opened
        .iter()
        .filter_map(|record| record["requests"].as_array().cloned())
        .flatten()
        .map(|request| request["request_id"].clone())
        .collect();
    assert_eq!((recorded.len(), &recorded), (1, &granted));
}

/// Attack: store nothing of the log. Defence: after the time of the configuration nothing is decided,
/// and it goes on when the log is stored.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_loss_of_the_log_stops_signing() {
    let audit = Audit { longest_unstored_s: 10, ..PATIENT_AUDIT };
    let world = World::of(StackOptions { audit, ..StackOptions::default() }).await;
    let mut host = world.host().await;
    world.make_ready(&mut host).await;
    create_wallet(&mut host, "treasury").await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
    sleep(Duration::from_millis(10_100)).await;
    assert_eq!(problem(&sign(&mut host, "treasury").await), (503, "audit_not_stored".into()));
    assert!(status(&mut host).await.audit.problem.is_some());
    let recorded = status(&mut host).await.audit_head;
    let (first, lines) = page(&mut host, None).await;
    let last = first + u64::try_from(lines.len()).expect("few") - 2;
    assert_eq!(last, recorded, "a refusal is no record");
    page(&mut host, Some(last)).await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
}

/// Attack: carry nothing more to KMS once the keyring is open, and throw the log away: no witness of it is left anywhere.
/// Defence: what is decided without a witness ends after the time of the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_loss_of_witnesses_stops_signing() {
    let audit = Audit { witness_s: 10, longest_unwitnessed_s: 10, ..PATIENT_AUDIT };
    let world = World::of(StackOptions { audit, ..StackOptions::default() }).await;
    let mut host = world.host().await;
    world.make_ready(&mut host).await;
    world.stack.kms.inject("GenerateDataKey", Fault::InternalFailure);
    create_wallet(&mut host, "treasury").await;
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(problem(&sign(&mut host, "treasury").await), (503, "audit_not_stored".into()));
    let told = status(&mut host).await.audit.problem.expect("a problem");
    assert!(told.contains("no witness"), "{told}");

    world.stack.kms.clear_faults();
    let deadline = Instant::now() + Duration::from_mins(1);
    while sign(&mut host, "treasury").await.status != 200 {
        assert!(Instant::now() < deadline, "a witness opens it again");
        sleep(Duration::from_millis(250)).await;
    }
}
