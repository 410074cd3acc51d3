//! The enclave's structured log: the only thing it says without being asked.
//!
//! Codes and field names are fixed texts of this program; values come from types that hold no
//! secret. Nobody may be reading, so the queue is bounded, and what does not fit is counted: the
//! host sees the gap in the sequence.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use signer_shared::{
    address::Address,
    frame,
    service::{Event, EventField, Level},
};
use signer_transport::{Stream, dial, write_frame};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

/// Events that wait for the host at most.
const QUEUE: usize = 1024;
/// How long a frame may take to be written.
const WRITE_LIMIT: Duration = Duration::from_secs(5);
/// How long to wait before dialling again.
const RETRY: Duration = Duration::from_millis(500);
/// The longest value.
const MAX_VALUE: usize = 512;

/// Where the rest of the enclave reports to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    sequence: Arc<AtomicU64>,
    started: Instant,
}

/// The other end of [`Events`]: sends what is reported to the host.
pub struct EventSender {
    queue: mpsc::Receiver<Event>,
}

/// Makes both ends.
pub fn channel() -> (Events, EventSender) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let events = Events { queue: sender, sequence: Arc::default(), started: Instant::now() };
    (events, EventSender { queue: receiver })
}

impl Events {
    /// Reports normal work.
    pub fn info(&self, code: &'static str, fields: &[(&'static str, &dyn ToString)]) {
        self.report(Level::Info, code, fields);
    }

    /// Reports something that an operator should look at.
    pub fn warn(&self, code: &'static str, fields: &[(&'static str, &dyn ToString)]) {
        self.report(Level::Warn, code, fields);
    }

    /// Reports something that does not work.
    pub fn error(&self, code: &'static str, fields: &[(&'static str, &dyn ToString)]) {
        self.report(Level::Error, code, fields);
    }

    fn report(&self, level: Level, code: &'static str, fields: &[(&'static str, &dyn ToString)]) {
        let event = Event {
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed).saturating_add(1),
            uptime_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            level,
            code: code.to_owned(),
            fields: fields
                .iter()
                .map(|(name, value)| EventField {
                    name: (*name).to_owned(),
                    value: shortened(&value.to_string()),
                })
                .collect(),
        };
        // A full queue drops the event, never blocks a signature.
        drop(self.queue.try_send(event));
    }
}

impl EventSender {
    /// Sends events to the host for as long as anything can report.
    pub async fn run(mut self, host: Address) {
        let mut stream: Option<Stream> = None;
        while let Some(event) = self.queue.recv().await {
            let Ok(frame) = frame::encode(&event) else { continue };
            loop {
                if stream.is_none() {
                    stream = dial(&host, WRITE_LIMIT).await.ok();
                }
                let Some(open) = stream.as_mut() else {
                    sleep(RETRY).await;
                    continue;
                };
                if let Ok(Ok(())) = timeout(WRITE_LIMIT, write_frame(open, &frame)).await {
                    break;
                }
                stream = None;
            }
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_VALUE).collect()
}
