//! The SDK over a connection of our own: one TLS connection a request, to the emulator whatever the name.

use std::net::SocketAddr;
use std::sync::Arc;

use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::{BehaviorVersion, Config, Credentials, Region, StalledStreamProtectionConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::crypto::{SupportedKxGroup, aws_lc_rs};
use rustls::{ClientConfig, NamedGroup, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::kms::PrincipalSpec;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// AWS's own client as `principal`, for a KMS at `address` whose TLS certificate is by `root`: what a parent instance
/// can do by itself.
///
/// Fails if `root` is no certificate of a root.
pub fn sdk_client(
    address: SocketAddr,
    root: &CertificateDer<'static>,
    principal: PrincipalSpec,
    region: &'static str,
) -> Result<Client, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone())?;
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let PrincipalSpec { access_key_id, secret_access_key, session_token, .. } = principal;
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "given");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .endpoint_url("https://kms.us-east-1.amazonaws.com")
        .http_client(Direct { address, tls: Arc::new(tls) })
        .build();
    Ok(Client::from_conf(config))
}

/// Connects to one address, whatever the name: a connection for each request.
#[derive(Clone, Debug)]
struct Direct {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl HttpClient for Direct {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Direct {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(async move { connector.exchange(request).await.map_err(ConnectorError::io) })
    }
}

impl Direct {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let mut request = request.try_into_http1x()?;
        let host = request.uri().host().ok_or("the URI has no host")?.to_owned();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.clone())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        let group = stream.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
        if group != Some(NamedGroup::X25519MLKEM768) {
            return Err(format!("the key exchange is not post-quantum: {group:?}").into());
        }
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        request.headers_mut().entry("host").or_insert(host.parse()?);
        *request.uri_mut() = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        let response = sender.send_request(request).await?;
        Ok(HttpResponse::try_from(response.map(SdkBody::from_body_1_x))?)
    }
}
