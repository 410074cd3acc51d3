//! The enclave's structured log, as lines of the host's own with target `enclave`.
//!
//! The enclave is honest and may still be verbose, and a log is read on terminals: lengths and rate
//! are bounded, control characters are escaped.

use std::{
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use signer_shared::{
    frame,
    last_words::LastWords,
    service::{Event, Level},
};
use signer_transport::{Listener, ReadError, Stream, read_frame};
use tokio::io::BufReader;
use tracing::{error, info, warn};

use crate::{accept, last_death::Deaths, lifecycle::Stop};

/// The enclave needs one; a restarted one may overlap with what is left of its predecessor.
const MAX_CONNECTIONS: usize = 8;

const MAX_FIELDS: usize = 32;
const MAX_NAME: usize = 64;
const MAX_VALUE: usize = 1024;

/// Writes events to the log.
#[derive(Clone, Debug)]
pub struct EventSink {
    rate: Arc<Mutex<Rate>>,
    deaths: Deaths,
}

/// So many in each second.
#[derive(Debug)]
struct Rate {
    most: u32,
    second: Instant,
    used: u32,
    dropped: u64,
}

/// What to do with one event.
#[derive(Debug, PartialEq, Eq)]
enum Admission {
    /// Log it, and say first how many were dropped before it.
    Log {
        dropped: u64,
    },
    Drop,
}

impl EventSink {
    /// A sink of at most `max_per_second` lines a second; `deaths` hears of last words.
    pub fn new(max_per_second: u32, deaths: Deaths) -> Self {
        let rate = Rate { most: max_per_second, second: Instant::now(), used: 0, dropped: 0 };
        Self { rate: Arc::new(Mutex::new(rate)), deaths }
    }

    /// Serves until told to stop.
    pub async fn serve(self, listener: Listener, stop: Stop) {
        accept::serve("events", listener, MAX_CONNECTIONS, stop, |stream| self.clone().read(stream)).await;
    }

    async fn read(self, stream: Stream) {
        // No deadline: a healthy enclave may be quiet for days.
        let mut reader = BufReader::new(stream);
        let mut last = None;
        loop {
            let event: Event = match read_frame(&mut reader).await {
                Ok(body) => match frame::decode(&body) {
                    Ok(event) => event,
                    Err(error) => {
                        return warn!(code = "events_malformed", "the enclave's log cannot be read: {error}");
                    }
                },
                Err(ReadError::Closed) => return,
                Err(error) => return warn!(code = "events_lost", "the enclave's log ends: {error}"),
            };
            if let Some(missing) = missing(last, event.sequence) {
                warn!(code = "events_missing", missing, "the enclave dropped events that nobody read");
            }
            last = Some(event.sequence);
            if let Some(words) = LastWords::of_event(&event) {
                self.deaths.heard(words);
            }
            self.log(&event, Instant::now());
        }
    }

    fn log(&self, event: &Event, now: Instant) {
        let admission = self.rate.lock().unwrap_or_else(PoisonError::into_inner).admit(now);
        let Admission::Log { dropped } = admission else { return };
        if dropped > 0 {
            warn!(code = "events_dropped", dropped, "the enclave logs faster than events.max_per_second");
        }
        let (code, fields) = (escaped(&event.code, MAX_NAME), fields(event));
        let (sequence, uptime_ms) = (event.sequence, event.uptime_ms);
        match event.level {
            Level::Info => info!(target: "enclave", code, sequence, uptime_ms, "{fields}"),
            Level::Warn => warn!(target: "enclave", code, sequence, uptime_ms, "{fields}"),
            Level::Error => error!(target: "enclave", code, sequence, uptime_ms, "{fields}"),
        }
    }
}

impl Rate {
    fn admit(&mut self, now: Instant) -> Admission {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            self.second = now;
            self.used = 0;
        }
        if self.used >= self.most {
            self.dropped = self.dropped.saturating_add(1);
            return Admission::Drop;
        }
        self.used = self.used.saturating_add(1);
        Admission::Log { dropped: std::mem::take(&mut self.dropped) }
    }
}

/// How many events are missing before this one, if any.
fn missing(last: Option<u64>, sequence: u64) -> Option<u64> {
    let gap = sequence.checked_sub(last?)?.checked_sub(1)?;
    (gap > 0).then_some(gap)
}

/// `name="value"` pairs, cut where they grow beyond any use.
fn fields(event: &Event) -> String {
    let mut text = String::new();
    for field in event.fields.iter().take(MAX_FIELDS) {
        let space = if text.is_empty() { "" } else { " " };
        let (name, value) = (escaped(&field.name, MAX_NAME), escaped(&field.value, MAX_VALUE));
        let _ = write!(text, "{space}{name}=\"{value}\"");
    }
    if event.fields.len() > MAX_FIELDS {
        let _ = write!(text, " … {} more", event.fields.len().saturating_sub(MAX_FIELDS));
    }
    text
}

/// At most `most` characters of a text, without those that would do something to a terminal or
/// feign another line or field.
pub(crate) fn escaped(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(most));
    for (count, character) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match character {
            '"' | '\\' => {
                shown.push('\\');
                shown.push(character);
            }
            _ if character.is_control() || is_invisible(character) => {
                shown.extend(character.escape_unicode());
            }
            _ => shown.push(character),
        }
    }
    shown
}

/// Line separators, and the marks that reorder what a terminal shows.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use signer_shared::service::EventField;

    use super::*;

    #[test]
    fn texts_are_cut_and_escaped() {
        assert_eq!(escaped("plain ä", 10), "plain ä");
        assert_eq!(escaped("a\n\x1b[31m\"\u{202e}", 50), "a\\u{a}\\u{1b}[31m\\\"\\u{202e}");
        assert_eq!(escaped("abcdef", 3), "abc…");
    }

    #[test]
    fn fields_are_bounded() {
        let field = EventField { name: "n".repeat(100), value: "v".repeat(10_000) };
        let event = Event {
            sequence: 1,
            uptime_ms: 0,
            level: Level::Info,
            code: "c".to_owned(),
            fields: vec![field; 1000],
        };
        let text = fields(&event);
        assert!(text.ends_with("… 968 more") && text.len() < 40_000);
    }

    #[test]
    fn beyond_the_rate_events_are_counted() {
        let mut rate = Rate { most: 2, second: Instant::now(), used: 0, dropped: 0 };
        let now = rate.second;
        assert_eq!(rate.admit(now), Admission::Log { dropped: 0 });
        assert_eq!(rate.admit(now), Admission::Log { dropped: 0 });
        assert_eq!(rate.admit(now), Admission::Drop);
        assert_eq!(rate.admit(now), Admission::Drop);
        assert_eq!(rate.admit(now + Duration::from_secs(1)), Admission::Log { dropped: 2 });
    }

    #[tokio::test]
    async fn malformed_events_end_their_connection_and_the_sink_goes_on() {
        use signer_transport::{dial, write_frame};
        use tokio::io::AsyncReadExt;

        let path = std::env::temp_dir().join(format!("signer-events-{}", crate::random::hex()));
        let address = signer_shared::address::Address::Unix(path.clone());
        let listener = Listener::bind(&address).await.unwrap();
        let (sink, stopper) = (EventSink::new(2, Deaths::default()), crate::lifecycle::Stopper::default());
        let serving = tokio::spawn(sink.clone().serve(listener, stopper.stop()));
        let event = |sequence| Event {
            sequence,
            uptime_ms: 1,
            level: Level::Info,
            code: "test".to_owned(),
            fields: Vec::new(),
        };
        for _ in 0..2 {
            let mut stream = dial(&address, Duration::from_secs(5)).await.unwrap();
            for sequence in 1..=3 {
                write_frame(&mut stream, &frame::encode(&event(sequence)).unwrap()).await.unwrap();
            }
            write_frame(&mut stream, &[0, 0, 0, 1, 0x40]).await.unwrap();
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
        }
        assert_eq!(sink.rate.lock().unwrap().dropped, 4);
        stopper.stop_all();
        serving.await.unwrap();
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn gaps_are_seen() {
        assert_eq!(missing(None, 7), None);
        assert_eq!(missing(Some(7), 8), None);
        assert_eq!(missing(Some(7), 10), Some(2));
        assert_eq!(missing(Some(7), 1), None);
    }
}
