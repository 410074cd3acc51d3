//! Documents that AWS's hardware made, where the folder with the samples is present.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::super::{Document, Root, VerifyError, verify};

/// A sample, or `None` (and a word about it) when the folder is absent.
fn sample(name: &str) -> Option<Vec<u8>> {
    let folder = env::var_os("NITRO_SIGNER_VECTORS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"), PathBuf::from);
    if !folder.is_dir() {
        assert!(env::var_os("NITRO_SIGNER_VECTORS").is_none(), "{} is not there", folder.display());
        println!("skipped: no folder with real samples (set NITRO_SIGNER_VECTORS)");
        return None;
    }
    Some(fs::read(folder.join("attestation").join(name)).unwrap())
}

fn verified(name: &str) -> Option<Result<Document, VerifyError>> {
    sample(name).map(|bytes| verify(&bytes, &Root::aws()))
}

#[test]
fn document_of_2021_verifies() {
    let Some(result) = verified("real-2021-03-24-with-public-key.bin") else {
        return;
    };
    let document = result.unwrap();
    document.check_not_debug().unwrap();
    assert_eq!(document.timestamp_ms / 1000, 1_616_602_241);
    assert_eq!(document.public_key.as_ref().map(Vec::len), Some(294));
}

#[test]
fn document_of_2025_with_indefinite_map_verifies() {
    let Some(result) = verified("real-2025-09-16-indefinite-map.bin") else {
        return;
    };
    let document = result.unwrap();
    document.check_not_debug().unwrap();
    assert_eq!(document.timestamp_ms / 1000, 1_758_057_949);
}

#[test]
fn debug_document_is_genuine_and_refused() {
    let Some(result) = verified("real-2022-10-12-debug-mode.bin") else {
        return;
    };
    let refused = result.unwrap().check_not_debug().unwrap_err();
    assert_eq!(refused, VerifyError::DebugMode { index: 0 });
}

#[test]
fn bad_signature_is_refused_for_its_signature() {
    let Some(result) = verified("real-2022-11-09-bad-signature.bin") else {
        return;
    };
    assert_eq!(result.unwrap_err(), VerifyError::BadSignature);
}

#[test]
fn aws_root_is_the_pinned_one() {
    let Some(pem) = sample("aws-nitro-root-g1.pem") else {
        return;
    };
    let pem = String::from_utf8(pem).unwrap();
    assert_eq!(Root::from_pem(&pem).unwrap(), Root::aws());
}

#[test]
fn real_document_is_refused_under_another_root() {
    let Some(bytes) = sample("real-2021-03-24-with-public-key.bin") else {
        return;
    };
    let root = super::Builder::new().root();
    assert_eq!(verify(&bytes, &root).unwrap_err().code(), "wrong_root");
}
