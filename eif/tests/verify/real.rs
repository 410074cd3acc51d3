//! Documents that AWS's hardware made, where the folder with the samples is present.

use crate::{Run, scene::samples, verify};

fn judge(name: &str, options: &[&str]) -> Option<Run> {
    let file = samples()?.join(name).display().to_string();
    let mut arguments = vec!["--document".to_owned(), file];
    arguments.extend(options.iter().map(|&option| option.to_owned()));
    Some(verify(&arguments))
}

#[test]
fn genuine_documents_are_3_at_their_own_time() {
    for name in ["real-2021-03-24-with-public-key.bin", "real-2025-09-16-indefinite-map.bin"] {
        let Some(run) = judge(name, &["--signature-only"]) else { return };
        assert_eq!(run.exit, 3, "{name}: {}", run.json);
        assert_eq!((&run.json["root"], run.with_verdict("fail").len()), (&"aws".into(), 0), "{name}");
    }
}

#[test]
fn a_genuine_document_alone_is_never_0() {
    let at = ["--at", "2021-03-24T16:11:00Z"];
    let Some(run) = judge("real-2021-03-24-with-public-key.bin", &at) else { return };
    assert_eq!(run.exit, 2, "{}", run.json);
    assert!(run.with_verdict("pass").contains(&"age"), "{}", run.json);
    let run = judge("real-2021-03-24-with-public-key.bin", &[]).unwrap();
    assert_eq!((run.exit, run.with_verdict("fail")), (1, vec!["age"]));
}

#[test]
fn debug_mode_and_bad_signature_are_1() {
    let Some(debug) = judge("real-2022-10-12-debug-mode.bin", &["--signature-only"]) else { return };
    assert_eq!((debug.exit, debug.with_verdict("fail")), (1, vec!["debug mode"]));
    let forged = judge("real-2022-11-09-bad-signature.bin", &["--signature-only"]).unwrap();
    assert_eq!((forged.exit, forged.with_verdict("fail")), (1, vec!["signature"]));
}
