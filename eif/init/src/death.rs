//! Why the enclave ended, from what the kernel says and what the enclave said last.

use std::{fmt, io};

use nix::sys::signal::Signal;
use signer_shared::last_words::{Cause, LastWords, Reporter};

/// With this the enclave's program begins what it says before it ends.
const LAST_WORDS: &str = "nitro-signer: ";
/// With this, after [`LAST_WORDS`], the place of a panic.
const PANIC: &str = "panic at ";
/// With this Rust's runtime says that there is no memory left, before it aborts.
const NO_MEMORY: &str = "memory allocation of ";

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With an exit code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
}

/// The enclave's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    cause: Cause,
    detail: Option<String>,
}

/// What the enclave said that tells about its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its last words, if it had any.
    words: Option<String>,
    /// Whether an allocation failed.
    no_memory: bool,
}

impl Said {
    /// Takes note of one line of its output.
    pub fn hear(&mut self, line: &str) {
        if let Some(words) = line.strip_prefix(LAST_WORDS) {
            self.words = Some(words.to_owned());
        }
        self.no_memory = line.starts_with(NO_MEMORY);
    }
}

impl Death {
    /// The cause of an end. `oom_kills` is how often the kernel ended a process for want of memory
    /// while the enclave ran.
    pub fn of(ending: Ending, said: Said, oom_kills: u64) -> Self {
        let Said { words, no_memory } = said;
        match (ending, words) {
            (Ending::Signalled(signal), _) if signal == Signal::SIGKILL as i32 && oom_kills > 0 => {
                Self { cause: Cause::OutOfMemory, detail: Some("killed by the kernel".to_owned()) }
            }
            (Ending::Signalled(signal), _) if signal == Signal::SIGABRT as i32 && no_memory => {
                Self { cause: Cause::OutOfMemory, detail: Some("an allocation failed".to_owned()) }
            }
            (Ending::Signalled(signal), Some(words)) if signal == Signal::SIGABRT as i32 => {
                match words.strip_prefix(PANIC) {
                    Some(place) => Self { cause: Cause::Panic, detail: Some(place.to_owned()) },
                    None => Self { cause: Cause::Signal { signal }, detail: Some(words) },
                }
            }
            (Ending::Signalled(signal), words) => Self { cause: Cause::Signal { signal }, detail: words },
            (Ending::Exited(_), Some(words)) => Self { cause: Cause::Error, detail: Some(words) },
            (Ending::Exited(code), None) => Self { cause: Cause::Exit { code }, detail: None },
        }
    }

    /// It never ran.
    pub fn not_started(error: &io::Error) -> Self {
        Self { cause: Cause::NotStarted, detail: Some(error.to_string()) }
    }

    /// What the host is told.
    pub fn last_words(&self) -> LastWords {
        LastWords { reporter: Reporter::Init, cause: self.cause, detail: self.detail.clone() }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.cause.as_str())?;
        match self.cause {
            Cause::Exit { code } => write!(f, " code {code}")?,
            Cause::Signal { signal } => {
                let name = Signal::try_from(signal).map_or("", Signal::as_str);
                write!(f, " {signal} {name}")?;
            }
            _ => {}
        }
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        Ok(())
    }
}

/// How often the kernel ended a process for want of memory, by the text of `/proc/vmstat`.
pub fn oom_kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(ending: Ending, lines: &[&str], oom_kills: u64) -> String {
        let mut said = Said::default();
        for line in lines {
            said.hear(line);
        }
        Death::of(ending, said, oom_kills).to_string()
    }

    #[test]
    fn every_end_has_its_cause() {
        use Ending::{Exited, Signalled};
        let refused = "nitro-signer: debug mode";
        let place = "nitro-signer: panic at enclave/src/server.rs:1:2";
        let alloc = "memory allocation of 7 bytes failed";
        for (ending, lines, oom_kills, expected) in [
            (Exited(0), &[][..], 0, "exit code 0"),
            (Exited(3), &["noise"][..], 0, "exit code 3"),
            (Exited(1), &["noise", refused][..], 0, "error: debug mode"),
            (Exited(1), &[refused, "noise"][..], 7, "error: debug mode"),
            (Signalled(11), &[][..], 0, "signal 11 SIGSEGV"),
            (Signalled(9), &[][..], 0, "signal 9 SIGKILL"),
            (Signalled(9), &[][..], 1, "out_of_memory: killed by the kernel"),
            (Signalled(11), &[][..], 1, "signal 11 SIGSEGV"),
            (Signalled(6), &[][..], 0, "signal 6 SIGABRT"),
            (Signalled(6), &[place][..], 0, "panic: enclave/src/server.rs:1:2"),
            (Signalled(6), &[refused][..], 0, "signal 6 SIGABRT: debug mode"),
            (Signalled(6), &[alloc][..], 0, "out_of_memory: an allocation failed"),
            (Signalled(6), &[alloc, place][..], 0, "panic: enclave/src/server.rs:1:2"),
            (Signalled(34), &[][..], 0, "signal 34 "),
        ] {
            assert_eq!(death(ending, lines, oom_kills), expected, "{ending:?} {lines:?} {oom_kills}");
        }
        let error = io::Error::from(io::ErrorKind::NotFound);
        assert_eq!(Death::not_started(&error).to_string(), "not_started: entity not found");
    }

    #[test]
    fn the_kernels_count_is_read() {
        assert_eq!(oom_kills("pgfault 1\noom_kill 12\nnuma_hit 3\n"), Some(12));
        assert_eq!(oom_kills("pgfault 1\n"), None);
        assert_eq!(oom_kills("oom_kill many\n"), None);
        assert_eq!(oom_kills("oom_kill_disable 1\n"), None);
        assert!(oom_kills(&std::fs::read_to_string("/proc/vmstat").unwrap()).is_some());
    }
}
