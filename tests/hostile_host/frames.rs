//! A host writes whatever it likes into a connection.

use signer_shared::message::{PROTOCOL, RefusalCode, Request, Response, ResponseFrame};
use signer_tests::stack::Host;

use crate::{
    wire::{Raw, body_of},
    world::{World, create_wallet, sign},
};

/// The bytes of a short text in CBOR.
fn text(text: &str) -> Vec<u8> {
    [&[0x60 | u8::try_from(text.len()).expect("short")][..], text.as_bytes()].concat()
}

/// A status request, put together by hand from its members.
fn status(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = vec![0xa0 | u8::try_from(members.len()).expect("few")];
    for (name, value) in members {
        body.extend(text(name));
        body.extend(*value);
    }
    body
}

const ID: (&str, &[u8]) = ("id", &[2]);
const REMAINING: (&str, &[u8]) = ("remaining_ms", &[0x19, 0xea, 0x60]);

fn variant() -> Vec<u8> {
    [&[0xa1][..], &text("Status"), &[0xa0]].concat()
}

/// Bodies that mean, or nearly mean, a status request, and are not its one spelling.
fn second_spellings() -> Vec<(&'static str, Vec<u8>)> {
    let right = body_of(2, Request::Status {});
    let variant = variant();
    let request: (&str, &[u8]) = ("request", &variant);
    assert_eq!(status(&[ID, REMAINING, request]), right, "the members are right");
    let request_is = |value: &[u8]| status(&[ID, REMAINING, ("request", value)]);
    let mut indefinite = right.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    let mut long_map = right.clone();
    long_map.splice(0..1, [0xb8, 3]);
    let mut long_text = right.clone();
    long_text.splice(1..2, [0x78, 2]);
    let mut chunked_text = right.clone();
    chunked_text.splice(1..4, [0x7f, 0x62, b'i', b'd', 0xff]);
    let numeric: Vec<u8> = [&[0xa3, 0, 2, 1][..], REMAINING.1, &[2], &variant].concat();
    let as_list: Vec<u8> = [&[0x83, 2][..], REMAINING.1, &variant].concat();
    vec![
        ("trailing byte", [&right[..], &[0]].concat()),
        ("trailing message", [&right[..], &right].concat()),
        ("cut short", right[..right.len() - 1].to_vec()),
        ("unknown member", status(&[ID, REMAINING, request, ("extra", &[0])])),
        (
            "unknown member of the request",
            request_is(&[&[0xa1][..], &text("Status"), &status(&[ID])].concat()),
        ),
        ("missing member", status(&[ID, request])),
        ("member twice", status(&[ID, ID, REMAINING, request])),
        ("another order", status(&[REMAINING, ID, request])),
        ("long integer", status(&[("id", &[0x18, 2]), REMAINING, request])),
        ("longest integer", status(&[("id", &[0x1b, 0, 0, 0, 0, 0, 0, 0, 2]), REMAINING, request])),
        ("negative integer", status(&[("id", &[0x20]), REMAINING, request])),
        ("integer too large", status(&[ID, ("remaining_ms", &[0x1b, 0, 0, 0, 1, 0, 0, 0, 0]), request])),
        ("float", status(&[("id", &[0xf9, 0x40, 0]), REMAINING, request])),
        ("null", status(&[("id", &[0xf6]), REMAINING, request])),
        ("tagged member", status(&[("id", &[0xc1, 2]), REMAINING, request])),
        ("self-described", [&[0xd9, 0xd9, 0xf7][..], &right].concat()),
        ("long map length", long_map),
        ("long text length", long_text),
        ("chunked text", chunked_text),
        ("indefinite map", indefinite),
        ("packed members", numeric),
        ("members as a list", as_list),
        ("request as text", request_is(&text("Status"))),
        ("request as a number", request_is(&[2])),
        ("request as a legacy list", request_is(&[&[0x82][..], &text("Status"), &[0xa0]].concat())),
        ("unknown request", request_is(&[&[0xa1][..], &text("Stop"), &[0xa0]].concat())),
        (
            "two requests",
            request_is(&[&[0xa2][..], &text("Status"), &[0xa0], &text("Status"), &[0xa0]].concat()),
        ),
        ("a response", signer_shared::cbor::to_vec(&a_response()).expect("CBOR")),
        ("deep lists", vec![0x81; 1_000_000]),
        ("deep maps", vec![0xbf; 1_000_000]),
        ("deep tags", vec![0xc1; 1_000_000]),
        ("deep in a member", request_is(&vec![0x81; 1_000_000])),
        (
            "bytes that announce more than there is",
            vec![0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        ("a list that announces more than there is", vec![0x9b, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        ("not UTF-8", request_is(&[0xa1, 0x61, 0xff, 0xa0])),
    ]
}

fn a_response() -> ResponseFrame {
    ResponseFrame { id: 2, response: Response::NeedObjects { names: vec!["wallet/a".into()] } }
}

/// A ready enclave, and a connection that must go on signing whatever happens to others.
async fn signing() -> (World, Host) {
    let (world, mut host) = World::ready().await;
    create_wallet(&mut host, "treasury").await;
    (world, host)
}

/// Attack: second spellings of a message, half messages, others than there are, and bombs. Defence: one
/// strict form; whatever else comes ends its connection and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_spellings_end_their_connection() {
    let (world, mut host) = signing().await;
    for (what, body) in second_spellings() {
        let mut raw = Raw::greeted(&world.stack.enclave_socket()).await;
        raw.send_body(&body).await;
        let answer = raw.answer().await;
        assert!(answer.is_none(), "{what}: {answer:?}");
        assert_eq!(sign(&mut host, "treasury").await.status, 200, "{what}");
    }
}

/// Attack: headers that announce nothing or too much, and frames that break off. Defence: the length is
/// checked before anything is reserved, and a frame ends where it says.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_lengths_end_their_connection() {
    let (world, mut host) = signing().await;
    let bytes: [&[u8]; 6] =
        [&[0; 4], &[0, 0x40, 0, 1], &[0xff; 4], &[0, 0], &[0, 0, 0, 10, 0xa3], &[0, 0x40, 0, 0, 0xa3, 1, 2]];
    for bytes in bytes {
        for greeted in [true, false] {
            let socket = world.stack.enclave_socket();
            let mut raw = if greeted { Raw::greeted(&socket).await } else { Raw::connect(&socket).await };
            raw.send(bytes).await;
            raw.finish().await;
            assert!(raw.answer().await.is_none(), "{bytes:?}");
        }
        assert_eq!(sign(&mut host, "treasury").await.status, 200);
    }
}

/// Attack: ask before saying hello, or say hello in another protocol, or twice. Defence: hello comes
/// first and once; another protocol is told so, and goes.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_greetings() {
    let (world, mut host) = signing().await;
    let socket = world.stack.enclave_socket();
    let mut unannounced = Raw::connect(&socket).await;
    unannounced.ask(1, 60_000, Request::Status {}).await;
    assert!(unannounced.answer().await.is_none());

    for protocol in [0, PROTOCOL + 1, u16::MAX] {
        let mut other = Raw::connect(&socket).await;
        other.ask(1, 60_000, Request::Hello { protocol }).await;
        let answer = other.answer().await.expect("an answer").response;
        assert!(
            matches!(answer, Response::Refused { code: RefusalCode::ProtocolMismatch, .. }),
            "{answer:?}"
        );
        assert!(other.answer().await.is_none());
    }

    let mut twice = Raw::greeted(&socket).await;
    twice.ask(2, 60_000, Request::Hello { protocol: PROTOCOL }).await;
    let answer = twice.answer().await.expect("an answer").response;
    assert!(matches!(answer, Response::Refused { code: RefusalCode::Malformed, .. }), "{answer:?}");
    twice.ask(3, 60_000, Request::Status {}).await;
    assert!(matches!(twice.answer().await.expect("an answer").response, Response::Status(_)));
    assert_eq!(sign(&mut host, "treasury").await.status, 200);
}

/// Attack: the same request id many times at once, to have one answer taken for another's. Defence: each
/// request is answered once under the id it came with; ids mean nothing to the enclave.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_request_ids_are_only_echoed() {
    let (world, _host) = signing().await;
    let mut raw = Raw::greeted(&world.stack.enclave_socket()).await;
    for id in [7, 7, 7, 0, u64::MAX] {
        raw.ask(id, 60_000, Request::Status {}).await;
    }
    let mut ids = Vec::new();
    for _ in 0..5 {
        let answer = raw.answer().await.expect("an answer");
        assert!(matches!(answer.response, Response::Status(_)));
        ids.push(answer.id);
    }
    ids.sort_unstable();
    assert_eq!(ids, [0, 7, 7, 7, u64::MAX]);
}
