//! The host's own way to KMS: the SDK with the instance role's credentials, without an enclave.

use std::{net::SocketAddr, path::Path, sync::Arc};

use aws_sdk_kms::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
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
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs::default_provider};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use signer_tests::stack::Stack;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A client with the instance role's credentials.
pub(crate) fn of_the_role(stack: &Stack) -> Client {
    let credentials = Credentials::new("AKIAROLE", "role-secret", None, None, "test");
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .endpoint_url("https://kms.us-east-1.amazonaws.com")
        .http_client(Direct { address: stack.kms.address(), tls: tls(&stack.path("kms-roots.pem")) })
        .build();
    Client::from_conf(config)
}

/// KMS's error code.
pub(crate) fn code<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::fmt::Debug,
    R: std::fmt::Debug,
{
    error.code().unwrap_or_else(|| panic!("no answer of KMS: {error:?}")).to_owned()
}

fn tls(roots: &Path) -> Arc<ClientConfig> {
    let mut store = RootCertStore::empty();
    store.add(CertificateDer::from_pem_file(roots).expect("the root")).expect("a root certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for both versions")
        .with_root_certificates(store)
        .with_no_client_auth();
    Arc::new(config)
}

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
    async fn exchange(
        &self,
        request: HttpRequest,
    ) -> Result<HttpResponse, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = request.try_into_http1x()?;
        let host = request.uri().host().ok_or("the URI has no host")?.to_owned();
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from(host.clone())?;
        let stream = TlsConnector::from(self.tls.clone()).connect(name, stream).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        request.headers_mut().entry("host").or_insert(host.parse()?);
        *request.uri_mut() = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        let response = sender.send_request(request).await?;
        Ok(HttpResponse::try_from(response.map(SdkBody::from_body_1_x))?)
    }
}
