//! The HTTP API, inside: the host forwards requests as they came, and everything about them is
//! decided here. One file per resource.

mod admit;
mod answer;
mod batch;
mod decision;
mod find;
mod keyrings;
pub mod objects;
mod policy;
mod problem;
mod rpc;
mod sessions;
mod sign;
mod wallets;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize, de::Error as _};
use signer_rules::{
    audit::Receipt, hex_bytes::HexBytes, http_signature::response::RECEIPT, request_digest::request_digest,
};
use signer_shared::message::{ApiRequest, ApiResponse, FORWARDED_HEADERS, Header, Listing, Response, Write};

pub use problem::{Code, Problem};

use crate::{
    audit::NotStored,
    boot::{Enclave, Kind, ProvisionError, Ready, State, is_allowed},
};
use answer::{Asked, Reply, sign_answer};
use objects::{Objects, ObjectsError};
use problem::header;

/// The largest body.
pub const MAX_BODY: usize = 1024 * 1024;
/// The longest path, query included.
const MAX_PATH: usize = 2048;

/// The longest value of a header: an approval of the largest size there is, in base64.
const MAX_HEADER: usize = 24 * 1024;

/// A request on its way through a handler.
pub struct Call {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<Header>,
    body: Vec<u8>,
    objects: Objects,
    listing: Option<Listing>,
    /// Computed once: each part of a batch is recorded with it.
    digest: OnceLock<HexBytes<32>>,
    receipt: Kept,
}

/// The receipt of the newest record that a request made, for its answer.
type Kept = Arc<Mutex<Option<Receipt>>>;

/// What a handler does instead of answering with success.
#[derive(Debug)]
pub enum Stop {
    /// Something is wrong.
    Problem(Problem),
    /// These objects are needed.
    Objects(Vec<String>),
    /// This listing is needed.
    Listing {
        /// Names start with this.
        prefix: String,
        /// Names come after this.
        after: Option<String>,
        /// At most this many.
        limit: u32,
    },
}

impl<P: Into<Problem>> From<P> for Stop {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
    }
}

impl From<NotStored> for Problem {
    fn from(error: NotStored) -> Self {
        Self::new(Code::AuditNotStored, error.to_string())
    }
}

impl From<ObjectsError> for Problem {
    fn from(error: ObjectsError) -> Self {
        Self::new(Code::SealedObjectInvalid, format!("the store's answer is not usable: {error}"))
    }
}

/// A handler's result.
pub type Answer = Result<ApiResponse, Stop>;

/// Answers one request.
pub async fn handle(enclave: &Arc<Enclave>, request: ApiRequest) -> Response {
    let request_id = request_id(&request.headers).map(str::to_owned);
    let asked = Asked::new(&request);
    let mut receipt = Kept::default();
    let reply = match Call::new(request) {
        Ok(call) => {
            receipt = call.receipt.clone();
            route(enclave, call).await
        }
        Err(problem) => Err(problem.into()),
    };
    let Reply { mut response, evident } = match reply {
        Ok(reply) => reply,
        Err(Stop::Problem(problem)) => problem.response(request_id.as_deref()).into(),
        Err(Stop::Objects(names)) => return Response::NeedObjects { names },
        Err(Stop::Listing { prefix, after, limit }) => return Response::NeedListing { prefix, after, limit },
    };
    if let Some(receipt) = *receipt.lock().unwrap_or_else(PoisonError::into_inner) {
        response.headers.push(header(RECEIPT, &receipt.to_string()));
    }
    if asked.wants_signature(evident) {
        sign_answer(enclave, &asked, &mut response);
    }
    Response::Api(response)
}

async fn route(enclave: &Arc<Enclave>, call: Call) -> Result<Reply, Stop> {
    let path = call.path.clone();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match (call.method.as_str(), segments.as_slice()) {
        ("POST", ["v1", "wallets"]) => wallets::create(enclave, &*ready(enclave)?, &call),
        ("GET", ["v1", "wallets"]) => wallets::list(enclave, &*ready(enclave)?, &call).await,
        ("GET", ["v1", "wallets", wallet]) => wallets::show(enclave, &*ready(enclave)?, &call, wallet),
        ("POST", ["v1", "wallets", wallet, "accounts"]) => {
            wallets::derive_account(enclave, &*ready(enclave)?, &call, wallet)
        }
        ("POST", ["v1", "wallets", wallet, "sign"]) => {
            let response = sign::sign(enclave, &*ready(enclave)?, &call, wallet)?;
            return Ok(Reply { response, evident: true });
        }
        ("POST", ["v1", "batch"]) => return batch::sign(enclave, &*ready(enclave)?, &call).await,
        ("POST", ["rpc", rest @ ..]) => {
            return rpc::answer(enclave, &*ready(enclave)?, &call, None, rest).await;
        }
        ("POST", ["v1", "wallets", wallet, "rpc", rest @ ..]) => {
            return rpc::answer(enclave, &*ready(enclave)?, &call, Some(wallet), rest).await;
        }
        ("POST", ["v1", "sessions"]) => sessions::open(enclave, &*ready(enclave)?, &call),
        ("POST", ["v1", "policy"]) => policy::push(enclave, call).await,
        ("POST", ["v1", "keyrings"]) => keyrings::create(enclave, &call).await,
        (_, ["v1", "wallets"]) => Err(other_methods("GET, POST").into()),
        (_, ["v1", "wallets", _]) => Err(other_methods("GET").into()),
        (
            _,
            ["v1", "wallets", _, "accounts" | "sign"]
            | ["v1", "policy" | "keyrings" | "sessions" | "batch"]
            | ["rpc", ..]
            | ["v1", "wallets", _, "rpc", ..],
        ) => Err(other_methods("POST").into()),
        _ => Err(Problem::new(Code::NotFound, "see the API's documentation for its paths").into()),
    };
    answer.map(Reply::from)
}

/// The enclave, if it signs, and if what it decides can be recorded.
fn ready(enclave: &Enclave) -> Result<Arc<Ready>, Problem> {
    match enclave.state() {
        State::Ready(ready) if is_allowed(Kind::Wallets, signer_shared::message::Phase::Ready) => {
            enclave.may_decide(&ready.configured)?;
            Ok(ready)
        }
        State::Configured(configured) if !configured.bundle.bundle.keyrings.is_empty() => Err(Problem::new(
            Code::KeyringMissing,
            "a keyring of the policy bundle is not open; the operator sees why in /v1/status",
        )),
        _ => Err(Problem::new(Code::NotReady, "the enclave is not provisioned yet; try again")),
    }
}

impl Call {
    /// Checks the parts of a request that every route relies on.
    fn new(request: ApiRequest) -> Result<Self, Problem> {
        if request.body.len() > MAX_BODY || request.path.len() > MAX_PATH {
            return Err(Problem::malformed("the request is too large"));
        }
        if request.headers.iter().any(|header| header.value.len() > MAX_HEADER) {
            return Err(Problem::malformed("a header is too long"));
        }
        let mut seen: Vec<&str> = Vec::new();
        for header in &request.headers {
            if !FORWARDED_HEADERS.contains(&header.name.as_str()) || seen.contains(&header.name.as_str()) {
                return Err(Problem::malformed("a header is repeated, or not one that is forwarded"));
            }
            seen.push(&header.name);
        }
        if seen.contains(&"content-encoding") {
            return Err(Problem::malformed("send the body without content-encoding"));
        }
        let (path, query) = match request.path.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (request.path, None),
        };
        if !is_plain(&path) {
            return Err(Problem::malformed(
                "a path has segments of A-Z a-z 0-9 . _ ' -, none empty or of dots only",
            ));
        }
        Ok(Self {
            method: request.method,
            path,
            query,
            headers: request.headers,
            body: request.body.into_vec(),
            objects: Objects::new(request.objects)?,
            listing: request.listing,
            digest: OnceLock::new(),
            receipt: Kept::default(),
        })
    }

    /// The body as JSON of a closed schema.
    fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Problem> {
        let body =
            std::str::from_utf8(&self.body).map_err(|_| Problem::malformed("the body is not UTF-8"))?;
        object(body)
            .map_err(|error| Problem::malformed(format!("the body is not the expected JSON: {error}")))
    }

    /// Refuses a query where there is none to have.
    fn without_query(&self) -> Result<(), Problem> {
        match self.query {
            None => Ok(()),
            Some(_) => Err(Problem::malformed("this path takes no query")),
        }
    }

    /// SHA-256 of method, path with query, and body, each preceded by its length.
    fn digest(&self) -> HexBytes<32> {
        let digest = || request_digest(&self.method, &self.path, self.query.as_deref(), &self.body);
        *self.digest.get_or_init(digest)
    }

    /// Keeps the receipt of a record for the answer.
    fn keep(&self, receipt: Receipt) {
        *self.receipt.lock().unwrap_or_else(PoisonError::into_inner) = Some(receipt);
    }

    /// The value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
    }

    /// The request's id, which the host chose.
    fn request_id(&self) -> Option<&str> {
        request_id(&self.headers)
    }
}

/// A success with a JSON body.
fn success(status: u16, body: &impl Serialize, writes: Vec<Write>) -> Answer {
    let body =
        serde_json::to_vec(body).map_err(|_| Problem::new(Code::Internal, "the answer cannot be written"))?;
    let headers = vec![header("content-type", "application/json")];
    Ok(ApiResponse { status, headers, body: body.into(), writes })
}

/// Reads a JSON object. (A derived reader takes an array of the members' values too, which nobody means.)
fn object<'a, T: Deserialize<'a>>(text: &'a str) -> serde_json::Result<T> {
    if !text.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(serde_json::Error::custom("it must be an object"));
    }
    serde_json::from_str(text)
}

fn other_methods(methods: &'static str) -> Problem {
    Problem::new(Code::MethodNotAllowed, format!("the path takes {methods}")).allowing(methods)
}

/// Raw path bytes of one spelling: no escapes, no empty or dot segments.
fn is_plain(path: &str) -> bool {
    let segment = |segment: &str| {
        !segment.is_empty()
            && segment != "."
            && segment != ".."
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._'-".contains(&byte))
    };
    path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(segment))
}

/// The request id that the host chose; anything else than a plain token is passed over.
fn request_id(headers: &[Header]) -> Option<&str> {
    let value = &headers.iter().find(|header| header.name == "x-request-id")?.value;
    let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    (plain && (1..=64).contains(&value.len())).then_some(value)
}

impl From<ProvisionError> for Problem {
    fn from(error: ProvisionError) -> Self {
        use signer_shared::message::RefusalCode;
        let code = match error.code() {
            RefusalCode::PolicyRollback => Code::PolicyConflict,
            RefusalCode::PolicyInvalid | RefusalCode::ConfigurationInvalid => Code::PolicyInvalid,
            RefusalCode::KmsFailed => Code::KmsFailed,
            RefusalCode::KeyringInvalid => Code::KeyringMissing,
            RefusalCode::NsmFailed => Code::NsmFailed,
            RefusalCode::Overloaded => Code::Overloaded,
            RefusalCode::AuditNotStored => Code::AuditNotStored,
            RefusalCode::WrongPhase => Code::NotReady,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_one_spelling() {
        for path in ["/v1/wallets", "/v1/wallets/treasury/sign", "/a.b/m'0"] {
            assert!(is_plain(path), "{path}");
        }
        for path in
            ["", "v1", "/", "//v1", "/v1/", "/v1/../x", "/v1/./x", "/v1/%2e", "/v1/ä", "/v1/a b", "/a//b"]
        {
            assert!(!is_plain(path), "{path}");
        }
    }

    fn request(headers: &[(&str, &str)]) -> ApiRequest {
        ApiRequest {
            method: "GET".into(),
            path: "/v1/wallets?limit=1".into(),
            headers: headers.iter().map(|(name, value)| header(name, value)).collect(),
            body: Vec::new().into(),
            objects: Vec::new(),
            listing: None,
        }
    }

    #[test]
    fn headers_are_few_and_single() {
        assert!(Call::new(request(&[("content-type", "application/json")])).is_ok());
        assert!(Call::new(request(&[("cookie", "a")])).is_err());
        assert!(Call::new(request(&[("signature", "a"), ("signature", "b")])).is_err());
        assert!(Call::new(request(&[("content-encoding", "gzip")])).is_err());
        assert!(Call::new(request(&[("signer-approval", &"a".repeat(MAX_HEADER))])).is_ok());
        assert!(Call::new(request(&[("signer-approval", &"a".repeat(MAX_HEADER + 1))])).is_err());
    }

    #[test]
    fn request_ids_are_plain_tokens() {
        let of = |value: &str| request_id(&request(&[("x-request-id", value)]).headers).map(str::to_owned);
        assert_eq!(of("abc-1.2_3").as_deref(), Some("abc-1.2_3"));
        assert_eq!(of("a\"b"), None);
        assert_eq!(of(""), None);
        assert_eq!(of(&"a".repeat(65)), None);
    }

    #[test]
    fn a_request_is_told_from_every_other_by_its_digest() {
        let digest = |path: &str, body: &[u8]| {
            let request = ApiRequest { path: path.into(), body: body.to_vec().into(), ..request(&[]) };
            Call::new(request).unwrap().digest()
        };
        assert_ne!(digest("/v1/a", b"b"), digest("/v1/ab", b""));
        assert_ne!(digest("/v1/a?b", b""), digest("/v1/a", b"b"));
        assert_ne!(digest("/v1/a?", b""), digest("/v1/a", b""));
    }
}
