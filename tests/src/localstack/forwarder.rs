//! TLS in front of LocalStack, and what a test changes on the way.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use signer_eif::verify::{Root, verify};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use super::envelope::in_kms_form;
use crate::{pki::TlsAuthority, stack::request_elsewhere};

/// What the enclave asks about a key before it asks for anything else.
const READING: [&str; 3] = ["DescribeKey", "GetKeyPolicy", "ListGrants"];
/// Headers that LocalStack needs: the operation, and the region and account that signatures name.
const HEADERS: [&str; 3] = ["authorization", "content-type", "x-amz-target"];

/// What is changed between the enclave and LocalStack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Envelopes of answers are put into KMS's form.
    EnvelopeForm,
    /// Attestation documents of requests lose their last byte, so that LocalStack cannot read them.
    CutDocument,
    /// Requests lose their `Recipient`.
    NoRecipient,
}

/// What LocalStack answered to one request, before any change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The operation.
    pub operation: String,
    /// HTTP's status code.
    pub status: u16,
    /// Whether there was a `Plaintext` in it.
    pub plaintext: bool,
    /// Whether there was a `CiphertextForRecipient` in it.
    pub envelope: bool,
}

/// A running forwarder. Dropping it closes its connections.
#[derive(Debug)]
pub struct Forwarder {
    address: SocketAddr,
    passage: Arc<Passage>,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Passage {
    localstack: String,
    attestation_root: Root,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    change: Change,
    answers: Vec<Answer>,
}

impl Forwarder {
    /// Starts one on the current Tokio runtime, with a certificate for `name`, in front of the LocalStack at an address.
    /// Whose envelopes it changes, it knows from attestation documents that end at `attestation_root`.
    pub async fn start(
        localstack: &str,
        tls: &TlsAuthority,
        name: &str,
        attestation_root: Root,
    ) -> io::Result<Self> {
        let state = Mutex::new(State { change: Change::Nothing, answers: Vec::new() });
        let passage = Arc::new(Passage { localstack: localstack.to_owned(), attestation_root, state });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = TlsAcceptor::from(tls.server_config(&[name.to_owned()]));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, acceptor, passage.clone()));
        Ok(Self { address, passage, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes this, and nothing else, from now on.
    pub fn set(&self, change: Change) {
        self.passage.state().change = change;
    }

    /// LocalStack's answers since this was last asked, but for those that only describe a key.
    pub fn take_answers(&self) -> Vec<Answer> {
        std::mem::take(&mut self.passage.state().answers)
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, passage: Arc<Passage>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, acceptor.clone(), passage.clone()));
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, passage: Arc<Passage>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let answer = service_fn(move |request| {
        let passage = passage.clone();
        async move { Ok::<_, Infallible>(passage.answer(request).await) }
    });
    // Clients close when they have what they came for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
}

impl Passage {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (status, body) = self.exchange(request).await.unwrap_or_else(|problem| {
            (502, json!({"__type": "ForwarderException", "message": problem}).to_string().into_bytes())
        });
        Response::builder()
            .status(status)
            .header("content-type", "application/x-amz-json-1.1")
            .body(Full::from(body))
            .expect("all parts are valid")
    }

    async fn exchange(&self, incoming: Request<Incoming>) -> Result<(u16, Vec<u8>), String> {
        let (head, body) = incoming.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let asked: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        let header = |name: &'static str| Some((name, head.headers.get(name)?.to_str().ok()?));
        let headers: Vec<(&str, &str)> = HEADERS.into_iter().filter_map(header).collect();
        let operation = header("x-amz-target").and_then(|(_, target)| target.strip_prefix("TrentService."));
        let operation = operation.ok_or("the request names no operation of KMS")?.to_owned();

        let change = self.state().change;
        let forwarded = changed_request(change, asked.clone()).to_string();
        let reply = request_elsewhere(&self.localstack, "POST", "/", &headers, forwarded.as_bytes())
            .await
            .map_err(|error| format!("LocalStack does not answer: {error}"))?;
        let (plaintext, envelope) =
            (reply.json.get("Plaintext").is_some(), reply.json.get("CiphertextForRecipient").is_some());
        if !READING.contains(&operation.as_str()) {
            self.state().answers.push(Answer { operation, status: reply.status, plaintext, envelope });
        }
        if change == Change::EnvelopeForm && envelope {
            return Ok((reply.status, self.in_kms_form(&asked, reply.json)?));
        }
        Ok((reply.status, reply.body))
    }

    /// The answer to `asked` with its envelope in KMS's form.
    fn in_kms_form(&self, asked: &Value, mut answer: Value) -> Result<Vec<u8>, String> {
        let document = asked["Recipient"]["AttestationDocument"].as_str().unwrap_or_default();
        let document = STANDARD.decode(document).map_err(|error| error.to_string())?;
        let document = verify(&document, &self.attestation_root).map_err(|error| error.to_string())?;
        let key = document.public_key.ok_or("the attestation document has no public key")?;
        let envelope = answer["CiphertextForRecipient"].as_str().unwrap_or_default();
        let envelope = STANDARD.decode(envelope).map_err(|error| error.to_string())?;
        let envelope = in_kms_form(&envelope, digest(&SHA256, &key).as_ref())
            .ok_or("LocalStack's envelope is not of the form that is known of it")?;
        answer["CiphertextForRecipient"] = STANDARD.encode(envelope).into();
        Ok(answer.to_string().into_bytes())
    }
}

fn changed_request(change: Change, mut asked: Value) -> Value {
    match change {
        Change::Nothing | Change::EnvelopeForm => {}
        Change::CutDocument => {
            let document = asked["Recipient"]["AttestationDocument"].as_str().unwrap_or_default();
            let mut document = STANDARD.decode(document).unwrap_or_default();
            document.pop();
            asked["Recipient"]["AttestationDocument"] = STANDARD.encode(document).into();
        }
        Change::NoRecipient => {
            if let Some(members) = asked.as_object_mut() {
                members.remove("Recipient");
            }
        }
    }
    asked
}
