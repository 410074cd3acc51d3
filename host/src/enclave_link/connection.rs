//! One connection: many requests under way, answers in any order.
//!
//! [`Connection::drive`] moves the bytes and ends with the reason why the connection did; every
//! request still waiting then fails at once. A connection never repairs itself: what arrives out of
//! turn or malformed ends it, and its owner dials again.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use signer_shared::{
    frame,
    message::{Request, RequestFrame, Response, ResponseFrame},
};
use signer_transport::{ReadError, read_frame};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{Notify, mpsc, oneshot},
    time::{Instant, timeout, timeout_at},
};

use super::CallError;

/// Frames that wait for the writer.
const WRITE_QUEUE: usize = 64;

/// An enclave that does not read for this long is lost.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Connection {
    frames: mpsc::Sender<Vec<u8>>,
    waiting: Waiting,
    next_id: AtomicU64,
    closed: Notify,
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the enclave closed the connection")]
    Closed,
    #[error("the enclave's bytes cannot be read: {0}")]
    Read(ReadError),
    #[error("the enclave answered a request that was never made")]
    UnknownId,
    #[error("the enclave does not take what is sent: {0}")]
    Write(std::io::Error),
    #[error("given up by the host")]
    GivenUp,
}

/// Requests without an answer; `None` once the connection has ended.
#[derive(Debug, Default)]
struct Waiting(Mutex<Option<HashMap<u64, oneshot::Sender<Response>>>>);

impl Connection {
    /// A connection, and the queue that its driver must be given.
    pub(super) fn new() -> (Arc<Self>, mpsc::Receiver<Vec<u8>>) {
        let (frames, queue) = mpsc::channel(WRITE_QUEUE);
        let waiting = Waiting(Mutex::new(Some(HashMap::new())));
        (Arc::new(Self { frames, waiting, next_id: AtomicU64::new(1), closed: Notify::new() }), queue)
    }

    /// Sends a request and waits for its answer, not longer than the deadline.
    pub(super) async fn call(&self, request: Request, deadline: Instant) -> Result<Response, CallError> {
        let remaining = deadline.saturating_duration_since(Instant::now());
        let remaining_ms = u32::try_from(remaining.as_millis()).unwrap_or(u32::MAX);
        if remaining_ms == 0 {
            return Err(CallError::Deadline);
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let frame =
            frame::encode(&RequestFrame { id, remaining_ms, request }).map_err(CallError::TooLarge)?;
        let mut ticket = self.waiting.register(id).ok_or(CallError::Lost)?;
        let answered = async {
            self.frames.send(frame).await.map_err(|_| CallError::Lost)?;
            (&mut ticket.answer).await.map_err(|_| CallError::Lost)
        };
        timeout_at(deadline, answered).await.map_err(|_| CallError::Deadline)?
    }

    /// Moves bytes until the connection ends; whoever waits then is told.
    pub(super) async fn drive(
        &self,
        stream: impl AsyncRead + AsyncWrite,
        queue: mpsc::Receiver<Vec<u8>>,
    ) -> End {
        let _ending = Ending(&self.waiting);
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            end = self.read_answers(reader) => end,
            end = write_requests(writer, queue) => end,
            () = self.closed.notified() => End::GivenUp,
        }
    }

    /// Whether it has not ended.
    pub(super) fn is_open(&self) -> bool {
        self.waiting.lock().is_some()
    }

    /// Ends the connection.
    pub(super) fn close(&self) {
        self.closed.notify_one();
    }

    async fn read_answers(&self, reader: impl AsyncRead + Unpin) -> End {
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        loop {
            let body = match read_frame(&mut reader).await {
                Ok(body) => body,
                Err(ReadError::Closed) => return End::Closed,
                Err(error) => return End::Read(error),
            };
            let ResponseFrame { id, response } = match frame::decode(&body) {
                Ok(frame) => frame,
                Err(error) => return End::Read(error.into()),
            };
            if id == 0 || id >= self.next_id.load(Ordering::Relaxed) {
                return End::UnknownId;
            }
            self.waiting.answer(id, response);
        }
    }
}

async fn write_requests(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Vec<u8>>) -> End {
    let mut batch = Vec::new();
    // The sender lives in the connection that is being driven, so the queue does not end before it.
    while queue.recv_many(&mut batch, WRITE_QUEUE).await > 0 {
        // Small frames that queued up together leave together.
        let bytes = if let [frame] = &mut batch[..] { std::mem::take(frame) } else { batch.concat() };
        batch.clear();
        let written = async {
            writer.write_all(&bytes).await?;
            writer.flush().await
        };
        match timeout(WRITE_LIMIT, written).await {
            Ok(Ok(())) => (),
            Ok(Err(error)) => return End::Write(error),
            Err(_) => return End::Write(std::io::ErrorKind::TimedOut.into()),
        }
    }
    End::GivenUp
}

/// A place among the waiting, given up when dropped: a caller may stop waiting at any time.
struct Ticket<'a> {
    id: u64,
    answer: oneshot::Receiver<Response>,
    waiting: &'a Waiting,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.lock().as_mut() {
            waiting.remove(&self.id);
        }
    }
}

/// Ends the wait of everyone when the driver ends, however it does.
struct Ending<'a>(&'a Waiting);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.lock().take();
    }
}

impl Waiting {
    fn register(&self, id: u64) -> Option<Ticket<'_>> {
        let (sender, answer) = oneshot::channel();
        self.lock().as_mut()?.insert(id, sender);
        Some(Ticket { id, answer, waiting: self })
    }

    /// Whoever asked may have stopped waiting: that is no error.
    fn answer(&self, id: u64, response: Response) {
        if let Some(sender) = self.lock().as_mut().and_then(|waiting| waiting.remove(&id)) {
            let _ = sender.send(response);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Response>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use signer_shared::message::Phase;
    use signer_transport::write_frame;
    use tokio::io::duplex;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> RequestFrame {
        frame::decode(&read_frame(stream).await.unwrap()).unwrap()
    }

    fn hello(id: u64, boot_id: &str) -> Vec<u8> {
        let response = Response::Hello { protocol: 1, boot_id: boot_id.to_owned(), phase: Phase::Ready };
        frame::encode(&ResponseFrame { id, response }).unwrap()
    }

    /// Two requests under way on one connection, and the enclave's end of it.
    async fn two_requests(
        enclave: impl AsyncFnOnce(tokio::io::DuplexStream),
    ) -> (Result<Response, CallError>, Result<Response, CallError>, End) {
        let (ours, theirs) = duplex(1 << 16);
        let (connection, queue) = Connection::new();
        let calls = async {
            let calls = tokio::join!(
                connection.call(Request::Status {}, soon()),
                connection.call(Request::Status {}, soon())
            );
            connection.close();
            calls
        };
        let ((first, second), end, ()) = tokio::join!(calls, connection.drive(ours, queue), enclave(theirs));
        (first, second, end)
    }

    #[tokio::test]
    async fn answers_find_their_requests_in_any_order() {
        let (first, second, end) = two_requests(async |mut stream| {
            let ids = [read_request(&mut stream).await.id, read_request(&mut stream).await.id];
            write_frame(&mut stream, &hello(ids[1], "second")).await.unwrap();
            write_frame(&mut stream, &hello(ids[0], "first")).await.unwrap();
        })
        .await;
        assert!(matches!(first, Ok(Response::Hello { boot_id, .. }) if boot_id == "first"));
        assert!(matches!(second, Ok(Response::Hello { boot_id, .. }) if boot_id == "second"));
        assert!(matches!(end, End::GivenUp | End::Closed));
    }

    #[tokio::test]
    async fn the_end_of_a_connection_is_the_end_of_every_wait() {
        let (first, second, end) = two_requests(async |mut stream| {
            read_request(&mut stream).await;
        })
        .await;
        assert!(matches!((first, second), (Err(CallError::Lost), Err(CallError::Lost))));
        assert!(matches!(end, End::Closed | End::Write(_)));
    }

    #[tokio::test]
    async fn an_answer_to_nothing_and_bytes_that_are_no_frame_end_the_connection() {
        for bytes in [hello(99, "x"), hello(0, "x"), vec![0xff; 8], vec![0, 0, 0, 1, 0x40], vec![0; 4]] {
            let (first, second, _) = two_requests(async |mut stream| {
                write_frame(&mut stream, &bytes).await.unwrap();
                while read_frame(&mut stream).await.is_ok() {}
            })
            .await;
            assert!(matches!((first, second), (Err(CallError::Lost), Err(CallError::Lost))), "{bytes:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_is_sent_and_kept_and_a_late_answer_is_ignored() {
        let (ours, mut theirs) = duplex(1 << 16);
        let (connection, queue) = Connection::new();
        let driving = connection.drive(ours, queue);
        let calling = async {
            let deadline = Instant::now() + Duration::from_millis(250);
            let late = connection.call(Request::Status {}, deadline).await;
            let next = connection.call(Request::Status {}, soon()).await;
            connection.close();
            (late, next)
        };
        let enclave = async {
            let late = read_request(&mut theirs).await;
            assert_eq!(late.remaining_ms, 250);
            let next = read_request(&mut theirs).await;
            write_frame(&mut theirs, &hello(late.id, "late")).await.unwrap();
            write_frame(&mut theirs, &hello(next.id, "next")).await.unwrap();
        };
        let (_, (late, next), ()) = tokio::join!(driving, calling, enclave);
        assert!(matches!(late, Err(CallError::Deadline)));
        assert!(matches!(next, Ok(Response::Hello { boot_id, .. }) if boot_id == "next"));
        assert!(connection.waiting.lock().is_none());
    }
}
