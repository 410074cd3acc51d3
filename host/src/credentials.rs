//! AWS credentials for the enclave's KMS calls.
//!
//! They are the instance role's, which the whole parent instance has: no secret from the host, and
//! no secret of the enclave's. KMS releases keys to attested enclaves only, whoever signs the call.
//! They are never logged, here or by their type.

use std::{
    error::Error,
    iter,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_config::BehaviorVersion;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use signer_shared::{
    frame,
    message::PROTOCOL,
    service::{Credentials, CredentialsRequest, CredentialsResponse},
};
use signer_transport::{Listener, ReadError, Stream, read_body, read_header, write_frame};
use tokio::{sync::Mutex, time::timeout};
use tracing::{info, warn};

use crate::{accept, config::CredentialsSource, enclave_events::escaped, lifecycle::Stop};

const MAX_CONNECTIONS: usize = 16;

/// The request has one number in it.
const MAX_REQUEST: usize = 256;

/// For the rest of a request once it has begun, and for taking the answer.
const IO_LIMIT: Duration = Duration::from_secs(10);

/// For the AWS chain to answer.
const PROVIDER_LIMIT: Duration = Duration::from_secs(10);

/// How long credentials without an expiry of their own are said to last, so that they refresh.
const STATIC_LIFE: Duration = Duration::from_mins(15);

/// Kept credentials are replaced this long before they expire.
const REFRESH_BEFORE: Duration = Duration::from_mins(5);

/// Answers the enclave's requests for credentials.
#[derive(Clone)]
pub struct CredentialsService {
    source: Arc<Source>,
}

enum Source {
    Static(CredentialsSource),
    Aws(Mutex<Chain>),
}

/// The AWS chain, loaded when first needed: outside AWS, looking for a role takes seconds.
#[derive(Default)]
struct Chain {
    provider: Option<SharedCredentialsProvider>,
    kept: Option<Credentials>,
}

impl CredentialsService {
    /// A service of one source.
    pub fn new(source: CredentialsSource) -> Self {
        let source = match source {
            CredentialsSource::Aws => Source::Aws(Mutex::default()),
            fixed @ CredentialsSource::Static { .. } => Source::Static(fixed),
        };
        Self { source: Arc::new(source) }
    }

    /// Serves until told to stop.
    pub async fn serve(self, listener: Listener, stop: Stop) {
        let answer = |stream| self.clone().answer(stream);
        accept::serve("credentials", listener, MAX_CONNECTIONS, stop, answer).await;
    }

    async fn answer(self, mut stream: Stream) {
        loop {
            // No deadline between requests: the enclave asks as rarely as credentials expire.
            let length = match read_header(&mut stream).await {
                Ok(length) if length <= MAX_REQUEST => length,
                Ok(_) => {
                    return warn!(code = "credentials_malformed", "a request for credentials is too long");
                }
                Err(ReadError::Closed) => return,
                Err(error) => return warn!(code = "credentials_malformed", "{error}"),
            };
            let Ok(Ok(body)) = timeout(IO_LIMIT, read_body(&mut stream, length)).await else { return };
            let response = match frame::decode(&body) {
                Ok(CredentialsRequest { protocol: PROTOCOL }) => self.get().await,
                Ok(CredentialsRequest { protocol }) => CredentialsResponse::Unavailable {
                    reason: format!("the enclave speaks protocol {protocol}, the host {PROTOCOL}"),
                },
                Err(error) => return warn!(code = "credentials_malformed", "{error}"),
            };
            if let CredentialsResponse::Unavailable { reason } = &response {
                warn!(code = "credentials_unavailable", "no AWS credentials for the enclave: {reason}");
            }
            let Ok(frame) = frame::encode(&response) else {
                return warn!(code = "credentials_unavailable", "the credentials do not fit a frame");
            };
            if !matches!(timeout(IO_LIMIT, write_frame(&mut stream, &frame)).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn get(&self) -> CredentialsResponse {
        match &*self.source {
            Source::Static(CredentialsSource::Static { access_key_id, secret_access_key, session_token }) => {
                CredentialsResponse::Credentials(Credentials {
                    access_key_id: access_key_id.clone(),
                    secret_access_key: secret_access_key.expose().to_owned(),
                    session_token: session_token.as_ref().map(|token| token.expose().to_owned()),
                    expires_at_ms: unix_ms(SystemTime::now() + STATIC_LIFE),
                })
            }
            Source::Static(CredentialsSource::Aws) => {
                CredentialsResponse::Unavailable { reason: "no source".to_owned() }
            }
            Source::Aws(chain) => {
                let asking = async { chain.lock().await.get().await };
                let answer = timeout(PROVIDER_LIMIT, asking).await;
                match answer.unwrap_or_else(|_| Err("the AWS chain did not answer in time".to_owned())) {
                    Ok(credentials) => CredentialsResponse::Credentials(credentials),
                    Err(reason) => CredentialsResponse::Unavailable { reason },
                }
            }
        }
    }
}

impl Chain {
    async fn get(&mut self) -> Result<Credentials, String> {
        let now = SystemTime::now();
        let worth_keeping = unix_ms(now + REFRESH_BEFORE);
        if let Some(kept) = self.kept.as_ref().filter(|kept| kept.expires_at_ms > worth_keeping) {
            return Ok(kept.clone());
        }
        let provider = if let Some(provider) = &self.provider {
            provider.clone()
        } else {
            let loaded = aws_config::defaults(BehaviorVersion::latest()).load().await;
            let provider = loaded.credentials_provider().ok_or("the AWS chain has no provider")?;
            self.provider.insert(provider).clone()
        };
        let found = provider.provide_credentials().await.map_err(|error| with_sources(&error))?;
        let credentials = Credentials {
            access_key_id: found.access_key_id().to_owned(),
            secret_access_key: found.secret_access_key().to_owned(),
            session_token: found.session_token().map(str::to_owned),
            expires_at_ms: unix_ms(found.expiry().unwrap_or(now + STATIC_LIFE)),
        };
        info!(
            code = "credentials_refreshed",
            expires_at_ms = credentials.expires_at_ms,
            "new AWS credentials"
        );
        self.kept = Some(credentials.clone());
        Ok(credentials)
    }
}

/// The texts of an error and of what caused it: they name the sources that failed, and have no
/// credentials in them.
fn with_sources(error: &(dyn Error + 'static)) -> String {
    let causes = iter::successors(Some(error), |&error| error.source());
    let texts: Vec<_> = causes.take(8).map(ToString::to_string).collect();
    escaped(&texts.join(": "), 500)
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use signer_transport::{dial, read_frame};
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::{config::Secret, lifecycle::Stopper};

    async fn ask(stream: &mut Stream, protocol: u16) -> CredentialsResponse {
        let request = frame::encode(&CredentialsRequest { protocol }).unwrap();
        write_frame(stream, &request).await.unwrap();
        frame::decode(&read_frame(stream).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn static_credentials_are_handed_over_frame_by_frame() {
        let path = std::env::temp_dir().join(format!("signer-credentials-{}", crate::random::hex()));
        let address = signer_shared::address::Address::Unix(path.clone());
        let listener = Listener::bind(&address).await.unwrap();
        let stopper = Stopper::default();
        let service = CredentialsService::new(CredentialsSource::Static {
            access_key_id: "id".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
        });
        let serving = tokio::spawn(service.serve(listener, stopper.stop()));
        let mut stream = dial(&address, IO_LIMIT).await.unwrap();
        for _ in 0..2 {
            let CredentialsResponse::Credentials(found) = ask(&mut stream, PROTOCOL).await else {
                panic!("no credentials");
            };
            assert_eq!((found.access_key_id.as_str(), found.secret_access_key.as_str()), ("id", "secret"));
            assert!(found.expires_at_ms > unix_ms(SystemTime::now()));
        }
        assert!(matches!(ask(&mut stream, 99).await, CredentialsResponse::Unavailable { .. }));
        stream.write_all(&[0, 0x10, 0, 0]).await.unwrap();
        assert!(read_frame(&mut stream).await.is_err(), "a long request ends the connection");
        stopper.stop_all();
        serving.await.unwrap();
        std::fs::remove_file(path).unwrap();
    }
}
