//! A host keeps the audit log.

use std::time::Duration;

use signer_rules::{audit::verify_boot, configuration::Audit, statement::Statement};
use signer_shared::message::{RefusalCode, Request, Response};
use signer_tests::stack::{Host, StackOptions};
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
    // Boot, keyring, policy, and the checkpoint.
    assert_eq!((first, lines.len()), (0, 4));
    let answer = host.ask(Request::Audit { after: Some(3) }).await.expect("an answer");
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
    assert_eq!((chain.length(), chain.unsealed), (3, 0));
    assert_eq!(chain.digest(statement.audit_sequence), Some(statement.audit_head));
}

/// Attack: store nothing of the log. Defence: after the time of the configuration nothing is decided,
/// and it goes on when the log is stored.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_loss_of_the_log_stops_signing() {
    let audit = Audit { longest_unstored_s: 10, witness_s: 60 };
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
