//! The wire as bytes: golden frames, properties, and everything that is not the one encoding.

use proptest::prelude::*;
use signer_shared::{
    frame::{self, HEADER, MAX_FRAME},
    message::{
        ApiRequest, ApiResponse, Header, Listing, Object, Phase, RefusalCode, Request, RequestFrame,
        Response, ResponseFrame, Write,
    },
    service::{CredentialsResponse, Event, EventField, Level},
};

fn status_request() -> RequestFrame {
    RequestFrame { id: 7, remaining_ms: 1000, request: Request::Status {} }
}

fn body(frame: &[u8]) -> &[u8] {
    &frame[HEADER..]
}

#[test]
fn golden_frames_never_change() {
    // {"id": 7, "remaining_ms": 1000, "request": {"Status": {}}}
    let status = "00000026a3626964076c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0";
    // {"id": 1, "remaining_ms": 5, "request": {"Hello": {"protocol": 1}}}
    let hello =
        "0000002da3626964016c72656d61696e696e675f6d73056772657175657374a16548656c6c6fa16870726f746f636f6c01";
    // {"id": 2, "remaining_ms": 5, "request": {"Attest": {"nonce": h'0102'}}}
    let attest =
        "0000002da3626964026c72656d61696e696e675f6d73056772657175657374a166417474657374a1656e6f6e6365420102";
    let frames = [
        (status_request(), status.to_owned()),
        (RequestFrame { id: 1, remaining_ms: 5, request: Request::Hello { protocol: 1 } }, hello.to_owned()),
        (
            RequestFrame {
                id: 2,
                remaining_ms: 5,
                request: Request::Attest { nonce: Some(vec![1, 2].into()) },
            },
            attest.to_owned(),
        ),
    ];
    for (message, golden) in frames {
        assert_eq!(hex::encode(frame::encode(&message).unwrap()), golden);
    }
    // {"id": 3, "remaining_ms": 5, "request": {"Audit": {"after": 9}}}
    let audit = RequestFrame { id: 3, remaining_ms: 5, request: Request::Audit { after: Some(9) } };
    assert_eq!(
        hex::encode(frame::encode(&audit).unwrap()),
        "0000002aa3626964036c72656d61696e696e675f6d73056772657175657374a1654175646974a165616674657209"
    );
    // {"id": 3, "response": {"Audit": {"boot_id": "b", "first": 9, "records": [h'7b7d'], "checkpoint": "c", "head": 9}}}
    let records = ResponseFrame {
        id: 3,
        response: Response::Audit {
            boot_id: "b".into(),
            first: 9,
            records: vec![b"{}".to_vec().into()],
            checkpoint: Some("c".into()),
            head: 9,
        },
    };
    assert_eq!(
        hex::encode(frame::encode(&records).unwrap()),
        "00000046a26269640368726573706f6e7365a1654175646974a567626f6f745f6964616265666972737409677265636f72647381427b7d6a636865636b706f696e746163646865616409"
    );
    let refused = ResponseFrame {
        id: 7,
        response: Response::Refused { code: RefusalCode::WrongPhase, message: "no".into() },
    };
    assert_eq!(
        hex::encode(frame::encode(&refused).unwrap()),
        "00000034a26269640768726573706f6e7365a16752656675736564a264636f64656b77726f6e675f7068617365676d657373616765626e6f"
    );
}

#[test]
fn only_the_one_encoding_is_read() {
    let good = frame::encode(&status_request()).unwrap();
    assert_eq!(frame::decode::<RequestFrame>(body(&good)).unwrap(), status_request());
    let deep = [vec![0x81; 100_000], vec![0]].concat();
    let bad: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("truncated", body(&good)[..10].to_vec()),
        ("trailing", [body(&good), &[0]].concat()),
        (
            "unknown field",
            hex(
                "a46269640765657874726101 6c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0",
            ),
        ),
        (
            "duplicate key",
            hex("a46269640762696407 6c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0"),
        ),
        ("missing field", hex("a26269640 76772657175657374a166537461747573a0")),
        ("other order", hex("a36c72656d61696e696e675f6d731903e8 626964076772657175657374a166537461747573a0")),
        ("numeric keys", hex("a3000701 1903e802a166537461747573a0")),
        ("packed as an array", hex("83071903e8a166537461747573a0")),
        (
            "legacy enum",
            hex("a36269640 76c72656d61696e696e675f6d731903e8677265717565737482665374617475 73a0"),
        ),
        (
            "unit variant as text",
            hex("a36269640 76c72656d61696e696e675f6d731903e86772657175657374665374617475 73"),
        ),
        (
            "long integer",
            hex("a3626964 18076c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0"),
        ),
        (
            "long length",
            hex("a37802696407 6c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0"),
        ),
        (
            "indefinite map",
            hex("bf6269640 76c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0ff"),
        ),
        ("tag", hex("d9d9f7a36269640 76c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0")),
        (
            "float id",
            hex("a3626964f94700 6c72656d61696e696e675f6d731903e86772657175657374a166537461747573a0"),
        ),
        (
            "unknown variant",
            hex("a36269640 76c72656d61696e696e675f6d731903e86772657175657374a16644657374726fa0"),
        ),
        ("deep nesting", deep),
        ("huge array", hex("9b7fffffffffffffff")),
        ("huge string", hex("7b7fffffffffffffff61")),
    ];
    for (what, bytes) in bad {
        assert!(frame::decode::<RequestFrame>(&bytes).is_err(), "{what}");
    }
}

#[test]
fn byte_strings_are_byte_strings() {
    let message =
        RequestFrame { id: 0, remaining_ms: 0, request: Request::Attest { nonce: Some(vec![1].into()) } };
    let bytes = frame::encode(&message).unwrap();
    let as_array = hex::encode(body(&bytes)).replace("4101", "8101");
    assert!(frame::decode::<RequestFrame>(&hex::decode(as_array).unwrap()).is_err());
}

fn hex(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "")).unwrap()
}

fn text() -> impl Strategy<Value = String> {
    "[ -~]{0,20}"
}

fn bytes() -> impl Strategy<Value = serde_bytes::ByteBuf> {
    proptest::collection::vec(any::<u8>(), 0..40).prop_map(Into::into)
}

fn object() -> impl Strategy<Value = Object> {
    (text(), proptest::option::of(bytes())).prop_map(|(name, content)| Object { name, content })
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    proptest::collection::vec(object(), 0..4)
}

fn headers() -> impl Strategy<Value = Vec<Header>> {
    proptest::collection::vec((text(), text()).prop_map(|(name, value)| Header { name, value }), 0..4)
}

fn listing() -> impl Strategy<Value = Option<Listing>> {
    let listing = (text(), proptest::option::of(text()), objects(), any::<bool>())
        .prop_map(|(prefix, after, objects, more)| Listing { prefix, after, objects, more });
    proptest::option::of(listing)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        any::<u16>().prop_map(|protocol| Request::Hello { protocol }),
        (bytes(), bytes(), objects()).prop_map(|(configuration, policy_bundle, objects)| {
            Request::Provision { configuration, policy_bundle, objects }
        }),
        Just(Request::Status {}),
        proptest::option::of(bytes()).prop_map(|nonce| Request::Attest { nonce }),
        (text(), text(), headers(), bytes(), objects(), listing()).prop_map(
            |(method, path, headers, body, objects, listing)| {
                Request::Api(ApiRequest { method, path, headers, body, objects, listing })
            }
        ),
        proptest::option::of(any::<u64>()).prop_map(|after| Request::Audit { after }),
    ]
}

fn response() -> impl Strategy<Value = Response> {
    let writes = proptest::collection::vec(
        (text(), bytes()).prop_map(|(name, content)| Write { name, content }),
        0..3,
    );
    prop_oneof![
        (any::<u16>(), text()).prop_map(|(protocol, boot_id)| Response::Hello {
            protocol,
            boot_id,
            phase: Phase::Ready
        }),
        (any::<u16>(), headers(), bytes(), writes).prop_map(|(status, headers, body, writes)| {
            Response::Api(ApiResponse { status, headers, body, writes })
        }),
        proptest::collection::vec(text(), 0..4).prop_map(|names| Response::NeedObjects { names }),
        (text(), proptest::option::of(text()), any::<u32>())
            .prop_map(|(prefix, after, limit)| Response::NeedListing { prefix, after, limit }),
        (text(), any::<u64>(), proptest::collection::vec(bytes(), 0..4), proptest::option::of(text()))
            .prop_map(|(boot_id, first, records, checkpoint)| {
                Response::Audit { boot_id, first, records, checkpoint, head: first }
            }),
        (text(), bytes(), bytes()).prop_map(|(boot_id, document, statement)| Response::Attestation {
            boot_id,
            document,
            statement
        }),
    ]
}

proptest! {
    #[test]
    fn requests_round_trip(id: u64, remaining_ms: u32, request in request()) {
        let message = RequestFrame { id, remaining_ms, request };
        let bytes = frame::encode(&message).unwrap();
        prop_assert_eq!(frame::body_length(bytes[..HEADER].try_into().unwrap()).unwrap(), bytes.len() - HEADER);
        prop_assert_eq!(frame::decode::<RequestFrame>(body(&bytes)).unwrap(), message);
    }

    #[test]
    fn responses_round_trip(id: u64, response in response()) {
        let message = ResponseFrame { id, response };
        let bytes = frame::encode(&message).unwrap();
        prop_assert_eq!(frame::decode::<ResponseFrame>(body(&bytes)).unwrap(), message);
    }

    #[test]
    fn what_is_read_has_one_spelling(request in request(), at: proptest::sample::Index, flip: u8) {
        let message = RequestFrame { id: 1, remaining_ms: 2, request };
        let mut bytes = body(&frame::encode(&message).unwrap()).to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(read) = frame::decode::<RequestFrame>(&bytes) {
            let again = frame::encode(&read).unwrap();
            prop_assert_eq!(body(&again), &bytes[..]);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(frame::decode::<RequestFrame>(&bytes));
        drop(frame::decode::<ResponseFrame>(&bytes));
        drop(frame::decode::<CredentialsResponse>(&bytes));
    }

    #[test]
    fn headers_bound_what_follows(header: [u8; HEADER]) {
        let length = u32::from_be_bytes(header) as usize;
        prop_assert_eq!(frame::body_length(header).is_ok(), (1..=MAX_FRAME).contains(&length));
    }

    #[test]
    fn events_round_trip(sequence: u64, code in text(), value in text()) {
        let fields = vec![EventField { name: code.clone(), value }];
        let event = Event { sequence, uptime_ms: 1, level: Level::Warn, code, fields };
        let bytes = frame::encode(&event).unwrap();
        prop_assert_eq!(frame::decode::<Event>(body(&bytes)).unwrap(), event);
    }
}
