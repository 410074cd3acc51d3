//! CPU time of processes, as Linux counts it.

use std::{fs, process, time::Duration};

use super::Error;

/// `/proc` counts in hundredths of a second on every Linux (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The appliance's processes. The client is this one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Processes {
    pub(super) host: u32,
    pub(super) enclave: u32,
}

/// CPU time since each process began, or between two readings.
#[derive(Clone, Copy, Debug)]
pub(super) struct CpuTimes {
    pub(super) host: Duration,
    pub(super) enclave: Duration,
    pub(super) client: Duration,
}

impl Processes {
    pub(super) fn read(self) -> Result<CpuTimes, Error> {
        Ok(CpuTimes { host: of(self.host)?, enclave: of(self.enclave)?, client: own()? })
    }
}

impl CpuTimes {
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            host: self.host.saturating_sub(earlier.host),
            enclave: self.enclave.saturating_sub(earlier.enclave),
            client: self.client.saturating_sub(earlier.client),
        }
    }
}

/// Of this process.
pub(super) fn own() -> Result<Duration, Error> {
    of(process::id())
}

/// User and system time of all threads of a process, those that have ended among them.
fn of(id: u32) -> Result<Duration, Error> {
    let path = format!("/proc/{id}/stat");
    let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    parse(&stat).ok_or_else(|| format!("{path} is not as expected: {stat}").into())
}

/// The program's name, in parentheses, may hold anything; utime and stime are the 12th and 13th
/// fields after it.
fn parse(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs_do_not_confuse() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 3 0 1 2 3";
        assert_eq!(parse(stat), Some(Duration::from_secs(3)));
        assert_eq!(parse("7 (a) S 1"), None);
        assert!(own().is_ok());
    }
}
