//! What a parent instance can do by itself: call KMS with its role's credentials, through AWS's SDK.

use std::{net::SocketAddr, sync::Arc};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig},
};
use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Error;
use crate::kms::PrincipalSpec;

/// The region of the demo.
pub(super) const REGION: &str = "us-east-1";
/// The account of the instances and of the KMS key.
pub(super) const ACCOUNT: &str = "111122223333";
/// The instances' role.
pub(super) const ROLE: &str = "arn:aws:iam::111122223333:role/signer-instance";

/// The credentials that an instance gets from its metadata service.
pub(super) fn credentials() -> PrincipalSpec {
    PrincipalSpec {
        access_key_id: "ASIADEMOINSTANCEROLE".into(),
        secret_access_key: "secret-of-the-demo".into(),
        session_token: Some("token-of-the-demo".into()),
        expires_at: None,
        arn: "arn:aws:sts::111122223333:assumed-role/signer-instance/i-0123456789abcdef0".into(),
    }
}

/// AWS's client, with those credentials, for a KMS at `address` whose TLS certificate is by `root`.
pub(super) fn client(address: SocketAddr, root: CertificateDer<'static>) -> Result<Client, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(root)?;
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let PrincipalSpec { access_key_id, secret_access_key, session_token, .. } = credentials();
    let credentials =
        Credentials::new(access_key_id, secret_access_key, session_token, None, "instance role");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("https://kms.{REGION}.amazonaws.com"))
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
        let direct = self.clone();
        HttpConnectorFuture::new(async move { direct.exchange(request).await.map_err(ConnectorError::io) })
    }
}

impl Direct {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Error> {
        let mut request = request.try_into_http1x()?;
        let host = request.uri().host().ok_or("the URI has no host")?.to_owned();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.clone())?;
        let stream = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        request.headers_mut().entry("host").or_insert(host.parse()?);
        *request.uri_mut() = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        let response = sender.send_request(request).await?;
        Ok(HttpResponse::try_from(response.map(SdkBody::from_body_1_x))?)
    }
}
