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
/// How often it is asked whether all is written.
const DRAIN_POLL: Duration = Duration::from_millis(5);
/// The longest value.
const MAX_VALUE: usize = 512;

/// Where the rest of the enclave reports to. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    sequence: Arc<AtomicU64>,
    progress: Arc<Progress>,
    started: Instant,
}

/// Sequence numbers: the last event that was queued, and the last that was written to the host.
#[derive(Debug, Default)]
struct Progress {
    queued: AtomicU64,
    written: AtomicU64,
}

/// The other end of [`Events`]: sends what is reported to the host.
pub struct EventSender {
    queue: mpsc::Receiver<Event>,
    progress: Arc<Progress>,
}

/// Makes both ends.
pub fn channel() -> (Events, EventSender) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let progress = Arc::<Progress>::default();
    let events = Events {
        queue: sender,
        sequence: Arc::default(),
        progress: progress.clone(),
        started: Instant::now(),
    };
    (events, EventSender { queue: receiver, progress })
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

    /// Waits until the host has what was reported so far, but not longer than `limit`.
    pub async fn drained(&self, limit: Duration) {
        let Progress { queued, written } = &*self.progress;
        let queued = queued.load(Ordering::Relaxed);
        let drained = async {
            while written.load(Ordering::Relaxed) < queued {
                sleep(DRAIN_POLL).await;
            }
        };
        // Too late is as good as never: the enclave ends.
        drop(timeout(limit, drained).await);
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
        let sequence = event.sequence;
        // A full queue drops the event, never blocks a signature.
        if self.queue.try_send(event).is_ok() {
            self.progress.queued.fetch_max(sequence, Ordering::Relaxed);
        }
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
                    self.progress.written.fetch_max(event.sequence, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use signer_transport::{Listener, read_frame};

    use super::*;

    #[tokio::test]
    async fn the_end_waits_for_what_was_reported_and_not_for_ever() {
        const LIMIT: Duration = Duration::from_millis(300);
        let path = std::env::temp_dir().join(format!("signer-drained-{}", std::process::id()));
        let address = Address::Unix(path.clone());
        let (events, sender) = channel();
        events.drained(LIMIT).await;
        events.info("first", &[]);
        events.info("second", &[]);
        let sending = tokio::spawn(sender.run(address.clone()));
        let started = Instant::now();
        events.drained(LIMIT).await;
        assert!(started.elapsed() >= LIMIT, "nobody has read them");
        let listener = Listener::bind(&address).await.unwrap();
        let mut host = listener.accept().await.unwrap();
        events.drained(Duration::from_mins(1)).await;
        for code in ["first", "second"] {
            let event: Event = frame::decode(&read_frame(&mut host).await.unwrap()).unwrap();
            assert_eq!(event.code, code);
        }
        sending.abort();
        std::fs::remove_file(path).unwrap();
    }
}
