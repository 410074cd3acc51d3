use std::fs;

use super::*;
use crate::config::tests::{signed_configuration, test_directory};

const BOOT: BootId = HexBytes([0xab; 16]);

fn record(sequence: u64, entry: &str) -> String {
    let previous = HexBytes([0; 32]);
    format!(
        "{{\"sequence\":{sequence},\"time\":\"2026-01-31T12:00:00Z\",\"previous\":\"{previous}\",{entry}}}\n"
    )
}

/// A store with a boot that nobody vouches for.
fn store() -> PathBuf {
    let root = test_directory();
    fs::create_dir_all(root.join(format!("audit/{BOOT}"))).unwrap();
    fs::create_dir_all(root.join("boot")).unwrap();
    let decision = r#""decision":{"client":"back\u001bend","operation":"evm.transaction","wallet":null,"rule":"limit","allowed":false}"#;
    let content = record(0, r#""policy":{"version":1}"#) + &record(1, decision) + "{\"checkpoint\":{}}\n";
    fs::write(root.join(format!("audit/{BOOT}/00000000000000000000")), content).unwrap();
    root
}

fn verify_args(store: PathBuf) -> VerifyArgs {
    let (config, _) = signed_configuration();
    let measurements = test_directory().join("eif.json");
    let pcr = "01".repeat(48);
    let text = format!(
        r#"{{"Measurements":{{"HashAlgorithm":"Sha384 {{ ... }}","PCR0":"{pcr}","PCR1":"{pcr}","PCR2":"{pcr}"}}}}"#
    );
    fs::write(&measurements, text).unwrap();
    VerifyArgs {
        store: StoreArgs { store, boot: None },
        config: vec![config],
        measurements: vec![measurements],
        cloudtrail: vec![],
        receipt: vec![],
        root: RootArgs::default(),
    }
}

#[test]
fn a_log_that_nobody_vouches_for_does_not_hold() {
    let root = store();
    let report = verify(&verify_args(root.clone()), &Terminal::plain()).unwrap();
    assert_eq!((report.exit, &report.json["outcome"]), (EXIT_FAILED, &json!("wrong")));
    fs::write(root.join(format!("boot/{BOOT}")), "{}").unwrap();
    let report = verify(&verify_args(root), &Terminal::plain()).unwrap();
    assert!(report.human.contains("not an answer"), "{}", report.human);
}

#[test]
fn what_is_not_there_cannot_hold() {
    let empty = verify(&verify_args(test_directory()), &Terminal::plain());
    assert!(empty.err().unwrap().to_string().contains("no log"));
    let mut args = verify_args(test_directory());
    args.receipt = vec![Receipt { boot_id: BOOT, sequence: 0, digest: HexBytes([0; 32]) }];
    let report = verify(&args, &Terminal::plain()).unwrap();
    assert_eq!(report.exit, EXIT_FAILED);
    assert!(report.human.contains("hidden"), "{}", report.human);
    assert!(Store::open(&test_directory().join("missing")).is_err());
}

#[test]
fn records_are_shown_a_line_each() {
    let report = show::run(&Store::open(&store()).unwrap(), None).unwrap();
    let lines: Vec<&str> = report.human.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(
        lines[2],
        "  2026-01-31T12:00:00Z       1  back\\u{1b}end evm.transaction wallet - rule limit DENIED"
    );
    assert_eq!(report.json["boots"][0]["records"][1]["decision"]["rule"], "limit");
    assert!(show::run(&Store::open(&store()).unwrap(), Some(HexBytes([1; 16]))).is_err());
}

#[test]
fn an_export_is_a_store_of_one_boot() {
    let root = store();
    let without = Store::open(&root).unwrap().export(BOOT);
    assert!(without.unwrap_err().to_string().contains("no attestation"));
    fs::write(root.join(format!("boot/{BOOT}")), format!("{{\"boot_id\":\"{BOOT}\"}}")).unwrap();
    let (folder, file) = (Store::open(&root).unwrap(), test_directory().join("boot.jsonl"));
    fs::write(&file, folder.export(BOOT).unwrap()).unwrap();
    let again = Store::open(&file).unwrap();
    assert_eq!(again.boots().collect::<Vec<_>>(), [BOOT]);
    assert_eq!(again.export(BOOT).unwrap(), folder.export(BOOT).unwrap());
    let segments = |store: &Store| store.segments(BOOT).map(Result::unwrap).collect::<Vec<_>>();
    assert_eq!(segments(&again), segments(&folder));
    fs::write(&file, "no").unwrap();
    assert!(Store::open(&file).is_err());
}
