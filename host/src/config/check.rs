//! Each value of the file, checked once; errors name the key and say what to write.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use signer_shared::{address::Address, frame::MAX_FRAME};

use super::{
    Authority, Config, ConfigError, Credentials, CredentialsSource, Enclave, Events, Http, KmsTunnel, Log,
    LogFormat, Store,
    file::{self, File},
};

/// What a frame needs beside the request's body: path, headers, sealed objects.
const FRAME_RESERVE: usize = 1024 * 1024;

/// An hour: longer timeouts are mistakes.
const LONGEST_S: u32 = 3600;

/// The whole file.
pub(super) fn config(file: File, folder: &Path) -> Result<Config, ConfigError> {
    Ok(Config {
        authority: authority(file.authority, folder)?,
        store: Store::Directory(path(
            "store.directory",
            file.store.directory,
            folder,
            "a directory for sealed objects",
        )?),
        http: http(&file.http)?,
        enclave: Enclave {
            address: address("enclave.address", &file.enclave.address)?,
            connections: count("enclave.connections", file.enclave.connections, 1, 64)?,
        },
        kms_tunnel: kms_tunnel(file.kms_tunnel)?,
        credentials: credentials(file.credentials)?,
        events: Events {
            listen: address("events.listen", &file.events.listen)?,
            max_per_second: within("events.max_per_second", file.events.max_per_second, 1, 100_000)?,
        },
        log: log(&file.log)?,
    })
}

fn http(file: &file::Http) -> Result<Http, ConfigError> {
    let listen = file
        .listen
        .parse()
        .map_err(|_| value("http.listen", "is not an address: write IP:PORT, for example 0.0.0.0:8080"))?;
    let most = u32::try_from(MAX_FRAME - FRAME_RESERVE).unwrap_or(u32::MAX);
    Ok(Http {
        listen,
        max_connections: count("http.max_connections", file.max_connections, 1, 100_000)?,
        max_body_bytes: count("http.max_body_bytes", file.max_body_bytes, 1024, most)?,
        queue: count("http.queue", file.queue, 1, 100_000)?,
        header_timeout: seconds("http.header_timeout_s", file.header_timeout_s)?,
        body_timeout: seconds("http.body_timeout_s", file.body_timeout_s)?,
        request_timeout: seconds("http.request_timeout_s", file.request_timeout_s)?,
        drain: seconds("http.drain_s", file.drain_s)?,
    })
}

fn authority(file: file::Authority, folder: &Path) -> Result<Authority, ConfigError> {
    Ok(Authority {
        configuration: path(
            "authority.configuration",
            file.configuration,
            folder,
            "the path of the signed configuration",
        )?,
        policy_bundle: path(
            "authority.policy_bundle",
            file.policy_bundle,
            folder,
            "the path of the first signed policy bundle",
        )?,
        policy_poll: seconds("authority.policy_poll_s", file.policy_poll_s)?,
    })
}

fn kms_tunnel(file: file::KmsTunnel) -> Result<KmsTunnel, ConfigError> {
    const ALLOW: &str = "kms_tunnel.allow";
    const CONNECT_TO: &str = "kms_tunnel.connect_to";
    if file.allow.is_empty() {
        return Err(value(
            ALLOW,
            "is missing: write the KMS endpoints, for example [\"kms.us-east-1.amazonaws.com:443\"]",
        ));
    }
    let mut routes = BTreeMap::new();
    for target in file.allow {
        host_and_port(ALLOW, &target)?;
        routes.insert(target.clone(), target);
    }
    for (target, instead) in file.connect_to {
        host_and_port(CONNECT_TO, &instead)?;
        let Some(route) = routes.get_mut(&target) else {
            return Err(value(
                CONNECT_TO,
                format!("redirects {target:?}, which is not allowed: write it in {ALLOW} too"),
            ));
        };
        *route = instead;
    }
    Ok(KmsTunnel {
        listen: address("kms_tunnel.listen", &file.listen)?,
        routes,
        max_tunnels: count("kms_tunnel.max_tunnels", file.max_tunnels, 1, 10_000)?,
        connect_timeout: seconds("kms_tunnel.connect_timeout_s", file.connect_timeout_s)?,
        idle_timeout: seconds("kms_tunnel.idle_timeout_s", file.idle_timeout_s)?,
    })
}

fn credentials(file: file::Credentials) -> Result<Credentials, ConfigError> {
    let listen = address("credentials.listen", &file.listen)?;
    let needed =
        |key: &str| value(key, "is missing: source = \"static\" needs it; write it, or source = \"aws\"");
    let source = match file.source.as_str() {
        "static" => CredentialsSource::Static {
            access_key_id: file.access_key_id.ok_or_else(|| needed("credentials.access_key_id"))?,
            secret_access_key: file
                .secret_access_key
                .ok_or_else(|| needed("credentials.secret_access_key"))?,
            session_token: file.session_token,
        },
        "aws" => {
            let unused = [
                ("credentials.access_key_id", file.access_key_id.is_some()),
                ("credentials.secret_access_key", file.secret_access_key.is_some()),
                ("credentials.session_token", file.session_token.is_some()),
            ];
            if let Some((key, _)) = unused.into_iter().find(|(_, set)| *set) {
                return Err(value(
                    key,
                    "is used only with source = \"static\": write that, or remove the key",
                ));
            }
            CredentialsSource::Aws
        }
        _ => return Err(value("credentials.source", "is unknown: write \"aws\" or \"static\"")),
    };
    Ok(Credentials { listen, source })
}

fn log(file: &file::Log) -> Result<Log, ConfigError> {
    let format = match file.format.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        _ => return Err(value("log.format", "is unknown: write \"text\" or \"json\"")),
    };
    let level = match file.level.as_str() {
        "error" => tracing::Level::ERROR,
        "warn" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        "trace" => tracing::Level::TRACE,
        _ => {
            return Err(value(
                "log.level",
                "is unknown: write \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
            ));
        }
    };
    Ok(Log { format, level })
}

fn value(key: &str, message: impl Into<String>) -> ConfigError {
    ConfigError::Value { key: key.to_owned(), message: message.into() }
}

fn within(key: &str, number: u32, least: u32, most: u32) -> Result<u32, ConfigError> {
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(value(key, format!("is {number}: write a number from {least} to {most}")))
    }
}

fn count(key: &str, number: u32, least: u32, most: u32) -> Result<usize, ConfigError> {
    let number = within(key, number, least, most)?;
    usize::try_from(number).map_err(|_| value(key, "is too large for this machine: write a smaller number"))
}

fn seconds(key: &str, number: u32) -> Result<Duration, ConfigError> {
    within(key, number, 1, LONGEST_S).map(|number| Duration::from_secs(number.into()))
}

fn address(key: &str, text: &str) -> Result<Address, ConfigError> {
    text.parse().map_err(|error| value(key, format!("cannot be used: {error}")))
}

fn path(key: &str, given: Option<PathBuf>, folder: &Path, what: &str) -> Result<PathBuf, ConfigError> {
    match given {
        Some(given) if !given.as_os_str().is_empty() => Ok(folder.join(given)),
        _ => Err(value(key, format!("is missing: write {what}"))),
    }
}

/// `host:port` in the one spelling that is compared with what the enclave asks for.
fn host_and_port(key: &str, text: &str) -> Result<(), ConfigError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let valid = text.rsplit_once(':').is_some_and(|(host, port)| {
        let number =
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
        !host.is_empty() && host.bytes().all(plain) && number
    });
    if valid {
        Ok(())
    } else {
        Err(value(
            key,
            format!(
                "has {text:?}: write host:port in lower case, for example \"kms.us-east-1.amazonaws.com:443\""
            ),
        ))
    }
}
