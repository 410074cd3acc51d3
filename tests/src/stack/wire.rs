//! A host in a test's hands: it speaks the wire to the enclave and keeps the store in memory, where
//! the test can forge, swap, hide and replay.

use std::{collections::BTreeMap, io, path::Path, time::Duration};

use signer_shared::{
    frame,
    message::{
        ApiRequest, ApiResponse, Header, Listing, Object, PROTOCOL, Request, RequestFrame, Response,
        ResponseFrame,
    },
};
use signer_transport::{Address, Stream, dial, read_frame, write_frame};

use crate::openapi::Exchange;

/// Every host gives its requests an id.
const REQUEST_ID: (&str, &str) = ("x-request-id", "hostile");

const SOON: Duration = Duration::from_secs(30);
const ROUNDS: usize = 6;

/// Sealed objects by name.
pub type Store = BTreeMap<String, Vec<u8>>;

/// One connection to the enclave.
pub struct Host {
    stream: Stream,
    next_id: u64,
    /// What this host stores. Change it to lie.
    pub store: Store,
}

impl Host {
    /// Connects and says hello.
    pub async fn connect(socket: &Path) -> io::Result<Self> {
        let stream = dial(&Address::Unix(socket.to_owned()), SOON).await?;
        let mut host = Self { stream, next_id: 0, store: Store::new() };
        match host.ask(Request::Hello { protocol: PROTOCOL }).await? {
            Response::Hello { .. } => Ok(host),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }

    /// Sends one request and reads its response.
    pub async fn ask(&mut self, request: Request) -> io::Result<Response> {
        self.next_id += 1;
        let frame = RequestFrame { id: self.next_id, remaining_ms: 60_000, request };
        write_frame(&mut self.stream, &frame::encode(&frame).map_err(io::Error::other)?).await?;
        let body = tokio::time::timeout(Duration::from_secs(90), read_frame(&mut self.stream))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
            .map_err(io::Error::other)?;
        let answer: ResponseFrame = frame::decode(&body).map_err(io::Error::other)?;
        if answer.id == self.next_id { Ok(answer.response) } else { Err(io::Error::other("another id")) }
    }

    /// Provisions, supplying what the enclave asks for from the store.
    pub async fn provision(&mut self, configuration: &str, bundle: &str) -> io::Result<Response> {
        let mut objects: Vec<Object> = Vec::new();
        for _ in 0..ROUNDS {
            let request = Request::Provision {
                configuration: configuration.as_bytes().to_vec().into(),
                policy_bundle: bundle.as_bytes().to_vec().into(),
                objects: objects.clone(),
            };
            match self.ask(request).await? {
                Response::NeedObjects { names } => self.fetch(&names, &mut objects),
                other => return Ok(other),
            }
        }
        Err(io::Error::other("too many rounds"))
    }

    /// A client's request, with objects from the store. What the answer wants written is returned,
    /// not stored. Panics if `host/openapi.json` does not describe request and answer: whatever a host does, the enclave
    /// answers as it says there.
    pub async fn api(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<ApiResponse> {
        self.api_with(method, path, &[], body).await
    }

    /// The same with headers of the client's.
    pub async fn api_with(
        &mut self,
        method: &str,
        path: &str,
        headers: &[Header],
        body: &[u8],
    ) -> io::Result<ApiResponse> {
        let mut all = headers.to_vec();
        all.push(Header { name: REQUEST_ID.0.to_owned(), value: REQUEST_ID.1.to_owned() });
        let mut request = ApiRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: all,
            body: body.to_vec().into(),
            objects: Vec::new(),
            listing: None,
        };
        for _ in 0..ROUNDS {
            match self.ask(Request::Api(request.clone())).await? {
                Response::Api(response) => {
                    expect_documented(method, path, body, &response);
                    return Ok(response);
                }
                Response::NeedObjects { names } => self.fetch(&names, &mut request.objects),
                Response::NeedListing { prefix, after, limit } => {
                    request.listing = Some(self.list(prefix, after, limit));
                }
                other => return Err(io::Error::other(format!("{other:?}"))),
            }
        }
        Err(io::Error::other("too many rounds"))
    }

    fn fetch(&self, names: &[String], objects: &mut Vec<Object>) {
        for name in names {
            let content = self.store.get(name).cloned().map(Into::into);
            objects.push(Object { name: name.clone(), content });
        }
    }

    fn list(&self, prefix: String, after: Option<String>, limit: u32) -> Listing {
        let mut objects: Vec<Object> = self
            .store
            .iter()
            .filter(|(name, _)| name.starts_with(&prefix) && after.as_ref().is_none_or(|after| *name > after))
            .map(|(name, content)| Object { name: name.clone(), content: Some(content.clone().into()) })
            .collect();
        let limit = limit as usize;
        let more = objects.len() > limit;
        objects.truncate(limit);
        Listing { prefix, after, objects, more }
    }
}

fn expect_documented(method: &str, path: &str, request: &[u8], answer: &ApiResponse) {
    let given = answer.headers.iter().map(|header| (header.name.as_str(), header.value.as_str()));
    let headers: Vec<(String, String)> =
        given.chain([REQUEST_ID]).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let exchange =
        Exchange { method, path, request, status: answer.status, headers: &headers, body: &answer.body };
    exchange.expect_documented();
}
