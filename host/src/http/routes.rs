//! The one match: the host's few routes, and everything else of the API goes to the enclave.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use hyper::body::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::{App, Response, forward, problem::Problem, request_id};
use crate::{audit_store::BOOT_PREFIX, enclave_link::ExchangeError};

/// The most bytes of a request's path and headers. hyper's own limit is on its buffer, which may
/// take in twice as much.
pub(super) const MAX_HEAD: usize = 32 * 1024;

/// The API's description, which the end-to-end tests hold every exchange against.
const DESCRIPTION: &str = include_str!("../../openapi.json");

/// Where boots' attestations are.
const BOOTS: &str = "/v1/boots/";

/// Nonces of attestation documents, in bytes.
const NONCE: std::ops::RangeInclusive<usize> = 16..=64;

/// Any request's answer, with its id; the enclave gets the same id for its own problems.
pub(super) async fn answer<B>(app: &App, mut request: Request<B>) -> Response
where
    B: Body<Data = Bytes>,
{
    let id = request_id::of(request.headers());
    request.headers_mut().insert(request_id::HEADER, request_id::header(&id));
    let outcome = route(app, request).await;
    let mut response = outcome.unwrap_or_else(|problem| problem.into_response(&id));
    response.headers_mut().insert(request_id::HEADER, request_id::header(&id));
    response
}

async fn route<B>(app: &App, request: Request<B>) -> Result<Response, Problem>
where
    B: Body<Data = Bytes>,
{
    if head_size(request.uri(), request.headers()) > MAX_HEAD {
        return Err(Problem::head_too_large(MAX_HEAD));
    }
    let path = request.uri().path();
    match path {
        "/healthz" => read_only(request.method()).map(|()| text("ok\n")),
        "/readyz" => {
            read_only(request.method())?;
            app.health.ready().map(|()| text("ready\n")).map_err(|reason| Problem::not_ready(&reason))
        }
        "/openapi.json" => read_only(request.method())
            .map(|()| answer_of(Bytes::from_static(DESCRIPTION.as_bytes()), "application/json")),
        "/v1/status" => read_only(request.method()).map(|()| json(&status(app))),
        "/v1/attestation" => {
            read_only(request.method())?;
            attestation(app, request.uri().query()).await
        }
        _ if path.starts_with(BOOTS) => {
            read_only(request.method())?;
            boot(app, path).await
        }
        "/rpc" => forward::forward(app, request).await,
        _ if path.starts_with("/v1/") || path.starts_with("/rpc/") => forward::forward(app, request).await,
        _ => Err(Problem::not_found()),
    }
}

fn head_size(uri: &Uri, headers: &HeaderMap) -> usize {
    let path = uri.path_and_query().map_or(0, |path| path.as_str().len());
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum::<usize>()
        + path
}

fn read_only(method: &Method) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        Ok(())
    } else {
        Err(Problem::method_not_allowed("GET, HEAD"))
    }
}

fn status(app: &App) -> Value {
    let state = app.link.state();
    json!({
        "host": {
            "version": env!("CARGO_PKG_VERSION"),
            "uptime_s": app.health.uptime_s(),
            "ready": app.health.ready().is_ok(),
            "connections": state.connections,
            "in_flight": app.in_flight(),
        },
        "enclave": state.status,
        "problem": state.problem,
        "audit": app.audit.get(),
        "last_death": app.link.last_death(),
    })
}

/// The attestation of a boot, of this host's enclave or another's: whoever shares the store can serve it.
async fn boot(app: &App, path: &str) -> Result<Response, Problem> {
    let id = path.strip_prefix(BOOTS).unwrap_or_default();
    if id.len() != 32 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(Problem::not_found());
    }
    let _place = app.queue.try_acquire().map_err(|_| Problem::overloaded())?;
    let name = format!("{BOOT_PREFIX}{id}");
    let found = timeout(app.settings.request_timeout, app.store.get(&name)).await;
    match found.map_err(|_| Problem::deadline_exceeded())?.map_err(ExchangeError::Store)? {
        Some(content) => Ok(answer_of(content.into(), "application/json")),
        None => Err(Problem::boot_unknown()),
    }
}

async fn attestation(app: &App, query: Option<&str>) -> Result<Response, Problem> {
    let nonce = query.filter(|query| !query.is_empty()).map(nonce).transpose()?;
    let _place = app.queue.try_acquire().map_err(|_| Problem::overloaded())?;
    let deadline = Instant::now() + app.settings.request_timeout;
    let found = app.link.attest(nonce, deadline).await?;
    let mut response = json(&json!({
        "boot_id": found.boot_id,
        "document": STANDARD.encode(&found.document),
        "statement": STANDARD.encode(&found.statement),
    }));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn nonce(query: &str) -> Result<Vec<u8>, Problem> {
    query
        .strip_prefix("nonce=")
        .and_then(|text| hex::decode(text).ok())
        .filter(|nonce| NONCE.contains(&nonce.len()))
        .ok_or_else(|| Problem::malformed("the one parameter is nonce: write 16 to 64 bytes in hexadecimal"))
}

fn text(body: &'static str) -> Response {
    answer_of(Bytes::from_static(body.as_bytes()), "text/plain; charset=utf-8")
}

fn json(body: &Value) -> Response {
    answer_of(body.to_string().into(), "application/json")
}

fn answer_of(body: Bytes, kind: &'static str) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_json_and_knows_the_hosts_own_paths() {
        let description: Value = serde_json::from_str(DESCRIPTION).unwrap();
        assert_eq!(description["openapi"], "3.1.0");
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
        for path in
            ["/healthz", "/readyz", "/openapi.json", "/v1/status", "/v1/attestation", "/v1/boots/{boot_id}"]
        {
            for method in ["get", "head"] {
                assert!(description["paths"][path][method].is_object(), "{method} {path}");
            }
        }
    }

    #[test]
    fn nonces_are_16_to_64_bytes_of_hexadecimal() {
        assert_eq!(nonce(&format!("nonce={}", "0A".repeat(16))).unwrap(), [10; 16]);
        assert!(nonce(&format!("nonce={}", "0a".repeat(64))).is_ok());
        let short = "0a".repeat(15);
        for query in [
            "nonce=".to_owned(),
            format!("nonce={short}"),
            format!("nonce={}", "0a".repeat(65)),
            format!("nonce={short}0"),
            format!("nonce={short}zz"),
            format!("nonce={}&x=1", "0a".repeat(16)),
            "x=1".to_owned(),
        ] {
            assert!(nonce(&query).is_err(), "{query}");
        }
    }
}
