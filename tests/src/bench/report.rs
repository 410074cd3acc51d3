//! What was measured, for people and for programs.

use std::{fmt::Write as _, fs, thread, time::Duration};

use serde::Serialize;

use super::{
    auth::Auth,
    cpu::CpuTimes,
    kind::Kind,
    latency::{Latencies, Percentiles},
};

/// A run.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Of this program, whose version all parts share.
    pub version: &'static str,
    /// Whether this program was built with optimisation. Without it the figures mean nothing.
    pub optimised: bool,
    /// Processors.
    pub processors: usize,
    /// The machine's load over the last minute, before and after: others disturb.
    pub load_average: [f64; 2],
    /// How long each stage was measured.
    pub seconds: f64,
    /// The stages, in order.
    pub stages: Vec<Measurement>,
    /// How each kind compares with its bare signature.
    pub summary: Vec<Summary>,
}

/// One stage.
#[derive(Debug, Serialize)]
pub struct Measurement {
    /// Its name.
    pub name: &'static str,
    /// What is signed.
    pub kind: Kind,
    /// How requests prove who asks.
    pub auth: Auth,
    /// Connections, each with one request at a time.
    pub connections: usize,
    /// Signatures within the time.
    pub signatures: u64,
    /// Of a sample, by other code than the signer's.
    pub verified: u64,
    /// Answers that were something else, and signatures that do not verify.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// Signatures a second.
    pub per_second: f64,
    /// From a request to its whole answer.
    pub latency_us: Percentiles,
    /// CPU of each process, for one signature.
    pub cpu_us: Cpu,
    /// CPU of host and enclave together, as a multiple of the bare signature's.
    pub ratio: Option<f64>,
}

/// CPU for one signature, in microseconds. Without a process of its own: none.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Cpu {
    /// `signer-host`.
    pub host: Option<f64>,
    /// The enclave, or this process where it does the enclave's work.
    pub enclave: Option<f64>,
    /// This process, where it is the client.
    pub client: Option<f64>,
}

/// The two figures that the design sets a limit to.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// What is signed.
    pub kind: Kind,
    /// CPU of host and enclave at the most connections, as a multiple of the bare signature's.
    pub http_ratio: f64,
    /// Latency at half load, 99 of 100, beyond the bare signature's median, in milliseconds.
    pub added_p99_ms: f64,
}

impl Report {
    pub(super) fn new(seconds: Duration) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            optimised: !cfg!(debug_assertions),
            processors: thread::available_parallelism().map_or(0, Into::into),
            load_average: [load_average(); 2],
            seconds: seconds.as_secs_f64(),
            stages: Vec::new(),
            summary: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, mut stage: Measurement) {
        let bare = self.stages.iter().find(|other| other.kind == stage.kind && other.name == "bare");
        let bare = bare.unwrap_or(&stage).cpu_us.appliance();
        stage.ratio = Some(stage.cpu_us.appliance() / bare).filter(|ratio| ratio.is_finite());
        self.stages.push(stage);
    }

    pub(super) fn finish(&mut self) {
        self.load_average[1] = load_average();
        self.summary = Kind::ALL.iter().filter_map(|kind| self.summary_of(*kind)).collect();
    }

    fn summary_of(&self, kind: Kind) -> Option<Summary> {
        let stage = |name: &str| {
            let mut stages =
                self.stages.iter().filter(|stage| stage.kind == kind && stage.auth == Auth::None);
            stages.rfind(|stage| stage.name == name)
        };
        let added = stage("http half load")?.latency_us.p99 - stage("bare")?.latency_us.p50;
        Some(Summary { kind, http_ratio: stage("http")?.ratio?, added_p99_ms: added / 1000.0 })
    }

    /// Answers that were no signatures, of all stages.
    pub fn errors(&self) -> u64 {
        self.stages.iter().map(|stage| stage.errors).sum()
    }

    /// Whether a sample of every stage that signed anything was verified.
    pub fn is_verified(&self) -> bool {
        self.stages.iter().all(|stage| stage.verified > 0)
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{} processors, load average {:.2} before and {:.2} after, {} s a stage\n",
            self.processors, self.load_average[0], self.load_average[1], self.seconds
        );
        for kind in Kind::ALL.iter().filter(|kind| self.stages.iter().any(|stage| stage.kind == **kind)) {
            let _ = write!(
                text,
                "\n{kind}\n{:<20}{:>6}{:>10}  {:>8}{:>9}{:>9}{:>9}  {:>7}{:>8}{:>8}  {:>6}  {:>8}\n",
                "",
                "conns",
                "sigs/s",
                "p50 us",
                "p90 us",
                "p99 us",
                "p99.9",
                "host us",
                "enclave",
                "client",
                "ratio",
                "verified"
            );
            for stage in self.stages.iter().filter(|stage| stage.kind == *kind) {
                stage.write_row(&mut text);
            }
        }
        text.push('\n');
        for summary in &self.summary {
            let Summary { kind, http_ratio, added_p99_ms } = summary;
            let _ = writeln!(
                text,
                "{kind}: {http_ratio:.2} x the CPU of a bare signature over HTTP; p99 at half load {added_p99_ms:.2} ms over it"
            );
        }
        text
    }
}

impl Measurement {
    /// Of work that one thread of this process does alone.
    pub(super) fn alone(
        name: &'static str,
        kind: Kind,
        signatures: u64,
        elapsed: Duration,
        cpu: Duration,
        latencies: Latencies,
    ) -> Self {
        let cpu_us = Cpu { enclave: each(cpu, signatures), ..Cpu::default() };
        Self::new(name, kind, signatures, elapsed, cpu_us, latencies)
    }

    /// Of work that the appliance does for this process.
    pub(super) fn of_appliance(
        name: &'static str,
        kind: Kind,
        signatures: u64,
        elapsed: Duration,
        cpu: CpuTimes,
        latencies: Latencies,
    ) -> Self {
        let cpu_us = Cpu {
            host: each(cpu.host, signatures),
            enclave: each(cpu.enclave, signatures),
            client: each(cpu.client, signatures),
        };
        Self::new(name, kind, signatures, elapsed, cpu_us, latencies)
    }

    #[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52 signatures")]
    fn new(
        name: &'static str,
        kind: Kind,
        signatures: u64,
        elapsed: Duration,
        cpu_us: Cpu,
        latencies: Latencies,
    ) -> Self {
        Self {
            name,
            kind,
            auth: Auth::None,
            connections: 0,
            signatures,
            verified: 0,
            errors: 0,
            first_error: None,
            per_second: signatures as f64 / elapsed.as_secs_f64(),
            latency_us: latencies.percentiles(),
            cpu_us,
            ratio: None,
        }
    }

    pub(super) fn with_connections(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    pub(super) fn with_auth(self, auth: Auth) -> Self {
        Self { auth, ..self }
    }

    pub(super) fn with_checks(self, verified: u64, errors: u64, first_error: Option<String>) -> Self {
        Self { verified, errors, first_error, ..self }
    }

    fn write_row(&self, text: &mut String) {
        let name = match self.auth {
            Auth::None => self.name.to_owned(),
            auth => format!("{} {auth}", self.name),
        };
        let micros = |cpu: Option<f64>| cpu.map_or_else(|| "-".to_owned(), |cpu| format!("{cpu:.1}"));
        let connections = if self.connections == 0 { "-".to_owned() } else { self.connections.to_string() };
        let Percentiles { p50, p90, p99, p99_9 } = self.latency_us;
        let ratio = self.ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let _ = writeln!(
            text,
            "{name:<20}{connections:>6}{:>10.0}  {p50:>8.0}{p90:>9.0}{p99:>9.0}{p99_9:>9.0}  {:>7}{:>8}{:>8}  {ratio:>6}  {:>8}",
            self.per_second,
            micros(self.cpu_us.host),
            micros(self.cpu_us.enclave),
            micros(self.cpu_us.client),
            self.verified,
        );
    }
}

impl Cpu {
    fn appliance(self) -> f64 {
        self.host.unwrap_or_default() + self.enclave.unwrap_or_default()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody counts to 2^52 signatures")]
fn each(cpu: Duration, signatures: u64) -> Option<f64> {
    (signatures > 0).then(|| cpu.as_secs_f64() * 1e6 / signatures as f64)
}

fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}
