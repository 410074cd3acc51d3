//! The configuration file's shape, before any value is checked.
//!
//! Every key is optional here, so that [`super::check`] can say which one is missing and what to
//! write, and the defaults stand in one place. Unknown keys are refused: a misspelt limit that is
//! silently ignored is worse than a host that does not start.

use std::{collections::BTreeMap, fmt, path::PathBuf};

use serde::Deserialize;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct File {
    pub(super) http: Http,
    pub(super) enclave: Enclave,
    pub(super) authority: Authority,
    pub(super) store: Store,
    pub(super) kms_tunnel: KmsTunnel,
    pub(super) credentials: Credentials,
    pub(super) events: Events,
    pub(super) log: Log,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Http {
    pub(super) listen: String,
    pub(super) max_connections: u32,
    pub(super) max_body_bytes: u32,
    pub(super) queue: u32,
    pub(super) header_timeout_s: u32,
    pub(super) body_timeout_s: u32,
    pub(super) request_timeout_s: u32,
    pub(super) drain_s: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Enclave {
    pub(super) address: String,
    pub(super) connections: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Authority {
    pub(super) configuration: Option<PathBuf>,
    pub(super) policy_bundle: Option<PathBuf>,
    pub(super) policy_poll_s: u32,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    pub(super) directory: Option<PathBuf>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct KmsTunnel {
    pub(super) listen: String,
    pub(super) allow: Vec<String>,
    pub(super) connect_to: BTreeMap<String, String>,
    pub(super) max_tunnels: u32,
    pub(super) connect_timeout_s: u32,
    pub(super) idle_timeout_s: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Credentials {
    pub(super) listen: String,
    pub(super) source: String,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key: Option<Secret>,
    pub(super) session_token: Option<Secret>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Events {
    pub(super) listen: String,
    pub(super) max_per_second: u32,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
}

/// A text that no log or error shows.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that hands it on.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            max_connections: 1024,
            max_body_bytes: 1024 * 1024,
            queue: 256,
            header_timeout_s: 75,
            body_timeout_s: 30,
            request_timeout_s: 30,
            drain_s: 20,
        }
    }
}

impl Default for Enclave {
    fn default() -> Self {
        Self { address: "vsock://16:5000".to_owned(), connections: 4 }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self { configuration: None, policy_bundle: None, policy_poll_s: 5 }
    }
}

impl Default for KmsTunnel {
    fn default() -> Self {
        Self {
            listen: "vsock://any:5001".to_owned(),
            allow: Vec::new(),
            connect_to: BTreeMap::new(),
            max_tunnels: 64,
            connect_timeout_s: 10,
            idle_timeout_s: 120,
        }
    }
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            listen: "vsock://any:5002".to_owned(),
            source: "aws".to_owned(),
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
        }
    }
}

impl Default for Events {
    fn default() -> Self {
        Self { listen: "vsock://any:5003".to_owned(), max_per_second: 200 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "text".to_owned(), level: "info".to_owned() }
    }
}
