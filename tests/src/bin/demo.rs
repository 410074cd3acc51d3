//! Shows the whole appliance on one machine. `scripts/demo` builds what it needs and runs it.

#![allow(
    clippy::print_stderr,
    reason = "what stops the demo before its first step is said on standard error"
)]

use std::{
    env, io,
    net::{SocketAddr, TcpListener},
    process::ExitCode,
};

use clap::Parser;
use signer_tests::demo::{self, Access, Error, Report, Site};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Where a local service is usually looked for.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
/// Ports that are tried.
const PORTS: u16 = 100;
/// What a shell says of a program that was interrupted.
const INTERRUPTED: u8 = 130;

/// Runs the real host, signerctl and enclave code on this machine, with the Nitro Secure Module and
/// KMS emulated, and shows what works and what is refused. Then the appliance is there to try, until
/// Ctrl-C. Exit status 0: every step was as it must be.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[command(name = "demo", max_term_width = 100)]
struct Arguments {
    /// Where to serve HTTP; port 0 is any free one. [default: 127.0.0.1:8080, or the next free port]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Run all steps, stop everything, and exit.
    #[arg(long)]
    once: bool,
    /// In the end, let requests without a signature use the demo's wallet: for curl and JSON-RPC libraries.
    #[arg(long)]
    open: bool,
    /// One JSON object a step on standard output, for programs.
    #[arg(long)]
    json: bool,
    /// Show the signerctl commands of each step.
    #[arg(long, conflicts_with = "json")]
    verbose: bool,
    /// Keep the folder with keys, configuration, store and logs.
    #[arg(long)]
    keep: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match prepare(&arguments) {
        Ok((site, listen, stop)) => show(&arguments, site, listen, stop).await,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that can be wrong before the first step.
fn prepare(arguments: &Arguments) -> Result<(Site, SocketAddr, Stop), Error> {
    require_programs()?;
    let listen = choose(arguments.listen)?;
    let stop = Stop::new()?;
    Ok((Site::create(arguments.verbose, arguments.keep)?, listen, stop))
}

async fn show(arguments: &Arguments, mut site: Site, listen: SocketAddr, mut stop: Stop) -> ExitCode {
    let mut report = Report::new(arguments.json);
    report.say("Nitro Signer on this machine: real host, real signerctl, real enclave code.");
    report.say("Emulated: the Nitro Secure Module and KMS. Nothing here is signed by AWS.\n");
    let access = if arguments.open { Access::Open } else { Access::Keys };
    let outcome = tokio::select! {
        outcome = demo::run(&site, &mut report, listen, access) => outcome,
        () = stop.requested() => {
            report.say("Interrupted.");
            return ExitCode::from(INTERRUPTED);
        }
    };
    let Ok(mut running) = outcome else {
        site.keep();
        eprintln!("The demo failed. Logs are in {}", site.root().display());
        return ExitCode::FAILURE;
    };
    if site.is_kept() {
        report.say(&format!("\nKept: {}", site.root().display()));
    }
    let mut code = ExitCode::SUCCESS;
    if !arguments.once {
        report.say("\nRunning until Ctrl-C.");
        tokio::select! {
            error = running.supervise(&report) => {
                site.keep();
                eprintln!("error: {error}\nLogs are in {}", site.root().display());
                code = ExitCode::FAILURE;
            }
            () = stop.requested() => {}
        }
    }
    // A second Ctrl-C does not wait for the host to drain.
    tokio::select! {
        () = running.stop() => {}
        () = stop.requested() => {}
    }
    report.say("\nEverything is stopped.");
    code
}

/// The signals that end the demo.
struct Stop {
    hung_up: Signal,
    interrupted: Signal,
    terminated: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hung_up: signal(SignalKind::hangup())?,
            interrupted: signal(SignalKind::interrupt())?,
            terminated: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    async fn requested(&mut self) {
        tokio::select! {
            _ = self.hung_up.recv() => {}
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}

/// The programs must be beside this one.
fn require_programs() -> Result<(), Error> {
    let own = env::current_exe()?;
    for name in ["emulated-enclave", "emulated-kms", "signer-host", "signerctl"] {
        if !own.with_file_name(name).is_file() {
            return Err(
                format!("{name} is not beside {}: run scripts/demo, which builds it", own.display()).into()
            );
        }
    }
    Ok(())
}

/// The address asked for, if it is free, or the first free one from the default on.
fn choose(asked: Option<SocketAddr>) -> Result<SocketAddr, Error> {
    let Some(asked) = asked else {
        let ports = DEFAULT.port()..DEFAULT.port() + PORTS;
        let mut candidates = ports.map(|port| SocketAddr::new(DEFAULT.ip(), port));
        return candidates
            .find(|candidate| TcpListener::bind(candidate).is_ok())
            .ok_or_else(|| format!("no free port from {DEFAULT} on: choose one with --listen").into());
    };
    match TcpListener::bind(asked) {
        Ok(_) => Ok(asked),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(format!(
            "{asked} is taken by another program: choose another with --listen, or leave --listen out"
        )
        .into()),
        Err(error) => Err(format!("cannot listen on {asked}: {error}").into()),
    }
}
