//! Whether a load balancer should send requests here, and if not, why.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use signer_shared::message::Phase;

use crate::enclave_link::{EnclaveLink, LinkState};

/// The host's health.
#[derive(Clone, Debug)]
pub struct Health {
    link: EnclaveLink,
    draining: Arc<AtomicBool>,
    started: Instant,
}

impl Health {
    /// Ready as soon as the enclave behind `link` is.
    pub fn new(link: EnclaveLink) -> Self {
        Self { link, draining: Arc::default(), started: Instant::now() }
    }

    /// Unready from now on: the host is stopping.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether this host is ready to sign; if not, why not, in a sentence.
    pub fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("this host is stopping".to_owned());
        }
        if self.link.is_ready() { Ok(()) } else { Err(reason(&self.link.state())) }
    }

    /// Seconds since the start.
    pub fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }
}

/// Callers see the code of a problem; its message is for the operator.
fn reason(state: &LinkState) -> String {
    let what = match state.phase() {
        None => "there is no enclave",
        Some(Phase::Booting) => "the enclave is not provisioned yet",
        Some(Phase::Configured) => "the enclave has no open keyring yet",
        Some(Phase::Ready) => "the enclave has just become ready",
    };
    match &state.problem {
        Some(problem) => format!("{what} ({})", problem.code),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::last_death::Deaths;

    #[test]
    fn without_an_enclave_and_while_stopping_it_is_not_ready() {
        let health = Health::new(EnclaveLink::new("unix:/nowhere".parse().unwrap(), 1, Deaths::default()));
        assert_eq!(health.ready().unwrap_err(), "there is no enclave");
        health.drain();
        assert_eq!(health.ready().unwrap_err(), "this host is stopping");
    }
}
