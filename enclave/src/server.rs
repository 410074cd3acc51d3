//! Frames in, frames out: connections from the host, each with requests under way side by side.
//!
//! Everything is bounded before it is parsed: connections, bytes in memory, requests under way.
//! Whatever is wrong with a frame ends its connection, and nothing else.

use std::{future::poll_fn, io, pin::Pin, sync::Arc, task::Poll, time::Duration};

use signer_shared::{
    frame,
    message::{PROTOCOL, RefusalCode, Request, RequestFrame, Response, ResponseFrame},
};
use signer_transport::{Listener, ReadError, Stream, read_body, read_header};
use tokio::{
    io::{AsyncWriteExt, BufReader, ReadHalf, WriteHalf, split},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    api::{self, objects::Objects},
    attestation::NsmError,
    boot::{Adoption, AttestError, Enclave, Kind, PageError, State, is_allowed},
};

/// Connections at once. The host keeps a handful.
const CONNECTIONS: usize = 32;
/// Requests under way on a connection.
const REQUESTS: usize = 256;
/// Bytes that are read ahead on a connection, so that small frames take one system call together.
const READ_AHEAD: usize = 32 * 1024;
/// Answers that may wait while further requests of the same connection are answered.
const ANSWERS_TOGETHER: usize = 8;
/// Kilobytes of requests in memory, all connections together.
const MEMORY_KIB: usize = 64 * 1024;
/// How long a frame may take once it has begun, and how long an answer may wait to be read.
const FRAME_LIMIT: Duration = Duration::from_secs(30);
/// How long the first message may take.
const HELLO_LIMIT: Duration = Duration::from_secs(10);
/// The longest that a request may take, whatever time the host gives it.
const REQUEST_LIMIT: Duration = Duration::from_mins(2);

/// Why a connection ended, unless its peer closed it.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] frame::FrameError),
    #[error("the peer was too slow")]
    TooSlow,
    #[error("the first message was not Hello")]
    NoHello,
    #[error("the peer speaks another protocol")]
    Protocol,
}

/// Accepts connections until the task that runs this is dropped.
pub async fn serve(enclave: Arc<Enclave>, listener: Listener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let memory = Arc::new(Semaphore::new(MEMORY_KIB));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok(stream) => {
                let connection = Connection { enclave: enclave.clone(), memory: memory.clone() };
                connections.spawn(async move {
                    connection.run(stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                enclave.events().warn("accept_failed", &[("cause", &error)]);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

struct Connection {
    enclave: Arc<Enclave>,
    memory: Arc<Semaphore>,
}

/// A request, and the memory that its bytes hold.
struct Received {
    frame: RequestFrame,
    memory: OwnedSemaphorePermit,
}

impl Connection {
    async fn run(self, stream: Stream) {
        let (reader, writer) = split(stream);
        match self.exchange(reader, writer).await {
            Ok(()) | Err(ConnectionError::Read(ReadError::Closed)) => {}
            Err(error) => self.enclave.events().warn("connection_ended", &[("cause", &error)]),
        }
    }

    async fn exchange(
        &self,
        reader: ReadHalf<Stream>,
        writer: WriteHalf<Stream>,
    ) -> Result<(), ConnectionError> {
        let mut reader = BufReader::with_capacity(READ_AHEAD, reader);
        let (answers, queue) = mpsc::channel(REQUESTS);
        let hello = timeout(HELLO_LIMIT, self.receive(&mut reader)).await;
        let hello = hello.map_err(|_| ConnectionError::TooSlow)??;
        let Request::Hello { protocol } = hello.frame.request else { return Err(ConnectionError::NoHello) };
        let mut writing = Box::pin(write_answers(writer, queue));
        let answer = ResponseFrame { id: hello.frame.id, response: self.greet(protocol) };
        if answers.send(frame::encode(&answer)?).await.is_err() || protocol != PROTOCOL {
            drop(answers);
            writing.await?;
            return Err(ConnectionError::Protocol);
        }
        // Dropped with this function, and with it every request that is still under way.
        let mut requests = JoinSet::new();
        let under_way = Arc::new(Semaphore::new(REQUESTS));
        let mut answered = 0usize;
        loop {
            // Reading comes first, so that requests that came together are answered together.
            let received = tokio::select! {
                biased;
                received = self.receive(&mut reader) => received?,
                result = &mut writing => return result,
            };
            let place = tokio::select! {
                place = under_way.clone().acquire_owned() => place,
                result = &mut writing => return result,
            };
            let Ok(place) = place else { return Ok(()) };
            let Received { frame, memory } = received;
            let id = frame.id;
            let mut answering = Box::pin(answer_in_time(self.enclave.clone(), frame));
            let Some(response) = at_once(answering.as_mut()).await else {
                while requests.try_join_next().is_some() {}
                let answers = answers.clone();
                requests.spawn(async move {
                    let response = answering.await;
                    // The writer is gone only if the connection is.
                    drop(answers.send(encode(id, response)).await);
                    drop(memory);
                    drop(place);
                });
                continue;
            };
            tokio::select! {
                sent = answers.send(encode(id, response)) => drop(sent),
                result = &mut writing => return result,
            }
            answered = answered.wrapping_add(1);
            if answered.is_multiple_of(ANSWERS_TOGETHER)
                && let Some(result) = at_once(writing.as_mut()).await
            {
                return result;
            }
        }
    }

    /// Reads one request. Its memory is reserved before its body is read.
    async fn receive(&self, reader: &mut BufReader<ReadHalf<Stream>>) -> Result<Received, ConnectionError> {
        let length = read_header(reader).await?;
        let kib = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
        let reading = async {
            let memory = self.memory.clone().acquire_many_owned(kib).await;
            let memory = memory.map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            let body = read_body(reader, length).await?;
            Ok::<_, ConnectionError>((memory, frame::decode::<RequestFrame>(&body)?))
        };
        let (memory, frame) = timeout(FRAME_LIMIT, reading).await.map_err(|_| ConnectionError::TooSlow)??;
        Ok(Received { frame, memory })
    }

    fn greet(&self, protocol: u16) -> Response {
        if protocol == PROTOCOL {
            Response::Hello {
                protocol: PROTOCOL,
                boot_id: self.enclave.identity().boot_id().to_string(),
                phase: self.enclave.state().phase(),
            }
        } else {
            refused(RefusalCode::ProtocolMismatch, format!("this enclave speaks protocol {PROTOCOL}"))
        }
    }
}

/// An answer that does not fit a frame becomes one that says so.
fn encode(id: u64, response: Response) -> Vec<u8> {
    frame::encode(&ResponseFrame { id, response }).unwrap_or_else(|error| {
        // Carried out, so not the request's fault: like an answer that came too late.
        let response = refused(RefusalCode::DeadlineExceeded, error.to_string());
        frame::encode(&ResponseFrame { id, response }).unwrap_or_default()
    })
}

/// Answers that wait together leave together.
async fn write_answers(
    mut writer: WriteHalf<Stream>,
    mut queue: mpsc::Receiver<Vec<u8>>,
) -> Result<(), ConnectionError> {
    let mut waiting = Vec::new();
    while queue.recv_many(&mut waiting, REQUESTS).await > 0 {
        let bytes =
            if let [frame] = waiting.as_mut_slice() { std::mem::take(frame) } else { waiting.concat() };
        waiting.clear();
        timeout(FRAME_LIMIT, writer.write_all(&bytes)).await.map_err(|_| ConnectionError::TooSlow)??;
    }
    Ok(())
}

/// What a future comes to without waiting, which is how nearly every signature is made: that needs
/// no task of its own, and no other thread to be woken.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

async fn answer_in_time(enclave: Arc<Enclave>, frame: RequestFrame) -> Response {
    let given = Duration::from_millis(u64::from(frame.remaining_ms)).min(REQUEST_LIMIT);
    // `timeout` polls the answer before it looks at the time, and a signature takes a single poll.
    if given.is_zero() {
        return refused(RefusalCode::DeadlineExceeded, "the request came without time".into());
    }
    match timeout(given, answer(&enclave, frame.request)).await {
        Ok(response) => response,
        Err(_) => refused(RefusalCode::DeadlineExceeded, "the request took longer than its time".into()),
    }
}

async fn answer(enclave: &Arc<Enclave>, request: Request) -> Response {
    let phase = enclave.state().phase();
    let kind = match &request {
        Request::Hello { .. } => Kind::Hello,
        Request::Status {} => Kind::Status,
        Request::Provision { .. } => Kind::Provision,
        Request::Attest { .. } => Kind::Attest,
        Request::Audit { .. } => Kind::Audit,
        Request::Api(_) => Kind::Api,
    };
    if !is_allowed(kind, phase) {
        return refused(RefusalCode::WrongPhase, format!("not while {}", phase.as_str()));
    }
    match request {
        Request::Hello { .. } => refused(RefusalCode::Malformed, "Hello is the first message only".into()),
        Request::Status {} => Response::Status(enclave.status()),
        Request::Provision { configuration, policy_bundle, objects } => {
            let objects = match Objects::new(objects) {
                Ok(objects) => objects,
                Err(error) => return refused(RefusalCode::Malformed, error.to_string()),
            };
            provision(enclave, configuration.into_vec(), policy_bundle.into_vec(), objects).await
        }
        Request::Attest { nonce } => attest(enclave, nonce.map(serde_bytes::ByteBuf::into_vec)).await,
        Request::Audit { after } => audit(enclave, after),
        Request::Api(request) => api::handle(enclave, request).await,
    }
}

/// In a task of its own: a connection that ends must not leave a change of state half done.
async fn provision(
    enclave: &Arc<Enclave>,
    configuration: Vec<u8>,
    bundle: Vec<u8>,
    objects: Objects,
) -> Response {
    let task = {
        let enclave = enclave.clone();
        tokio::spawn(async move { enclave.provision(&configuration, &bundle, &objects).await })
    };
    match task.await {
        Ok(Ok(Adoption::NeedObjects(names))) => Response::NeedObjects { names },
        Ok(Ok(Adoption::InForce { missing })) => Response::Provisioned {
            phase: enclave.state().phase(),
            missing_keyrings: missing.iter().map(ToString::to_string).collect(),
        },
        Ok(Err(error)) => refused(error.code(), error.to_string()),
        Err(_) => refused(RefusalCode::NsmFailed, "provisioning failed".into()),
    }
}

fn audit(enclave: &Enclave, after: Option<u64>) -> Response {
    match enclave.audit_page(after) {
        Ok(page) => Response::Audit {
            boot_id: enclave.identity().boot_id().to_string(),
            first: page.first,
            records: page.records.into_iter().map(Into::into).collect(),
            checkpoint: page.checkpoint,
            head: enclave.audit().head().sequence,
        },
        Err(error @ PageError::NotConfigured) => refused(RefusalCode::WrongPhase, error.to_string()),
        Err(error @ PageError::NeverGiven(_)) => refused(RefusalCode::Malformed, error.to_string()),
    }
}

async fn attest(enclave: &Arc<Enclave>, nonce: Option<Vec<u8>>) -> Response {
    let State::Ready(ready) = enclave.state() else {
        return refused(RefusalCode::WrongPhase, "not ready".into());
    };
    match enclave.attest(&ready, nonce).await {
        Ok(attested) => Response::Attestation {
            boot_id: enclave.identity().boot_id().to_string(),
            document: attested.document.clone().into(),
            statement: attested.statement.clone().into(),
        },
        Err(error) => {
            let code = match error {
                AttestError::Nonce => RefusalCode::Malformed,
                AttestError::Nsm(NsmError::Busy) => RefusalCode::Overloaded,
                _ => RefusalCode::NsmFailed,
            };
            refused(code, error.to_string())
        }
    }
}

fn refused(code: RefusalCode, message: String) -> Response {
    Response::Refused { code, message }
}
