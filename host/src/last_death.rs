//! The last death of an enclave: when, which, and why as far as anybody told.
//!
//! Three signs come together here, in any order: the enclave's own last words, those of its init, and
//! the link, which loses an enclave and finds another. Signs of the same death become one record.
//! Nobody proves last words: they are an operator's hint, bounded and escaped, and decide nothing.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use signer_shared::last_words::{Cause, LastWords, MAX_DETAIL, Reporter};
use tracing::{error, info};

use crate::enclave_events::escaped;

/// How long the signs of one death may take to come together.
const GATHERING: Duration = Duration::from_secs(3);
/// An enclave that is gone this long without a word is logged as gone. It may come back.
const MISSED: Duration = Duration::from_secs(10);
/// Last words again and again are a log's flood, not deaths.
const BETWEEN: Duration = Duration::from_secs(1);

/// Collects what is known of deaths. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Deaths {
    known: Arc<Mutex<Known>>,
}

/// The last death, as `GET /v1/status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastDeath {
    /// When it was noticed, Unix milliseconds by the host's clock.
    at_ms: u64,
    /// Which boot ended; none if it ended before the host had met it.
    boot_id: Option<String>,
    /// A cause of [`Cause`], or `unknown` where nobody told one, or `connection_lost` while it is open
    /// whether the enclave ended at all.
    cause: &'static str,
    /// With the cause `exit`.
    exit_code: Option<i32>,
    /// With the cause `signal`.
    signal: Option<i32>,
    /// The place of a panic, or what the enclave said.
    detail: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    /// The boot that was last met and is not known to be dead.
    alive: Option<String>,
    /// A death whose signs may still come.
    open: Option<Death>,
    /// The one before.
    settled: Option<Death>,
}

#[derive(Clone, Debug)]
struct Death {
    noticed: Instant,
    at_ms: u64,
    boot_id: Option<String>,
    /// Another boot came after it: it is dead for certain.
    replaced: bool,
    enclave: Option<LastWords>,
    init: Option<LastWords>,
    logged: bool,
}

impl Deaths {
    /// The last one.
    pub fn last(&self) -> Option<LastDeath> {
        let known = self.known();
        known.open.as_ref().or(known.settled.as_ref()).map(Death::shown)
    }

    /// An enclave answers.
    pub(crate) fn met(&self, boot_id: &str) {
        self.known().met(boot_id, Instant::now());
    }

    /// The last connection to the enclave is gone.
    pub(crate) fn lost(&self) {
        self.known().lost(Instant::now());
    }

    /// Somebody says why an enclave ended.
    pub(crate) fn heard(&self, words: LastWords) {
        self.known().heard(words, Instant::now());
    }

    /// Time has passed.
    pub(crate) fn tick(&self) {
        self.known().tick(Instant::now());
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn met(&mut self, boot_id: &str, now: Instant) {
        if self.alive.as_deref() == Some(boot_id) {
            if self.open.as_ref().is_some_and(Death::is_silent) {
                self.open = None;
                info!(code = "enclave_back", "the enclave is back: it had not ended");
            }
            return;
        }
        // The link may find a successor before it notices that the last one is gone.
        if self.alive.is_some() {
            self.lost(now);
        }
        if let Some(death) = &mut self.open {
            death.replaced = true;
        }
        self.settle();
        self.alive = Some(boot_id.to_owned());
    }

    fn lost(&mut self, now: Instant) {
        if self.open.is_none() && self.alive.is_some() {
            self.open = Some(Death::new(self.alive.clone(), now));
        }
    }

    fn heard(&mut self, words: LastWords, now: Instant) {
        if let Some(death) = &mut self.open
            && death.has_heard(words.reporter)
        {
            if now.saturating_duration_since(death.noticed) < BETWEEN {
                return;
            }
            self.settle();
        }
        let death = self.open.get_or_insert_with(|| Death::new(self.alive.clone(), now));
        match words.reporter {
            Reporter::Enclave => death.enclave = Some(words),
            Reporter::Init => death.init = Some(words),
        }
    }

    fn tick(&mut self, now: Instant) {
        let Some(death) = &mut self.open else { return };
        let age = now.saturating_duration_since(death.noticed);
        if !death.is_silent() && age >= GATHERING {
            self.settle();
        } else if age >= MISSED {
            death.log();
        }
    }

    /// No more signs are waited for.
    fn settle(&mut self) {
        let Some(mut death) = self.open.take() else { return };
        death.log();
        // Whoever ended is not alive; an enclave that nobody had met leaves that as it is.
        if death.boot_id.is_some() && death.boot_id == self.alive {
            self.alive = None;
        }
        self.settled = Some(death);
    }
}

impl Death {
    fn new(boot_id: Option<String>, noticed: Instant) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let at_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        Self { noticed, at_ms, boot_id, replaced: false, enclave: None, init: None, logged: false }
    }

    /// Nobody told anything: the connections are gone, and that is all.
    fn is_silent(&self) -> bool {
        self.enclave.is_none() && self.init.is_none()
    }

    fn has_heard(&self, reporter: Reporter) -> bool {
        match reporter {
            Reporter::Enclave => self.enclave.is_some(),
            Reporter::Init => self.init.is_some(),
        }
    }

    /// The words that say most: a defect's place, then what the kernel knows, then the enclave's own.
    fn words(&self) -> Option<&LastWords> {
        [&self.enclave, &self.init].into_iter().flatten().max_by_key(|words| match words.cause {
            Cause::Panic => 3,
            Cause::OutOfMemory | Cause::NotStarted => 2,
            Cause::Error => 1,
            Cause::Exit { .. } | Cause::Signal { .. } => 0,
        })
    }

    fn shown(&self) -> LastDeath {
        let words = self.words();
        let cause = words.map(|words| words.cause);
        LastDeath {
            at_ms: self.at_ms,
            boot_id: self.boot_id.as_deref().map(|boot_id| escaped(boot_id, MAX_DETAIL)),
            cause: match cause {
                Some(cause) => cause.as_str(),
                None if self.replaced => "unknown",
                None => "connection_lost",
            },
            exit_code: match cause {
                Some(Cause::Exit { code }) => Some(code),
                _ => None,
            },
            signal: match cause {
                Some(Cause::Signal { signal }) => Some(signal),
                _ => None,
            },
            detail: words.and_then(|words| words.detail.as_deref()).map(|text| escaped(text, MAX_DETAIL)),
        }
    }

    /// One line for each death.
    fn log(&mut self) {
        if std::mem::replace(&mut self.logged, true) {
            return;
        }
        let LastDeath { at_ms, boot_id, cause, exit_code, signal, detail } = self.shown();
        let (boot_id, detail) = (boot_id.unwrap_or_default(), detail.unwrap_or_default());
        error!(
            code = "enclave_died",
            at_ms, boot_id, cause, exit_code, signal, detail, "the enclave has ended: {cause}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(reporter: Reporter, cause: Cause, detail: Option<&str>) -> LastWords {
        LastWords { reporter, cause, detail: detail.map(str::to_owned) }
    }

    fn panic() -> LastWords {
        words(Reporter::Enclave, Cause::Panic, Some("a.rs:1:2"))
    }

    fn abort() -> LastWords {
        words(Reporter::Init, Cause::Signal { signal: 6 }, None)
    }

    fn shown(known: &Known) -> (Option<String>, &'static str, Option<String>) {
        let death = known.open.as_ref().or(known.settled.as_ref()).unwrap().shown();
        (death.boot_id, death.cause, death.detail)
    }

    #[test]
    fn signs_of_one_death_come_together_in_any_order() {
        let now = Instant::now();
        let signs: [fn(&mut Known, Instant); 3] = [
            |known, now| known.lost(now),
            |known, now| known.heard(panic(), now),
            |known, now| known.heard(abort(), now),
        ];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut known = Known::default();
            known.met("one", now);
            for sign in order {
                signs[sign](&mut known, now);
            }
            let expected = (Some("one".to_owned()), "panic", Some("a.rs:1:2".to_owned()));
            assert_eq!(shown(&known), expected, "{order:?}");
            known.met("two", now);
            assert_eq!(shown(&known), expected, "{order:?}");
            assert!(known.open.is_none() && known.alive.as_deref() == Some("two"));
        }
    }

    #[test]
    fn the_words_that_say_most_are_shown() {
        let enclave = |cause, detail| words(Reporter::Enclave, cause, Some(detail));
        let init = |cause, detail| words(Reporter::Init, cause, Some(detail));
        let signal = Cause::Signal { signal: 9 };
        for (enclave, init, expected) in [
            (Some(enclave(Cause::Error, "e")), Some(init(Cause::Exit { code: 1 }, "i")), ("error", "e")),
            (Some(enclave(Cause::Panic, "e")), Some(init(Cause::OutOfMemory, "i")), ("panic", "e")),
            (Some(enclave(Cause::Error, "e")), Some(init(Cause::OutOfMemory, "i")), ("out_of_memory", "i")),
            (None, Some(init(signal, "i")), ("signal", "i")),
            (Some(enclave(Cause::Error, "e")), None, ("error", "e")),
        ] {
            let mut known = Known::default();
            for words in [enclave, init].into_iter().flatten() {
                known.heard(words, Instant::now());
            }
            let (_, cause, detail) = shown(&known);
            assert_eq!((cause, detail.as_deref()), (expected.0, Some(expected.1)));
        }
    }

    #[test]
    fn numbers_belong_to_their_cause() {
        for (cause, exit_code, signal) in [
            (Cause::Exit { code: 7 }, Some(7), None),
            (Cause::Signal { signal: 9 }, None, Some(9)),
            (Cause::OutOfMemory, None, None),
        ] {
            let deaths = Deaths::default();
            assert_eq!(deaths.last(), None);
            deaths.heard(words(Reporter::Init, cause, None));
            let last = deaths.last().unwrap();
            assert_eq!((last.exit_code, last.signal, last.boot_id), (exit_code, signal, None));
            assert!(last.at_ms > 1_700_000_000_000);
        }
    }

    #[test]
    fn a_death_without_words_is_unknown_once_there_is_another_enclave() {
        let now = Instant::now();
        let mut known = Known::default();
        known.met("one", now);
        known.lost(now);
        assert_eq!(shown(&known), (Some("one".to_owned()), "connection_lost", None));
        known.tick(now + MISSED);
        assert!(known.open.as_ref().unwrap().logged);
        known.met("two", now + MISSED * 2);
        assert_eq!(shown(&known), (Some("one".to_owned()), "unknown", None));
    }

    #[test]
    fn a_successor_is_noticed_without_a_loss() {
        let now = Instant::now();
        let mut known = Known::default();
        known.met("one", now);
        known.met("one", now);
        assert!(known.open.is_none() && known.settled.is_none());
        known.met("two", now);
        assert_eq!(shown(&known), (Some("one".to_owned()), "unknown", None));
    }

    #[test]
    fn an_enclave_that_comes_back_had_not_died() {
        let now = Instant::now();
        let mut known = Known::default();
        known.met("one", now);
        known.lost(now);
        known.met("one", now + MISSED);
        assert!(known.open.is_none() && known.settled.is_none());
        known.lost(now + MISSED);
        assert_eq!(shown(&known).1, "connection_lost");
    }

    #[test]
    fn an_enclave_that_ends_before_it_is_met_has_no_name() {
        let now = Instant::now();
        let mut known = Known::default();
        let debug = || words(Reporter::Enclave, Cause::Error, Some("debug mode"));
        known.heard(debug(), now);
        assert_eq!(shown(&known), (None, "error", Some("debug mode".to_owned())));
        // It is started again and again, and each death is one.
        let later = now + Duration::from_secs(2);
        known.heard(debug(), later);
        assert!(known.settled.is_some());
        assert_eq!(known.open.as_ref().unwrap().noticed, later);
    }

    #[test]
    fn a_death_that_has_been_told_does_not_take_another_with_it() {
        let now = Instant::now();
        let mut known = Known::default();
        known.met("one", now);
        known.heard(panic(), now);
        known.tick(now + GATHERING);
        assert!(known.open.is_none() && known.alive.is_none());
        // Late, and of the same death.
        known.lost(now + GATHERING);
        assert!(known.open.is_none());
        known.met("two", now + GATHERING);
        known.lost(now + MISSED);
        assert_eq!(shown(&known), (Some("two".to_owned()), "connection_lost", None));
    }

    #[test]
    fn a_flood_of_last_words_is_one_death_a_second() {
        let now = Instant::now();
        let mut known = Known::default();
        known.heard(panic(), now);
        for _ in 0..1000 {
            known.heard(panic(), now);
        }
        assert!(known.settled.is_none());
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        let deaths = Deaths::default();
        deaths.met(&"\n".repeat(10_000));
        deaths.heard(words(Reporter::Init, Cause::Error, Some("\x1b[2J")));
        let last = deaths.last().unwrap();
        assert_eq!(last.detail.unwrap(), "\\u{1b}[2J");
        assert!(last.boot_id.unwrap().len() < 3000);
    }
}
