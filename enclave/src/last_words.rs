//! What a dying enclave still says: a line on the console, and why it ends to the host.
//!
//! A panic says where, never what: its message can carry data. Under the init of our own images the
//! host hears of the same death twice; under nitro-cli's this is all it hears.

use std::{
    fmt::Display,
    panic::{PanicHookInfo, set_hook},
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};

use signer_shared::{
    address::Address,
    frame,
    last_words::{Cause, LastWords, MAX_DETAIL, Reporter},
};
use signer_transport::send_and_forget;

use crate::platform::{Platform, RunError, run};

/// For each step of telling the host, which may be gone or hostile.
const LIMIT: Duration = Duration::from_millis(500);
/// Longer than telling the host takes in all.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Runs an enclave to its end, of which it tells the console and the host. The program has to end with
/// this: from here on a panic of any thread ends it too.
pub async fn run_and_tell(platform: Platform) -> RunError {
    let (host, started) = (platform.events.clone(), Instant::now());
    on_panic(host.clone(), started);
    let error = run(platform).await;
    on_console(&error);
    tell(&host, started, Cause::Error, &error);
    error
}

/// One line on the console, which is all there is until an enclave has a host.
#[expect(clippy::print_stderr, reason = "the console is the only place left")]
pub fn on_console(cause: &dyn Display) {
    eprintln!("nitro-signer: {cause}");
}

/// Until an enclave has a host: panics on the console.
pub fn quiet_panics() {
    set_hook(Box::new(|info| on_console(&format_args!("panic at {}", place(info)))));
}

/// Panics on the console and to the host. After one the program ends within [`LONG_ENOUGH`], whatever
/// the host does: until then other threads go on, and what they answer is as right as before.
fn on_panic(host: Address, started: Instant) {
    // A second thread that panics must not end the program under the first one's words.
    static SPEAKING: AtomicBool = AtomicBool::new(false);
    set_hook(Box::new(move |info| {
        if SPEAKING.swap(true, Ordering::Relaxed) {
            sleep(LONG_ENOUGH);
            std::process::abort();
        }
        let place = place(info);
        on_console(&format_args!("panic at {place}"));
        let end = || {
            sleep(LONG_ENOUGH);
            std::process::abort();
        };
        // Without someone who ends it, it ends without words.
        if thread::Builder::new().spawn(end).is_ok() {
            tell(&host, started, Cause::Panic, &place);
        }
        std::process::abort();
    }));
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location().map(ToString::to_string).unwrap_or_default()
}

/// Blocks for [`LONG_ENOUGH`] at most. Whether it succeeds changes nothing.
fn tell(host: &Address, started: Instant, cause: Cause, detail: &dyn Display) {
    let detail = detail.to_string().chars().take(MAX_DETAIL).collect();
    let words = LastWords { reporter: Reporter::Enclave, cause, detail: Some(detail) };
    let uptime_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if let Ok(frame) = frame::encode(&words.to_event(uptime_ms)) {
        drop(send_and_forget(host, &frame, LIMIT));
    }
}
