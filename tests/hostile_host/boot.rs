//! A host starts enclaves in places that are no place to hold keys in.

use std::time::Duration;

use signer_tests::stack::{Host, Stack, StackOptions};
use tokio::time::sleep;

async fn does_not_start(flag: &str) {
    let options =
        StackOptions { without_host: true, enclave_flags: vec![flag.to_owned()], ..StackOptions::default() };
    let mut stack = Stack::start(options).await;
    let socket = stack.enclave_socket();
    let listening = async {
        while Host::connect(&socket).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        success = stack.enclave_exit() => assert!(!success),
        () = listening => panic!("it listens"),
    }
    assert!(!socket.exists(), "it never listened");
}

/// Attack: start the image in debug mode, where its memory can be read. Defence: PCR0 to PCR2 are zero
/// then, and the enclave ends (and its measurements are not those of any key policy).
#[tokio::test(flavor = "multi_thread")]
async fn hostile_debug_mode_ends_the_enclave() {
    does_not_start("--debug-mode").await;
}

/// Attack: something before the enclave's program has used PCR16. Defence: the enclave ends.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_use_of_the_configuration_register_ends_the_enclave() {
    does_not_start("--touched").await;
}
