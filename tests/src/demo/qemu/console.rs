//! What a machine says on its console, and how long it took to say it.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::demo::Error;

/// When a boot reached its stages, in milliseconds since the kernel's start, by the guest's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stages {
    /// The kernel started init.
    pub(super) init_ms: u64,
    /// Init started the enclave.
    pub(super) enclave_ms: u64,
}

impl Stages {
    pub(super) fn to_json(self) -> Value {
        json!({"kernel_ms": self.init_ms, "init_ms": self.enclave_ms - self.init_ms})
    }
}

/// The stages of the last boot that the console tells of, and the bytes of its text.
pub(super) fn read(console: &Path) -> Result<(Stages, usize), Error> {
    let text = String::from_utf8_lossy(&fs::read(console)?).into_owned();
    let stages = stages(&text).ok_or_else(|| format!("{} tells of no boot: {text}", console.display()))?;
    Ok((stages, text.len()))
}

fn stages(text: &str) -> Option<Stages> {
    let lines = || text.lines().rev().filter_map(|line| at(line));
    let (enclave_ms, _) = lines().find(|(_, what)| what.starts_with("enclave started"))?;
    let (init_ms, _) = lines().filter(|(ms, _)| *ms <= enclave_ms).take_while_falling().last()?;
    Some(Stages { init_ms, enclave_ms })
}

/// Lines of init: `init: 0.412 s file systems mounted`.
fn at(line: &str) -> Option<(u64, &str)> {
    let line = line.get(line.find("init: ")?..)?.strip_prefix("init: ")?;
    let (seconds, what) = line.split_once(" s ")?;
    let (whole, thousandths) = seconds.split_once('.')?;
    Some((whole.parse::<u64>().ok()? * 1000 + thousandths.parse::<u64>().ok()?, what))
}

/// One boot's lines, read backwards: an earlier boot's have later times again.
trait TakeWhileFalling<'a>: Iterator<Item = (u64, &'a str)> + Sized {
    fn take_while_falling(self) -> impl Iterator<Item = (u64, &'a str)> {
        let mut before = u64::MAX;
        self.take_while(move |(ms, _)| {
            let falls = *ms <= before;
            before = *ms;
            falls
        })
    }
}

impl<'a, I: Iterator<Item = (u64, &'a str)>> TakeWhileFalling<'a> for I {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_boot_counts() {
        let text = "init: 0.400 s file systems mounted\ninit: 0.900 s enclave started pid 9\n\
                    init: 7.000 s enclave ended: signal 9\n\
                    [    0.1] kernel\ninit: 0.500 s file systems mounted\r\n\
                    init: 0.800 s modules loaded (5)\ninit: 1.200 s enclave started pid 42\r\n";
        assert_eq!(stages(text), Some(Stages { init_ms: 500, enclave_ms: 1200 }));
        assert_eq!(stages("[    0.1] kernel\n"), None);
    }
}
