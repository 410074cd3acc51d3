//! Where the two sides meet: addresses and the table of ports.

use std::{fmt, path::PathBuf, str::FromStr};

/// The ports of the appliance, on both sides of vsock.
///
/// | port | listens | dials | carries |
/// | --- | --- | --- | --- |
/// | 5000 | enclave | host | [`crate::message`]: the API |
/// | 5001 | host | enclave | an HTTP `CONNECT` tunnel to KMS; TLS ends in the enclave |
/// | 5002 | host | enclave | [`crate::service::CredentialsRequest`]: AWS credentials |
/// | 5003 | host | enclave, init | [`crate::service::Event`]: the enclave's structured log, [`crate::last_words`] |
/// | 9000 | nitro-cli | init | a heartbeat: 0xB7 and 0xB7 back |
pub mod port {
    /// The enclave's API, dialled by the host.
    pub const API: u32 = 5000;
    /// The host's tunnel to KMS, dialled by the enclave.
    pub const KMS_TUNNEL: u32 = 5001;
    /// The host's credentials service, dialled by the enclave.
    pub const CREDENTIALS: u32 = 5002;
    /// The host's sink for enclave events, dialled by the enclave.
    pub const EVENTS: u32 = 5003;
    /// Where nitro-cli waits for a sign of life, dialled by whatever init the image has.
    pub const HEARTBEAT: u32 = 9000;
}

/// The CID that means "any" when listening (`VMADDR_CID_ANY`).
pub const CID_ANY: u32 = u32::MAX;

/// The CID of the parent instance on Nitro.
pub const CID_NITRO_PARENT: u32 = 3;

/// The kernel command line names no usable CID.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the kernel command line's nitro_signer.parent_cid is not a CID")]
pub struct ParentCidError;

/// The parent's CID: `nitro_signer.parent_cid=N` of the kernel command line, the last one if there
/// are several, 3 if there is none. On Nitro the command line is measured into PCR0 and PCR1.
pub fn parent_cid(command_line: &str) -> Result<u32, ParentCidError> {
    let mut values = command_line
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix("nitro_signer.parent_cid="));
    match values.next_back() {
        None => Ok(CID_NITRO_PARENT),
        Some(value) => value.parse().ok().filter(|cid| (2..u32::MAX).contains(cid)).ok_or(ParentCidError),
    }
}

/// A stream address, in one of three forms:
///
/// - `vsock://CID:PORT`, where CID is a number or `any`;
/// - `unix:PATH`;
/// - `vsock-uds:PATH:PORT`, hybrid vsock as Firecracker, Cloud Hypervisor and vhost-device-vsock
///   speak it: dialling connects `PATH` and sends `CONNECT PORT`, listening binds `PATH_PORT`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// An `AF_VSOCK` socket.
    Vsock {
        /// Context identifier of the machine.
        cid: u32,
        /// Port on that machine.
        port: u32,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// A Unix socket that multiplexes vsock ports.
    VsockUds {
        /// The socket of the virtual machine monitor.
        path: PathBuf,
        /// The vsock port behind it.
        port: u32,
    },
}

/// Why a text is no [`Address`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address: write vsock://CID:PORT, unix:PATH or vsock-uds:PATH:PORT")]
pub struct AddressError {
    text: String,
}

impl Address {
    /// The socket file that listening on this address binds, if it is one.
    pub fn socket_file(&self) -> Option<PathBuf> {
        match self {
            Self::Vsock { .. } => None,
            Self::Unix(path) => Some(path.clone()),
            Self::VsockUds { path, port } => {
                let mut name = path.clone().into_os_string();
                name.push(format!("_{port}"));
                Some(name.into())
            }
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| AddressError { text: text.to_owned() })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vsock { cid: CID_ANY, port } => write!(f, "vsock://any:{port}"),
            Self::Vsock { cid, port } => write!(f, "vsock://{cid}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::VsockUds { path, port } => write!(f, "vsock-uds:{}:{port}", path.display()),
        }
    }
}

fn parse(text: &str) -> Option<Address> {
    if let Some(rest) = text.strip_prefix("vsock://") {
        let (cid, port) = rest.split_once(':')?;
        let cid = if cid == "any" { CID_ANY } else { number(cid)? };
        return Some(Address::Vsock { cid, port: number(port)? });
    }
    if let Some(rest) = text.strip_prefix("vsock-uds:") {
        let (path, port) = rest.rsplit_once(':')?;
        return (!path.is_empty())
            .then_some(())
            .and(number(port))
            .map(|port| Address::VsockUds { path: path.into(), port });
    }
    let path = text.strip_prefix("unix:")?;
    (!path.is_empty()).then(|| Address::Unix(path.into()))
}

/// Digits only: `u32::from_str` alone would also take a plus sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_round_trips() {
        for text in
            ["vsock://16:5000", "vsock://any:5001", "unix:/run/enclave.sock", "vsock-uds:/run/v.sock:5000"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn hybrid_vsock_listens_beside_its_socket() {
        let address: Address = "vsock-uds:/run/v.sock:5001".parse().unwrap();
        assert_eq!(address.socket_file().unwrap(), PathBuf::from("/run/v.sock_5001"));
    }

    #[test]
    fn the_parents_cid_comes_from_the_command_line() {
        assert_eq!(parent_cid("reboot=k panic=30"), Ok(3));
        assert_eq!(parent_cid("a nitro_signer.parent_cid=2 b\n"), Ok(2));
        assert_eq!(parent_cid("nitro_signer.parent_cid=3 nitro_signer.parent_cid=2"), Ok(2));
        for bad in ["", "x", "-1", "1", "4294967295", "4294967296"] {
            assert_eq!(parent_cid(&format!("nitro_signer.parent_cid={bad}")), Err(ParentCidError), "{bad}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "vsock://",
            "vsock://3",
            "vsock://+3:1",
            "vsock://3:",
            "vsock://3:4294967296",
            "unix:",
            "vsock-uds::1",
            "vsock-uds:/a",
            "tcp://1:2",
            "3:5000",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }
}
