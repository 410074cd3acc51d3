//! Why an enclave ended, as an [`Event`] with the code [`CODE`].
//!
//! Two may report the same death: the enclave itself while it still can, and the init that sees it
//! end. Neither says more than a cause, a number and a place: a panic's message can carry data and
//! is never part of it. The host that receives it believes none of it.

use crate::service::{Event, EventField, Level};

/// The event's code.
pub const CODE: &str = "enclave_ended";

/// The most characters of a detail.
pub const MAX_DETAIL: usize = 256;

/// Who reports a death.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reporter {
    /// The enclave's program, before it ends.
    Enclave,
    /// The init of our own images, afterwards.
    Init,
}

/// What ended an enclave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A defect; the detail is the place in the source.
    Panic,
    /// It could not start or not go on, and said why: the detail.
    Error,
    /// It ended with an exit code.
    Exit {
        /// The exit code.
        code: i32,
    },
    /// A signal ended it.
    Signal {
        /// The signal's number.
        signal: i32,
    },
    /// There was no memory left.
    OutOfMemory,
    /// The init could not start it; the detail says what failed.
    NotStarted,
}

/// The last words about an enclave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastWords {
    /// Who says so.
    pub reporter: Reporter,
    /// What ended it.
    pub cause: Cause,
    /// A place in the source or a fixed text of the program, at most [`MAX_DETAIL`] characters.
    pub detail: Option<String>,
}

impl Reporter {
    /// Its name in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enclave => "enclave",
            Self::Init => "init",
        }
    }
}

impl Cause {
    /// Its name in the event and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Panic => "panic",
            Self::Error => "error",
            Self::Exit { .. } => "exit",
            Self::Signal { .. } => "signal",
            Self::OutOfMemory => "out_of_memory",
            Self::NotStarted => "not_started",
        }
    }
}

impl LastWords {
    /// As an event, the only one of its connection.
    pub fn to_event(&self, uptime_ms: u64) -> Event {
        let field = |name: &str, value: String| EventField { name: name.to_owned(), value };
        let mut fields = vec![
            field("reporter", self.reporter.as_str().to_owned()),
            field("cause", self.cause.as_str().to_owned()),
        ];
        match self.cause {
            Cause::Exit { code } => fields.push(field("code", code.to_string())),
            Cause::Signal { signal } => fields.push(field("signal", signal.to_string())),
            _ => {}
        }
        if let Some(detail) = &self.detail {
            fields.push(field("detail", detail.chars().take(MAX_DETAIL).collect()));
        }
        Event { sequence: 1, uptime_ms, level: Level::Error, code: CODE.to_owned(), fields }
    }

    /// Reads them from an event, strictly: none if it is another event or has other fields.
    pub fn of_event(event: &Event) -> Option<Self> {
        if event.code != CODE {
            return None;
        }
        let mut fields = event.fields.iter();
        let mut named = |wanted: &str| {
            let field = fields.next()?;
            (field.name == wanted).then_some(field.value.as_str())
        };
        let reporter = match named("reporter")? {
            "enclave" => Reporter::Enclave,
            "init" => Reporter::Init,
            _ => return None,
        };
        let cause = match named("cause")? {
            "panic" => Cause::Panic,
            "error" => Cause::Error,
            "exit" => Cause::Exit { code: named("code")?.parse().ok()? },
            "signal" => Cause::Signal { signal: named("signal")?.parse().ok()? },
            "out_of_memory" => Cause::OutOfMemory,
            "not_started" => Cause::NotStarted,
            _ => return None,
        };
        let detail = match fields.next() {
            None => None,
            Some(EventField { name, value }) if name == "detail" && value.chars().count() <= MAX_DETAIL => {
                Some(value.clone())
            }
            Some(_) => return None,
        };
        fields.next().is_none().then_some(Self { reporter, cause, detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_cause() -> [Cause; 6] {
        [
            Cause::Panic,
            Cause::Error,
            Cause::Exit { code: -1 },
            Cause::Signal { signal: 9 },
            Cause::OutOfMemory,
            Cause::NotStarted,
        ]
    }

    #[test]
    fn every_cause_round_trips() {
        for reporter in [Reporter::Enclave, Reporter::Init] {
            for cause in every_cause() {
                for detail in [None, Some("enclave/src/server.rs:12:5".to_owned())] {
                    let words = LastWords { reporter, cause, detail };
                    assert_eq!(LastWords::of_event(&words.to_event(1)), Some(words));
                }
            }
        }
    }

    #[test]
    fn a_long_detail_is_cut() {
        let words = LastWords {
            reporter: Reporter::Init,
            cause: Cause::Error,
            detail: Some("ä".repeat(MAX_DETAIL + 1)),
        };
        let read = LastWords::of_event(&words.to_event(1)).unwrap();
        assert_eq!(read.detail.unwrap(), "ä".repeat(MAX_DETAIL));
    }

    #[test]
    fn other_events_are_no_last_words() {
        let good = LastWords {
            reporter: Reporter::Init,
            cause: Cause::Exit { code: 1 },
            detail: Some("x".to_owned()),
        }
        .to_event(1);
        assert!(LastWords::of_event(&good).is_some());
        let spoil = |change: &dyn Fn(&mut Event)| {
            let mut event = good.clone();
            change(&mut event);
            LastWords::of_event(&event)
        };
        assert_eq!(spoil(&|event| event.code = "other".to_owned()), None);
        assert_eq!(spoil(&|event| event.fields.truncate(2)), None, "no code");
        assert_eq!(spoil(&|event| event.fields.swap(0, 1)), None, "another order");
        assert_eq!(spoil(&|event| event.fields[1].value = "boredom".to_owned()), None);
        assert_eq!(spoil(&|event| event.fields[2].value = "one".to_owned()), None);
        assert_eq!(spoil(&|event| event.fields[3].name = "place".to_owned()), None);
        assert_eq!(spoil(&|event| event.fields[3].value = "x".repeat(MAX_DETAIL + 1)), None);
        assert_eq!(spoil(&|event| event.fields.push(event.fields[3].clone())), None);
    }
}
