//! One HTTP request at a time, with a bound on time and size.
//!
//! A [`Server`] asks plainly. With an [`Escort`], requests carry what it adds (a client's signature), and answers pass only
//! if it lets them (an enclave's signature).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Uri,
    header::{self, HeaderName, HeaderValue},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::TokioExecutor,
};
use rustls::crypto::aws_lc_rs;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, clean, problem};

/// The largest answer that is read, in bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

/// An appliance.
pub struct Server {
    /// Without a slash at its end.
    base: String,
    https: bool,
    timeout: Duration,
    program: &'static str,
    escort: Option<Box<dyn Escort>>,
}

/// What is asked, as the appliance gets it.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// In capital letters.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// What follows the question mark, if there is one.
    pub query: Option<&'a str>,
    /// Empty if there is none.
    pub body: &'a [u8],
}

/// What was answered, as it came. Nothing of it is proven.
pub struct Answered {
    /// The status code.
    pub status: u16,
    headers: HeaderMap,
    /// The bytes.
    pub body: Bytes,
}

/// Headers that go with a request: names in lower case, and values.
pub type Headers = Vec<(&'static str, String)>;

/// Whoever vouches for requests and checks answers.
pub trait Escort {
    /// The headers that this request gets besides the usual ones.
    fn accompany(&self, asked: &Asked<'_>) -> Result<Headers, Failure>;

    /// Refuses an answer to a request that went with these headers, or lets it pass.
    fn inspect(&self, asked: &Asked<'_>, sent: &Headers, answered: &Answered) -> Result<(), Failure>;
}

impl Answered {
    /// An answer that did not come from anywhere, to try an [`Escort`] with. Headers that cannot be are left out.
    pub fn new(status: u16, headers: &[(&'static str, String)], body: impl Into<Bytes>) -> Self {
        let value = |text: &String| HeaderValue::from_str(text).ok();
        let headers = headers
            .iter()
            .filter_map(|(name, text)| Some((HeaderName::from_static(name), value(text)?)))
            .collect();
        Self { status, headers, body: body.into() }
    }

    /// The value of a header that is there once; `None` if it is not there, or more than once, or not in plain text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("cannot load the system's trusted certificates: {0}")]
    Roots(std::io::Error),
    #[error("no connection: {0}")]
    Unreachable(String),
    #[error("the server's certificate is refused: {0}")]
    Certificate(String),
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("the answer broke off: {0}")]
    Interrupted(String),
    #[error("the answer has more than {MAX_ANSWER} bytes")]
    TooLarge,
}

impl Server {
    /// Checks the address, which the option `--url` gave. `timeout` bounds each request as a whole;
    /// `program` is its User-Agent, name/version.
    pub fn new(url: &str, timeout: Duration, program: &'static str) -> Result<Self, Failure> {
        let bad = |problem: &str| {
            Failure::usage(format!("--url {}: {problem}", clean(url)))
                .hint("write http://HOST:PORT or https://HOST")
        };
        let uri: Uri = url.parse().map_err(|_| bad("not an address"))?;
        let https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad("must start with http:// or https://")),
        };
        if uri.query().is_some() || uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(bad("must have neither a query nor a user name"));
        }
        Ok(Self { base: url.trim_end_matches('/').to_owned(), https, timeout, program, escort: None })
    }

    /// The same appliance, asked under escort from now on.
    pub fn escorted(self, escort: Box<dyn Escort>) -> Self {
        Self { escort: Some(escort), ..self }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(&Method::GET, path, &Bytes::new())
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Value, Failure> {
        self.ask(&Method::POST, path, &body.into())
    }

    fn ask(&self, method: &Method, path: &str, body: &Bytes) -> Result<Value, Failure> {
        let (bare, query) = path.split_once('?').map_or((path, None), |(bare, query)| (bare, Some(query)));
        let asked = Asked { method: method.as_str(), path: bare, query, body };
        let headers = self.escort.as_ref().map_or(Ok(Headers::new()), |escort| escort.accompany(&asked))?;
        let answered = self.send(method, path, &headers, body.clone())?;
        if let Some(escort) = &self.escort {
            escort.inspect(&asked, &headers, &answered)?;
        }
        let status = answered.status;
        if !(200..300).contains(&status) {
            return Err(problem::failure(status, &answered.body));
        }
        serde_json::from_slice(&answered.body).map_err(|error| {
            Failure::new(format!("the server's answer {status} to {method} {path} is not JSON: {error}"))
                .hint("check --url: is it a Nitro Signer?")
        })
    }

    fn send(&self, method: &Method, path: &str, headers: &Headers, body: Bytes) -> Result<Answered, Failure> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(header::USER_AGENT, self.program);
        if *method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request.body(Full::new(body)).map_err(Failure::usage)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
        runtime.block_on(self.exchange(request)).map_err(|error| {
            let failure = Failure::new(format!("{}: {error}", clean(&self.base)));
            match error {
                ExchangeError::Timeout(_) => {
                    failure.hint("raise --timeout, or ask the host: signerctl status")
                }
                ExchangeError::Unreachable(_) => failure.hint("check --url and that the host is running"),
                ExchangeError::Certificate(_) => {
                    failure.hint("if it is of a private CA, name that CA's certificate in SSL_CERT_FILE")
                }
                ExchangeError::Roots(_) => failure.hint("install the package ca-certificates"),
                _ => failure,
            }
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answered, ExchangeError> {
        let work = async {
            if !self.https {
                return send(HttpConnector::new(), request).await;
            }
            let connector = HttpsConnectorBuilder::new()
                .with_provider_and_native_roots(aws_lc_rs::default_provider())
                .map_err(ExchangeError::Roots)?
                .https_only()
                .enable_http1()
                .build();
            send(connector, request).await
        };
        tokio::time::timeout(self.timeout, work).await.map_err(|_| ExchangeError::Timeout(self.timeout))?
    }
}

/// Reads what is relied on from an answer; other members are ignored.
pub fn read<T: DeserializeOwned>(answer: &Value, path: &str) -> Result<T, Failure> {
    T::deserialize(answer).map_err(|error| {
        Failure::new(format!(
            "the server's answer to {path} is not what was expected: {}",
            clean(&error.to_string())
        ))
        .hint("is this program of another version than the appliance?")
    })
}

async fn send<C: Connect + Clone + Send + Sync + 'static>(
    connector: C,
    request: Request<Full<Bytes>>,
) -> Result<Answered, ExchangeError> {
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let response = client.request(request).await.map_err(|error| {
        let text = with_causes(&error);
        match error.is_connect() {
            // The causes are behind a type of the connector's own; rustls's words are all there is.
            true if text.contains("peer certificate") => ExchangeError::Certificate(text),
            true => ExchangeError::Unreachable(text),
            false => ExchangeError::Interrupted(text),
        }
    })?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            ExchangeError::TooLarge
        } else {
            ExchangeError::Interrupted(with_causes(&*error))
        }
    })?;
    Ok(Answered { status: head.status.as_u16(), headers: head.headers, body: body.to_bytes() })
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    clean(&text)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::TcpListener,
        thread,
    };

    use super::*;

    /// A server that gives one answer.
    fn server(answer: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            // The client hangs up when it has seen enough.
            let _ = stream.write_all(&answer);
        });
        Server::new(&base, Duration::from_secs(5), "test/0").unwrap()
    }

    fn with_status(status: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[test]
    fn answers_and_problems_are_told_apart() {
        assert_eq!(server(with_status("200 OK", r#"{"a":1}"#)).get("/v1/status").unwrap()["a"], 1);
        let refused =
            server(with_status("503 X", r#"{"code":"not_ready","detail":"booting"}"#)).get("/").unwrap_err();
        assert_eq!(refused.to_string(), "the server answered 503 not_ready: booting");
        assert!(server(with_status("200 OK", "hello")).get("/").is_err());
    }

    /// Adds a header, and lets pass what the server marks.
    struct Marked;

    impl Escort for Marked {
        fn accompany(&self, asked: &Asked<'_>) -> Result<Headers, Failure> {
            assert_eq!((asked.method, asked.path, asked.query), ("GET", "/a", Some("b=c")));
            Ok(vec![("x-mark", "1".to_owned())])
        }

        fn inspect(&self, _: &Asked<'_>, sent: &Headers, answered: &Answered) -> Result<(), Failure> {
            assert_eq!(sent.len(), 1);
            answered.header("x-mark").map(|_| ()).ok_or_else(|| Failure::new("not marked"))
        }
    }

    #[test]
    fn an_escort_goes_both_ways() {
        let ask = |mark: &str| {
            let answer = format!("HTTP/1.1 200 OK\r\n{mark}content-length: 2\r\n\r\n{{}}");
            server(answer.into_bytes()).escorted(Box::new(Marked)).get("/a?b=c")
        };
        assert!(ask("x-mark: 1\r\n").is_ok());
        assert_eq!(ask("").unwrap_err().to_string(), "not marked");
        assert_eq!(ask("x-mark: 1\r\nx-mark: 1\r\n").unwrap_err().to_string(), "not marked");
    }

    #[test]
    fn answers_are_bounded() {
        let mut endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        for _ in 0..=MAX_ANSWER / 0x10000 {
            endless.extend(b"10000\r\n");
            endless.extend(vec![b' '; 0x10000]);
            endless.extend(b"\r\n");
        }
        let refused = server(endless).get("/").unwrap_err();
        assert!(refused.to_string().contains("more than 4194304 bytes"), "{refused}");
    }

    #[test]
    fn silence_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let silent = Server::new(&base, Duration::from_millis(50), "test/0").unwrap();
        assert!(silent.get("/").unwrap_err().to_string().contains("no answer"));
    }
}
