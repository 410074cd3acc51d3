//! A connection below the protocol: whole frames of any content, and bytes that are none.

use std::{path::Path, time::Duration};

use signer_shared::{
    frame,
    message::{ApiRequest, Header, PROTOCOL, Request, RequestFrame, Response, ResponseFrame},
};
use signer_transport::{Address, Stream, dial, read_frame, write_frame};
use tokio::{io::AsyncWriteExt, time::timeout};

const SOON: Duration = Duration::from_secs(20);

/// A raw connection.
pub(crate) struct Raw(Stream);

impl Raw {
    /// Connects and says nothing.
    pub(crate) async fn connect(socket: &Path) -> Self {
        Self(dial(&Address::Unix(socket.to_owned()), SOON).await.expect("the enclave listens"))
    }

    /// Connects and says hello, as request 1.
    pub(crate) async fn greeted(socket: &Path) -> Self {
        let mut raw = Self::connect(socket).await;
        raw.ask(1, 60_000, Request::Hello { protocol: PROTOCOL }).await;
        match raw.answer().await {
            Some(ResponseFrame { id: 1, response: Response::Hello { .. } }) => raw,
            other => panic!("no greeting: {other:?}"),
        }
    }

    /// Sends bytes. The enclave may have closed the connection before it has read them all.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        drop(self.0.write_all(bytes).await);
        drop(self.0.flush().await);
    }

    /// Sends a body as a frame.
    pub(crate) async fn send_body(&mut self, body: &[u8]) {
        let length = u32::try_from(body.len()).expect("a short body");
        self.send(&[&length.to_be_bytes()[..], body].concat()).await;
    }

    /// Sends a request.
    pub(crate) async fn ask(&mut self, id: u64, remaining_ms: u32, request: Request) {
        let bytes = frame::encode(&RequestFrame { id, remaining_ms, request }).expect("a frame");
        write_frame(&mut self.0, &bytes).await.expect("an open connection");
    }

    /// Sends no more.
    pub(crate) async fn finish(&mut self) {
        drop(self.0.shutdown().await);
    }

    /// The next answer, or nothing if the enclave ends the connection.
    pub(crate) async fn answer(&mut self) -> Option<ResponseFrame> {
        let body = timeout(SOON, read_frame(&mut self.0)).await.expect("an answer or an end").ok()?;
        Some(frame::decode(&body).expect("the enclave's own frame"))
    }
}

/// A request to the API without anything but method, path and body.
pub(crate) fn request(method: &str, path: &str, body: &str) -> ApiRequest {
    ApiRequest {
        method: method.into(),
        path: path.into(),
        headers: Vec::new(),
        body: body.as_bytes().to_vec().into(),
        objects: Vec::new(),
        listing: None,
    }
}

/// A header.
pub(crate) fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

/// The bytes of a request's frame without the length before them.
pub(crate) fn body_of(id: u64, request: Request) -> Vec<u8> {
    let frame = frame::encode(&RequestFrame { id, remaining_ms: 60_000, request }).expect("a frame");
    frame[frame::HEADER..].to_vec()
}
