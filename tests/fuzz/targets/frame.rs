//! Frames between host and enclave: no panic, and each message has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signer_shared::{
    frame::{decode, encode},
    message::{ApiRequest, Header, Object, Request, RequestFrame, Response, ResponseFrame},
};

/// Bytes of the length before each body.
const HEADER: usize = 4;

fuzz_target!(init: signer_fuzz::write_if_asked(seeds), |data: &[u8]| {
    if let Ok(frame) = decode::<RequestFrame>(data) {
        assert_eq!(&encode(&frame).expect("what was read can be written")[HEADER..], data);
    }
    if let Ok(frame) = decode::<ResponseFrame>(data) {
        assert_eq!(&encode(&frame).expect("what was read can be written")[HEADER..], data);
    }
});

fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let body = |request| {
        encode(&RequestFrame { id: 1, remaining_ms: 1000, request }).expect("a frame")[HEADER..].to_vec()
    };
    let api = ApiRequest {
        method: "POST".to_owned(),
        path: "/v1/wallets/treasury/sign?x=1".to_owned(),
        headers: vec![Header { name: "signature".to_owned(), value: "sig=:AA==:".to_owned() }],
        body: b"{}".to_vec().into(),
        objects: vec![Object { name: "wallet/a".to_owned(), content: Some(vec![1].into()) }],
        listing: None,
    };
    let needed =
        ResponseFrame { id: 1, response: Response::NeedObjects { names: vec!["wallet/a".to_owned()] } };
    vec![
        ("hello", body(Request::Hello { protocol: 1 })),
        ("api", body(Request::Api(api))),
        ("attest", body(Request::Attest { nonce: Some(vec![0; 16].into()) })),
        ("need-objects", encode(&needed).expect("a frame")[HEADER..].to_vec()),
    ]
}
