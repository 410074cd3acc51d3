use std::collections::BTreeSet;

use serde_bytes::ByteBuf;
use signer_eif::verify::{Document, Root, verify};

use super::*;

fn device(options: NsmOptions) -> SoftwareNsm {
    SoftwareNsm::new(Arc::new(AttestationAuthority::generate()), options)
}

fn healthy() -> NsmOptions {
    NsmOptions {
        pcr0: Pcr::measuring(b"image"),
        pcr1: Pcr::measuring(b"kernel"),
        pcr2: Pcr::measuring(b"application"),
        pcr3: Some(Pcr::measuring(b"arn:aws:iam::111122223333:role/parent")),
        ..NsmOptions::default()
    }
}

fn attest(nsm: &SoftwareNsm, user_data: &[u8], nonce: &[u8], public_key: &[u8]) -> Vec<u8> {
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| ByteBuf::from(bytes));
    let request =
        Request::Attestation { user_data: some(user_data), nonce: some(nonce), public_key: some(public_key) };
    match nsm.process(request) {
        Response::Attestation { document } => document,
        other => panic!("no document: {other:?}"),
    }
}

fn verified(nsm: &SoftwareNsm, document: &[u8]) -> Document {
    let root = Root::from_der(nsm.authority.root_der()).expect("a P-384 root");
    verify(document, &root).expect("a genuine document")
}

fn error(response: &Response) -> String {
    match response {
        Response::Error(code) => format!("{code:?}"),
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn a_document_verifies_and_says_what_was_asked() {
    let nsm = device(healthy());
    let document = verified(&nsm, &attest(&nsm, b"statement", b"nonce", b"key"));
    assert_eq!(document.module_id, nsm.module_id());
    assert_eq!(document.user_data.as_deref(), Some(&b"statement"[..]));
    assert_eq!(document.nonce.as_deref(), Some(&b"nonce"[..]));
    assert_eq!(document.public_key.as_deref(), Some(&b"key"[..]));
    assert_eq!(document.pcrs[&0], Pcr::measuring(b"image").0);
    assert_eq!(document.pcrs[&2], Pcr::measuring(b"application").0);
    assert_eq!(document.pcrs.keys().copied().collect::<BTreeSet<_>>(), (0..16).collect());
}

#[test]
fn both_map_forms_verify_and_start_as_real_documents_do() {
    for (indefinite_map, first) in [(false, 0xa9), (true, 0xbf)] {
        let nsm = device(NsmOptions { indefinite_map, ..healthy() });
        let document = attest(&nsm, b"", b"", b"");
        assert_eq!(document[..8], [0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x59]);
        assert_eq!(document[10], first);
        let read = verified(&nsm, &document);
        assert_eq!((read.user_data, read.nonce, read.public_key), (None, None, None));
    }
}

#[test]
fn only_locked_registers_are_attested() {
    let nsm = device(healthy());
    let Response::ExtendPCR { data } =
        nsm.process(Request::ExtendPCR { index: 16, data: b"configuration".to_vec() })
    else {
        panic!("PCR16 starts unlocked");
    };
    assert_eq!(data, Pcr::measuring(b"configuration").0);
    assert!(!verified(&nsm, &attest(&nsm, b"", b"", b"")).pcrs.contains_key(&16));
    assert!(matches!(nsm.process(Request::LockPCR { index: 16 }), Response::LockPCR));
    assert_eq!(verified(&nsm, &attest(&nsm, b"", b"", b"")).pcrs[&16][..], data);
}

#[test]
fn locked_and_absent_registers_are_refused() {
    let nsm = device(healthy());
    let extend = |index| nsm.process(Request::ExtendPCR { index, data: b"data".to_vec() });
    for index in [0, 15] {
        assert_eq!(error(&extend(index)), "ReadOnlyIndex");
        assert_eq!(error(&nsm.process(Request::LockPCR { index })), "ReadOnlyIndex");
    }
    assert!(matches!(nsm.process(Request::LockPCRs { range: 18 }), Response::LockPCRs));
    assert_eq!(error(&extend(17)), "ReadOnlyIndex");
    assert!(matches!(extend(18), Response::ExtendPCR { .. }));
    for response in [
        extend(32),
        nsm.process(Request::LockPCR { index: 32 }),
        nsm.process(Request::LockPCRs { range: 33 }),
        nsm.process(Request::DescribePCR { index: 32 }),
    ] {
        assert_eq!(error(&response), "InvalidIndex");
    }
}

#[test]
fn the_device_describes_itself() {
    let Response::DescribeNSM { version_major, max_pcrs, locked_pcrs, digest, module_id, .. } =
        device(healthy()).process(Request::DescribeNSM)
    else {
        panic!("no description");
    };
    assert_eq!((version_major, max_pcrs, digest), (1, 32, Digest::SHA384));
    assert_eq!(locked_pcrs, (0..16).collect());
    assert!(module_id.starts_with("i-") && module_id.contains("-enc"), "{module_id}");
}

#[test]
fn optional_fields_have_1024_bytes_at_most() {
    let nsm = device(healthy());
    verified(&nsm, &attest(&nsm, &[1; 1_024], &[2; 1_024], &[3; 1_024]));
    let long = || Some(ByteBuf::from(vec![0; 1_025]));
    for (user_data, nonce, public_key) in [(long(), None, None), (None, long(), None), (None, None, long())] {
        let response = nsm.process(Request::Attestation { user_data, nonce, public_key });
        assert_eq!(error(&response), "InputTooLarge");
    }
}

#[test]
fn certificates_are_short_and_leaves_renewed() {
    let nsm = device(healthy());
    let leaf = |nsm: &SoftwareNsm| {
        attest(nsm, b"", b"", b"");
        let state = nsm.state.lock().expect("not poisoned");
        let chain = state.chain.as_ref().expect("made for the document");
        for certificate in chain.bundle().iter().map(AsRef::as_ref).chain([chain.leaf()]) {
            let length = <[u8]>::len(certificate);
            assert!(length <= 1_024, "{length}");
        }
        assert_eq!(chain.bundle().len(), 4);
        chain.leaf().to_vec()
    };
    let first = leaf(&nsm);
    assert_eq!(first, leaf(&nsm));
    nsm.set_clock_offset_ms(2 * 3_600_000);
    assert_eq!(first, leaf(&nsm));
    nsm.set_clock_offset_ms(3 * 3_600_000 - 300_000);
    assert_ne!(first, leaf(&nsm));
    nsm.set_clock_offset_ms(-3_600_000);
    let document = verified(&nsm, &attest(&nsm, b"", b"", b""));
    assert!(document.timestamp_ms < u64::try_from(unix_now().as_millis()).expect("this century") - 3_500_000);
}

#[test]
fn threads_share_a_device() {
    let nsm = device(healthy());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| verified(&nsm, &attest(&nsm, b"", b"nonce", b"")));
        }
    });
}

#[test]
fn hooks_make_an_unhealthy_enclave() {
    let nsm =
        device(NsmOptions { debug_mode: true, pcr16_touched_with: Some(b"evil".to_vec()), ..healthy() });
    let describe = |index| match nsm.process(Request::DescribePCR { index }) {
        Response::DescribePCR { data, .. } => data,
        other => panic!("{other:?}"),
    };
    for index in 0..3 {
        assert_eq!(describe(index), [0; 48]);
    }
    assert_eq!(describe(3), healthy().pcr3.expect("given").0);
    assert_eq!(describe(16), Pcr::measuring(b"evil").0);

    let random = |nsm: &SoftwareNsm| match nsm.process(Request::GetRandom) {
        Response::GetRandom { random } => Ok(random.len()),
        other => Err(error(&other)),
    };
    assert_eq!(random(&nsm), Ok(256));
    nsm.fail(Failing::EmptyRandom);
    assert_eq!(random(&nsm), Ok(0));
    nsm.fail(Failing::Random);
    assert_eq!(random(&nsm), Err("InternalError".to_owned()));
    nsm.fail(Failing::Everything);
    assert_eq!(error(&nsm.process(Request::DescribeNSM)), "InternalError");
    nsm.fail(Failing::Nothing);
    assert_eq!(random(&nsm), Ok(256));
}
