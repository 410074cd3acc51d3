//! Text to a valid [`Config`], once.
//!
//! Nothing later in the host checks a setting again or falls back to a default: what is in a
//! [`Config`] is usable. `example.toml` explains every key.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use signer_shared::address::Address;

mod check;
mod file;

pub use file::Secret;

/// The host's settings, all checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The public HTTP listener.
    pub http: Http,
    /// The way to the enclave.
    pub enclave: Enclave,
    /// What the enclave is provisioned with.
    pub authority: Authority,
    /// Where sealed objects are kept.
    pub store: Store,
    /// The enclave's way to KMS.
    pub kms_tunnel: KmsTunnel,
    /// The enclave's AWS credentials.
    pub credentials: Credentials,
    /// The enclave's log.
    pub events: Events,
    /// The host's own log.
    pub log: Log,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Connections served at once; more wait in the accept backlog.
    pub max_connections: usize,
    /// The largest request body.
    pub max_body_bytes: usize,
    /// Requests under way to the enclave at once; more are answered 429.
    pub queue: usize,
    /// For a whole request head, and for an idle connection between requests.
    pub header_timeout: Duration,
    /// For a whole request body.
    pub body_timeout: Duration,
    /// For the enclave and the store to answer.
    pub request_timeout: Duration,
    /// For requests under way when the host is told to stop.
    pub drain: Duration,
}

/// `[enclave]`
#[derive(Clone, Debug, PartialEq)]
pub struct Enclave {
    /// Where the enclave listens.
    pub address: Address,
    /// Connections kept open to it.
    pub connections: usize,
}

/// `[authority]`
#[derive(Clone, Debug, PartialEq)]
pub struct Authority {
    /// The signed appliance configuration.
    pub configuration: PathBuf,
    /// The signed policy bundle that is used while the store has none.
    pub policy_bundle: PathBuf,
    /// How often the store is asked for a newer bundle.
    pub policy_poll: Duration,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq)]
pub enum Store {
    /// A directory, for one host or a shared file system.
    Directory(PathBuf),
}

/// `[kms_tunnel]`
#[derive(Clone, Debug, PartialEq)]
pub struct KmsTunnel {
    /// Where the enclave finds the tunnel.
    pub listen: Address,
    /// The `host:port` that the enclave may ask for, and where each is connected to.
    pub routes: BTreeMap<String, String>,
    /// Tunnels open at once.
    pub max_tunnels: usize,
    /// For the name look-up and the TCP connection.
    pub connect_timeout: Duration,
    /// A tunnel in which nothing moves for this long is closed.
    pub idle_timeout: Duration,
}

/// `[credentials]`
#[derive(Clone, Debug, PartialEq)]
pub struct Credentials {
    /// Where the enclave finds the service.
    pub listen: Address,
    /// Where the credentials come from.
    pub source: CredentialsSource,
}

/// Where AWS credentials come from.
#[derive(Clone, Debug, PartialEq)]
pub enum CredentialsSource {
    /// The AWS default chain: the instance role in production.
    Aws,
    /// Written in the configuration file; for laptops.
    Static {
        /// The access key id.
        access_key_id: String,
        /// The secret access key.
        secret_access_key: Secret,
        /// The session token of temporary credentials.
        session_token: Option<Secret>,
    },
}

/// `[events]`
#[derive(Clone, Debug, PartialEq)]
pub struct Events {
    /// Where the enclave sends its log.
    pub listen: Address,
    /// Lines a second; the rest are counted.
    pub max_per_second: u32,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    /// How lines look.
    pub format: LogFormat,
    /// The least important level shown.
    pub level: tracing::Level,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Not TOML, or a key that does not exist, or a value of another type.
    // Not the TOML crate's own message: that quotes the line, and the line may hold a secret.
    #[error("line {line}: {message}")]
    Syntax {
        /// Counts from one.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A value that cannot be used, or one that is missing.
    #[error("{key} {message}")]
    Value {
        /// The key with its section.
        key: String,
        /// What is wrong and what to write.
        message: String,
    },
}

impl Config {
    /// Reads and checks a file. Relative paths in it start at the file's own folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// Checks a text. Relative paths in it start at `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, ConfigError> {
        check::config(parse_file(text)?, folder)
    }
}

fn parse_file(text: &str) -> Result<file::File, ConfigError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count().saturating_add(1);
        ConfigError::Syntax { line, message: error.message().to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../example.toml");
    const LEAST: &str = "[authority]\nconfiguration = \"c\"\npolicy_bundle = \"/p\"\n[store]\ndirectory = \"s\"\n\
                         [kms_tunnel]\nallow = [\"kms.us-east-1.amazonaws.com:443\"]\n";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/signer"))
    }

    #[test]
    fn the_least_file_is_enough_and_its_paths_start_at_its_folder() {
        let config = parse(LEAST).unwrap();
        assert_eq!(config.authority.configuration, Path::new("/etc/signer/c"));
        assert_eq!(config.authority.policy_bundle, Path::new("/p"));
        assert_eq!(config.http.header_timeout, Duration::from_secs(75));
        assert_eq!(config.enclave.address.to_string(), "vsock://16:5000");
        assert_eq!(
            config.kms_tunnel.routes["kms.us-east-1.amazonaws.com:443"],
            "kms.us-east-1.amazonaws.com:443"
        );
    }

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        parse(EXAMPLE).unwrap();
        let (example, defaults) = (parse_file(EXAMPLE).unwrap(), file::File::default());
        assert_eq!(example.http, defaults.http);
        assert_eq!(example.enclave, defaults.enclave);
        assert_eq!(example.authority.policy_poll_s, defaults.authority.policy_poll_s);
        assert_eq!(example.credentials, defaults.credentials);
        assert_eq!(example.events, defaults.events);
        assert_eq!(example.log, defaults.log);
        let tunnel = file::KmsTunnel { allow: example.kms_tunnel.allow.clone(), ..Default::default() };
        assert_eq!(example.kms_tunnel, tunnel);
    }

    /// Asks the parser itself for its keys: an unknown one makes it list those it knows.
    fn known_keys(text: &str) -> Vec<String> {
        let message = parse_file(text).unwrap_err().to_string();
        let (_, known) = message.split_once("expected ").unwrap();
        known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_example_explains_every_key() {
        let sections = known_keys("unknown = 1");
        assert_eq!(sections.len(), 8);
        for section in sections {
            let (_, rest) = EXAMPLE.split_once(&format!("\n[{section}]\n")).expect(&section);
            let body = rest.split("\n[").next().unwrap();
            for key in known_keys(&format!("[{section}]\nunknown = 1")) {
                let set = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
                assert!(body.lines().any(set), "{section}.{key} is not in example.toml");
            }
        }
    }

    #[test]
    fn errors_name_the_key_and_say_what_to_write() {
        let changed = |from: &str, to: &str| {
            let text = LEAST.replace(from, to);
            assert_ne!(text, LEAST);
            parse(&text).unwrap_err().to_string()
        };
        assert!(parse("").unwrap_err().to_string().starts_with("authority.configuration is missing"));
        for (section, key, value) in [
            ("http", "listen", "\"localhost\""),
            ("http", "max_body_bytes", "4194304"),
            ("http", "queue", "0"),
            ("http", "drain_s", "100000"),
            ("enclave", "address", "\"16:5000\""),
            ("enclave", "connections", "65"),
            ("credentials", "source", "\"vault\""),
            ("log", "level", "\"loud\""),
            ("log", "format", "\"xml\""),
        ] {
            let message = changed("[authority]", &format!("[{section}]\n{key} = {value}\n[authority]"));
            assert!(message.starts_with(&format!("{section}.{key} ")), "{message}");
            assert!(message.contains("write"), "{message}");
        }
        for allow in ["[]", "[\"https://kms\"]", "[\"kms\"]", "[\"kms:0\"]", "[\"KMS.amazonaws.com:443\"]"] {
            let message = changed("[\"kms.us-east-1.amazonaws.com:443\"]", allow);
            assert!(message.starts_with("kms_tunnel.allow "), "{message}");
        }
        let message =
            changed("[kms_tunnel]", "[kms_tunnel]\nconnect_to = { \"other:443\" = \"127.0.0.1:1\" }");
        assert!(message.starts_with("kms_tunnel.connect_to "), "{message}");
        assert_eq!(
            changed("[store]", "[store]\nfolder = 1"),
            "line 5: unknown field `folder`, expected `directory`"
        );
    }

    #[test]
    fn static_credentials_are_whole_or_refused_and_never_shown() {
        let with = |lines: &str| parse(&format!("{LEAST}[credentials]\n{lines}"));
        assert!(
            with("source = \"static\"").unwrap_err().to_string().starts_with("credentials.access_key_id")
        );
        assert!(
            with("access_key_id = \"A\"").unwrap_err().to_string().starts_with("credentials.access_key_id")
        );
        let config = with(
            "source = \"static\"\naccess_key_id = \"A\"\nsecret_access_key = \"hidden-1\"\nsession_token = \"hidden-2\"",
        );
        assert!(!format!("{:?}", config.unwrap()).contains("hidden"));
    }
}
