//! What the enclave asks of its host, answered by the test: the tunnel to KMS, and credentials.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use signer_shared::{
    frame,
    service::{Credentials, CredentialsRequest, CredentialsResponse},
};
use signer_transport::{Address, Listener, Stream, read_frame, write_frame};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
    task::JoinSet,
};

/// Running services; they end when this is dropped.
pub(crate) struct Services {
    kms: Arc<Mutex<SocketAddr>>,
    credentials: Arc<Mutex<CredentialsResponse>>,
    _tasks: JoinSet<()>,
}

impl Services {
    /// Listens where the enclave of `folder` dials, with the instance role's own credentials.
    pub(crate) async fn start(folder: &Path, kms: SocketAddr) -> Self {
        let listen = |name: &str| Address::Unix(folder.join(name));
        let tunnels = Listener::bind(&listen("kms.sock")).await.expect("a free socket");
        let askers = Listener::bind(&listen("credentials.sock")).await.expect("a free socket");
        let kms = Arc::new(Mutex::new(kms));
        let credentials = Arc::new(Mutex::new(CredentialsResponse::Credentials(role())));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_tunnels(tunnels, kms.clone()));
        tasks.spawn(serve_credentials(askers, credentials.clone()));
        Self { kms, credentials, _tasks: tasks }
    }

    /// Sends every tunnel from now on to this address, whatever host the enclave asks for.
    pub(crate) fn lead_to(&self, address: SocketAddr) {
        *self.kms.lock().expect("no holder panics") = address;
    }

    /// Gives these credentials from now on.
    pub(crate) fn give(&self, credentials: Credentials) {
        *self.credentials.lock().expect("no holder panics") = CredentialsResponse::Credentials(credentials);
    }
}

/// The instance role's credentials.
pub(crate) fn role() -> Credentials {
    Credentials {
        access_key_id: "AKIAROLE".into(),
        secret_access_key: "role-secret".into(),
        session_token: None,
        expires_at_ms: now_ms() + 900_000,
    }
}

/// Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("before the year 500,000,000")
}

async fn serve_tunnels(listener: Listener, kms: Arc<Mutex<SocketAddr>>) {
    let mut tunnels = JoinSet::new();
    while let Ok(stream) = listener.accept().await {
        let address = *kms.lock().expect("no holder panics");
        tunnels.spawn(async move { drop(tunnel(stream, address).await) });
    }
}

async fn tunnel(mut enclave: Stream, address: SocketAddr) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(enclave.read_u8().await?);
    }
    assert!(head.starts_with(b"CONNECT "), "the enclave opens tunnels and nothing else");
    let mut kms = TcpStream::connect(address).await?;
    enclave.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut enclave, &mut kms).await?;
    Ok(())
}

async fn serve_credentials(listener: Listener, credentials: Arc<Mutex<CredentialsResponse>>) {
    while let Ok(mut stream) = listener.accept().await {
        let Ok(request) = read_frame(&mut stream).await else { continue };
        frame::decode::<CredentialsRequest>(&request).expect("the enclave's own request");
        let answer = credentials.lock().expect("no holder panics").clone();
        let answer = frame::encode(&answer).expect("a small answer");
        drop(write_frame(&mut stream, &answer).await);
    }
}
