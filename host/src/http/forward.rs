//! A client's HTTP request to the enclave, as it was signed, and the enclave's answer back.
//!
//! Nothing is parsed here but HTTP itself: not the body, not the path, not who asks. Bodies pass
//! untouched both ways, because signatures cover them.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header, request::Parts};
use hyper::body::Body;
use signer_shared::message::{ApiRequest, ApiResponse, FORWARDED_HEADERS, Header};
use tokio::time::Instant;

use super::{App, Response, body, problem::Problem};
use crate::enclave_link::ExchangeError;

/// Requests that may have changed the enclave's phase or policy.
const STATE_CHANGES: [&str; 2] = ["/v1/policy", "/v1/keyrings"];

/// Headers that are this connection's, not the enclave's answer's.
const OURS: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::UPGRADE];

/// Carries one request to the enclave and its answer back.
pub(super) async fn forward<B>(app: &App, request: Request<B>) -> Result<Response, Problem>
where
    B: Body<Data = Bytes>,
{
    if !app.link.is_connected() {
        return Err(Problem::not_ready("there is no enclave"));
    }
    let (head, body) = request.into_parts();
    let headers = forwarded(&head.headers)?;
    let settings = &app.settings;
    let body = body::read(&head.headers, body, settings.max_body_bytes, settings.body_timeout).await?;
    // A place is for work, not for waiting for a body.
    let _place = app.queue.try_acquire().map_err(|_| Problem::overloaded())?;
    let changes_state = changes_state(&head);
    let request = api_request(&head, headers, body);
    let deadline = Instant::now() + settings.request_timeout;
    let outcome = app.link.api(&app.store, request, deadline).await;
    let answer = outcome?;
    if changes_state && answer.status < 300 {
        app.link.refresh();
        app.link.provision_soon();
    }
    response(answer)
}

fn changes_state(head: &Parts) -> bool {
    head.method == Method::POST && STATE_CHANGES.contains(&head.uri.path())
}

fn api_request(head: &Parts, headers: Vec<Header>, body: Vec<u8>) -> ApiRequest {
    let path = head.uri.path_and_query().map_or(head.uri.path(), |path| path.as_str());
    ApiRequest {
        method: head.method.as_str().to_owned(),
        path: path.to_owned(),
        headers,
        body: body.into(),
        objects: Vec::new(),
        listing: None,
    }
}

/// The headers that the enclave reads; values that cannot be in a signature are refused.
fn forwarded(headers: &HeaderMap) -> Result<Vec<Header>, Problem> {
    let wanted = headers.iter().filter(|(name, _)| FORWARDED_HEADERS.contains(&name.as_str()));
    wanted
        .map(|(name, value)| {
            let plain = value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte));
            let text = value.to_str().ok().filter(|_| plain).ok_or_else(|| {
                Problem::malformed(format!("the header {name} must be visible ASCII characters only"))
            })?;
            Ok(Header { name: name.as_str().to_owned(), value: text.to_owned() })
        })
        .collect()
}

fn response(answer: ApiResponse) -> Result<Response, Problem> {
    let unusable = || Problem::from(ExchangeError::Answer("its status or headers are not HTTP's"));
    let status = StatusCode::from_u16(answer.status).map_err(|_| unusable())?;
    if status.is_informational() {
        return Err(unusable());
    }
    let mut response = Response::new(Bytes::from(answer.body.into_vec()).into());
    *response.status_mut() = status;
    for Header { name, value } in answer.headers {
        let name: HeaderName = name.parse().map_err(|_| unusable())?;
        let value = HeaderValue::from_str(&value).map_err(|_| unusable())?;
        if !OURS.contains(&name) {
            response.headers_mut().append(name, value);
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header_of(name: &str, value: &str) -> Header {
        Header { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn only_the_headers_of_the_list_pass_and_doubles_stay_double() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("Signature", "a"),
            ("x-other", "b"),
            ("cookie", "c"),
            ("Content-Digest", "d"),
            ("signature", "e"),
        ] {
            headers.append(HeaderName::try_from(name).unwrap(), HeaderValue::from_static(value));
        }
        let mut found = forwarded(&headers).unwrap();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        let expected =
            [header_of("content-digest", "d"), header_of("signature", "a"), header_of("signature", "e")];
        assert_eq!(found, expected);
        headers.insert("signature", HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(forwarded(&headers).is_err());
        headers.insert("signature", HeaderValue::from_bytes(b"a\tb").unwrap());
        assert!(forwarded(&headers).is_err());
    }

    #[test]
    fn answers_keep_their_headers_but_for_those_of_the_connection() {
        let answer =
            |status, headers| ApiResponse { status, headers, body: b"x".to_vec().into(), writes: Vec::new() };
        let headers = vec![
            header_of("signature", "s"),
            header_of("content-length", "99"),
            header_of("retry-after", "1"),
        ];
        let found = response(answer(201, headers)).unwrap();
        assert_eq!((found.status().as_u16(), found.headers().len()), (201, 2));
        assert!(response(answer(99, Vec::new())).is_err());
        assert!(response(answer(101, Vec::new())).is_err());
        assert!(response(answer(200, vec![header_of("a b", "c")])).is_err());
        assert!(response(answer(200, vec![header_of("a", "c\r\nd: e")])).is_err());
    }
}
