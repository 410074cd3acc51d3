//! Asks the enclave every second who and how it is.
//!
//! A closed connection is noticed at once; this notices an enclave that still holds its connections
//! and no longer answers, and it is where the host learns of phases and policy versions.

use std::time::Duration;

use signer_shared::message::{Request, Response};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::{CallError, EnclaveLink};
use crate::lifecycle::Stop;

const PERIOD: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(10);

impl EnclaveLink {
    /// Keeps [`super::LinkState`] true until the host stops.
    pub async fn watch_over(self, stop: Stop) {
        let beating = async {
            let mut ticks = interval(PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => (),
                    () = self.shared.beat_now.notified() => (),
                }
                self.beat().await;
                self.shared.deaths.tick();
            }
        };
        stop.or(beating).await;
    }

    async fn beat(&self) {
        match self.call(Request::Status {}, Instant::now() + ANSWER_LIMIT).await {
            Ok(Response::Status(status)) => self.set_status(status),
            // One connection ended under the question; another is asked soon.
            Err(CallError::Lost) if self.is_connected() => {
                sleep(AGAIN).await;
                self.refresh();
            }
            Err(CallError::Lost | CallError::NotConnected) => (),
            Ok(_) => {
                self.set_problem("enclave_silent", "the enclave does not say how it is".to_owned());
                self.drop_connections();
            }
            Err(error) => {
                self.set_problem("enclave_silent", format!("no answer to a heartbeat: {error}"));
                self.drop_connections();
            }
        }
    }
}
