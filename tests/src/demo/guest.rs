//! What the enclave of an appliance is: a process with emulated devices, or an image in a machine of QEMU's.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::Duration,
};

use signer_shared::address::port;

use super::{
    Site,
    kms::start_apart,
    qemu::{Machine, Tools},
};
use crate::stack::Process;

/// How an enclave is started.
#[derive(Clone, Debug)]
pub(super) enum Guest {
    /// The enclave's library in a process of this machine, with a software NSM.
    Process {
        /// The executable.
        program: PathBuf,
        /// The authorities in place of AWS's.
        aws: PathBuf,
        /// The roots that it believes KMS by.
        kms_roots: PathBuf,
    },
    /// An image in QEMU's machine `nitro-enclave`.
    Image {
        /// The EIF.
        eif: PathBuf,
        /// What boots it.
        tools: Tools,
    },
}

/// A started enclave, killed when it is dropped.
#[derive(Debug)]
pub(super) enum Started {
    Process(Process),
    Machine(Machine),
}

impl Guest {
    /// An executable, under the authorities of a site.
    pub(super) fn process(site: &Site, program: PathBuf) -> Self {
        Self::Process { program, aws: site.aws(), kms_roots: site.kms_roots() }
    }

    /// Starts it, with its sockets in a folder.
    pub(super) fn start(&self, folder: &Path) -> Started {
        match self {
            Self::Process { program, aws, kms_roots } => {
                let mut command = Command::new(program);
                command.arg("--authority-dir").arg(aws).arg("--sockets").arg(folder);
                command.arg("--kms-roots").arg(kms_roots);
                Started::Process(start_apart(command, &folder.join("enclave.log")))
            }
            Self::Image { eif, tools } => Started::Machine(Machine::start(tools, eif, folder)),
        }
    }

    /// Where host and enclave meet, as the host's configuration writes it.
    pub(super) fn address(&self, folder: &Path, port: u32) -> String {
        match self {
            Self::Process { .. } => format!("unix:{}", folder.join(socket(port)).display()),
            Self::Image { .. } => format!("vsock-uds:{}:{port}", Machine::socket(folder).display()),
        }
    }

    /// Whether its attestation documents are signed: QEMU's are not.
    pub(super) fn proves_itself(&self) -> bool {
        matches!(self, Self::Process { .. })
    }

    /// The longest that anything is waited for. Without hardware virtualisation, code of a machine runs some twenty times
    /// slower.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Process { .. } => Duration::from_secs(30),
            Self::Image { .. } => Duration::from_mins(5),
        }
    }
}

impl Started {
    /// Waits for it to end by itself.
    pub(super) async fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        match self {
            Self::Process(process) => process.wait(limit).await,
            Self::Machine(machine) => machine.wait(limit).await,
        }
    }
}

/// The sockets that an emulated enclave expects in its folder.
fn socket(port: u32) -> &'static str {
    match port {
        port::API => "enclave.sock",
        port::KMS_TUNNEL => "kms.sock",
        port::CREDENTIALS => "credentials.sock",
        _ => "events.sock",
    }
}
