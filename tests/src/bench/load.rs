//! Clients that ask side by side, from one thread.

use std::time::{Duration, Instant};

use tokio::{task::JoinSet, time::sleep_until};

use super::{
    Error,
    client::Target,
    cpu::{CpuTimes, Processes},
    kind::{Checks, Work},
    latency::Latencies,
    report::Measurement,
};

/// Connections have to be opened, and the wallet's key derived, before anything is measured.
const LONGEST_WARM_UP: Duration = Duration::from_millis(500);
/// Numbers of requests that no other connection uses.
const NUMBERS: u64 = 1_000_000;

/// How fast clients ask.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// The next request as soon as there is an answer.
    Full,
    /// So many requests a second, all connections together, whether answers come or not.
    PerSecond(f64),
}

/// One stage.
pub(super) struct Load {
    pub(super) name: &'static str,
    pub(super) target: Target,
    pub(super) connections: usize,
    pub(super) work: Work,
    pub(super) pace: Pace,
    pub(super) seconds: Duration,
    pub(super) processes: Processes,
}

/// What one connection saw.
#[derive(Default)]
struct Seen {
    latencies: Latencies,
    signatures: u64,
    checks: Checks,
}

/// The requests of one connection at a given pace.
struct Turns {
    pause: Duration,
    next: Instant,
}

/// When what is measured begins and ends.
#[derive(Clone, Copy)]
struct Window {
    start: Instant,
    end: Instant,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of connections are small")]
impl Load {
    /// Measures on this thread alone: the client must leave the machine to what is measured.
    pub(super) fn run(self) -> Result<Measurement, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (seen, cpu, elapsed) = runtime.block_on(self.ask_side_by_side())?;
        let (verified, errors, first) = seen.checks.verify(&self.work);
        let (name, kind) = (self.name, self.work.kind);
        let measured = Measurement::of_appliance(name, kind, seen.signatures, elapsed, cpu, seen.latencies)
            .with_connections(self.connections);
        Ok(measured.with_checks(verified, errors, first))
    }

    async fn ask_side_by_side(&self) -> Result<(Seen, CpuTimes, Duration), Error> {
        let start = Instant::now() + LONGEST_WARM_UP.min(self.seconds);
        let window = Window { start, end: start + self.seconds };
        let mut clients = JoinSet::new();
        for index in 0..self.connections {
            let share = index as f64 / self.connections as f64;
            let turns =
                self.pause().map(|pause| Turns { pause, next: Instant::now() + pause.mul_f64(share) });
            let first = index as u64 * NUMBERS;
            clients.spawn(ask(self.target.clone(), self.work.clone(), window, first, turns));
        }
        sleep_until(window.start.into()).await;
        let before = self.processes.read()?;
        sleep_until(window.end.into()).await;
        let (cpu, elapsed) = (self.processes.read()?.since(before), window.start.elapsed());
        let mut all = Seen::default();
        while let Some(seen) = clients.join_next().await {
            let seen = seen?;
            all.latencies.join(seen.latencies);
            all.signatures += seen.signatures;
            all.checks.join(seen.checks);
        }
        Ok((all, cpu, elapsed))
    }

    /// Between two requests of one connection.
    fn pause(&self) -> Option<Duration> {
        match self.pace {
            Pace::Full => None,
            Pace::PerSecond(rate) => Some(Duration::from_secs_f64(self.connections as f64 / rate.max(1.0))),
        }
    }
}

/// Asks until the window ends; what ends within it counts.
async fn ask(target: Target, work: Work, window: Window, first: u64, mut turns: Option<Turns>) -> Seen {
    let mut seen = Seen::default();
    let mut connection = match target.open().await {
        Ok(connection) => connection,
        Err(error) => {
            seen.checks.fail(&error);
            return seen;
        }
    };
    let mut number = first;
    while Instant::now() < window.end {
        number += 1;
        let body = work.body(number);
        let asked = match turns.as_mut() {
            Some(turns) => turns.take().await,
            None => Instant::now(),
        };
        match connection.ask(&work, &body).await {
            Ok((status, answer)) => {
                let now = Instant::now();
                if window.start <= now && now < window.end {
                    seen.latencies.add(now - asked);
                    seen.signatures += work.signatures();
                }
                seen.checks.note(&work, number, status, &answer);
            }
            Err(error) => {
                seen.checks.fail(&error);
                return seen;
            }
        }
    }
    seen
}

impl Turns {
    /// Waits for the next turn. Returns since when the caller waits for its answer: if an earlier
    /// answer came late, since the turn was due.
    async fn take(&mut self) -> Instant {
        let due = self.next;
        self.next += self.pause;
        if due <= Instant::now() {
            return due;
        }
        sleep_until(due.into()).await;
        // Timers round up to a millisecond, for which the appliance is not to blame.
        Instant::now()
    }
}
