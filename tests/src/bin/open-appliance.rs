//! A whole appliance whose rules allow everything, for programs that test clients. `scripts/test-clients` runs it.

use std::{
    io::{self, Read as _, Write as _},
    thread,
};

use serde_json::json;
use signer_tests::stack::Stack;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

/// Prints one line of JSON with the appliance's URL, and runs until standard input ends or SIGTERM.
#[tokio::main]
async fn main() -> io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut stack = Stack::start_ready().await;
    let created = stack.post("/v1/wallets", &json!({"name": "treasury", "kind": "hd"})).await;
    let wallet = created.json;
    let url = format!("http://{}", stack.address());
    writeln!(io::stdout(), "{}", json!({"url": url, "wallet": wallet}))?;
    tokio::select! {
        _ = input_ended() => {}
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    stack.stop_host().await;
    Ok(())
}

/// On a thread of its own: the runtime would wait for a read that never ends.
fn input_ended() -> oneshot::Receiver<()> {
    let (ended, receiver) = oneshot::channel();
    thread::spawn(move || {
        drop(io::stdin().read_to_end(&mut Vec::new()));
        ended.send(())
    });
    receiver
}
