//! Clients that ask side by side, from one thread.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{sleep, sleep_until},
};

use signer_shared::message::Header;

use super::{
    Error,
    auth::Auth,
    client::Target,
    cpu::{CpuTimes, Processes},
    kind::{Checks, Work},
    latency::Latencies,
    report::Measurement,
};
use crate::stack::Client;

/// Connections have to be opened, and the wallet's key derived, before anything is measured.
const LONGEST_WARM_UP: Duration = Duration::from_millis(500);
/// For the first answer.
const LONGEST_WAIT: Duration = Duration::from_mins(1);
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
    pub(super) auth: Auth,
    /// Who signs the requests, if somebody does.
    pub(super) client: Option<Arc<Client>>,
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

/// What one connection asks, where, and as whom.
struct Asking {
    target: Target,
    work: Work,
    client: Option<Arc<Client>>,
}

/// The requests of one connection at a given pace.
struct Turns {
    pause: Duration,
    next: Instant,
}

/// What is measured now. All connections are on one thread, so order is no question.
#[derive(Default)]
struct Window {
    open: AtomicBool,
    over: AtomicBool,
    /// Answers while it was open, and failures.
    outcomes: AtomicU64,
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
            .with_connections(self.connections)
            .with_auth(self.auth);
        Ok(measured.with_checks(verified, errors, first))
    }

    async fn ask_side_by_side(&self) -> Result<(Seen, CpuTimes, Duration), Error> {
        let window = Arc::new(Window::default());
        let mut clients = JoinSet::new();
        for index in 0..self.connections {
            let share = index as f64 / self.connections as f64;
            let turns =
                self.pause().map(|pause| Turns { pause, next: Instant::now() + pause.mul_f64(share) });
            let first = index as u64 * NUMBERS;
            let asking =
                Asking { target: self.target.clone(), work: self.work.clone(), client: self.client.clone() };
            clients.spawn(ask(asking, window.clone(), first, turns));
        }
        sleep(LONGEST_WARM_UP.min(self.seconds)).await;
        let (before, start) = (self.processes.read()?, Instant::now());
        window.open.store(true, Relaxed);
        sleep(self.seconds).await;
        // A slow machine gets the time that one answer takes.
        while window.outcomes.load(Relaxed) == 0 && start.elapsed() < LONGEST_WAIT {
            sleep(Duration::from_millis(10)).await;
        }
        window.over.store(true, Relaxed);
        let (cpu, elapsed) = (self.processes.read()?.since(before), start.elapsed());
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

/// Asks until the window is over; what is answered while it is open counts.
async fn ask(asking: Asking, window: Arc<Window>, first: u64, mut turns: Option<Turns>) -> Seen {
    let Asking { target, work, client } = asking;
    let mut seen = Seen::default();
    let mut connection = match target.open().await {
        Ok(connection) => connection,
        Err(error) => {
            window.outcomes.fetch_add(1, Relaxed);
            seen.checks.fail(&error);
            return seen;
        }
    };
    let mut number = first;
    while !window.over.load(Relaxed) {
        number += 1;
        let body = work.body(number);
        // Before the clock runs: what the client's signature takes is the client's.
        let headers = headers(client.as_deref(), &work.path(), &body);
        let asked = match turns.as_mut() {
            Some(turns) => turns.take().await,
            None => Instant::now(),
        };
        match connection.ask(&work, &headers, &body).await {
            Ok((status, answer)) => {
                if window.note() {
                    seen.latencies.add(asked.elapsed());
                    seen.signatures += work.signatures();
                }
                seen.checks.note(&work, number, status, &answer);
            }
            Err(error) => {
                window.outcomes.fetch_add(1, Relaxed);
                seen.checks.fail(&error);
                return seen;
            }
        }
    }
    seen
}

/// The headers of a request.
fn headers(client: Option<&Client>, path: &str, body: &[u8]) -> Vec<Header> {
    client.map_or_else(
        || vec![Header { name: "content-type".to_owned(), value: "application/json".to_owned() }],
        |client| client.sign("POST", path, body),
    )
}

impl Window {
    /// Something came of a request. Returns whether it counts.
    fn note(&self) -> bool {
        let counts = self.open.load(Relaxed) && !self.over.load(Relaxed);
        if counts {
            self.outcomes.fetch_add(1, Relaxed);
        }
        counts
    }
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
