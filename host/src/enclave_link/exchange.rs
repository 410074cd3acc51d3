//! The rounds of one request.
//!
//! The enclave keeps no state between rounds: it says which sealed objects or which listing it
//! lacks, the host fetches them and asks again with everything so far. What an answer tells the
//! store to keep is kept before the answer is returned; where another host was faster, the enclave
//! is asked again with the object that exists. Rounds, objects and bytes are bounded, so that an
//! enclave that never has enough costs one failed request.

use signer_shared::{
    frame::MAX_FRAME,
    message::{ApiRequest, ApiResponse, Listing, MAX_OBJECTS, Object, RefusalCode, Request, Response, Write},
};
use tokio::time::{Instant, timeout_at};

use super::{CallError, EnclaveLink};
use crate::object_store::{ObjectStore, Put, StoreError};

/// How often a request is asked again.
const MAX_ROUNDS: usize = 8;

/// Room in a frame for what is not bodies and objects: names, headers, lengths.
const FRAME_RESERVE: usize = 512 * 1024;

/// Why a request was not carried out, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The enclave refused.
    #[error("the enclave refused with {}: {message}", code.as_str())]
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for the operator.
        message: String,
    },
    /// The store failed.
    #[error("the store failed: {0}")]
    Store(#[from] StoreError),
    /// The enclave answered what it may not, or asked without end.
    #[error("the enclave's answer cannot be used: {0}")]
    Answer(&'static str),
}

impl EnclaveLink {
    /// A client's request, to the end: its answer, once everything the answer wants stored is.
    pub async fn api(
        &self,
        store: &ObjectStore,
        mut request: ApiRequest,
        deadline: Instant,
    ) -> Result<ApiResponse, ExchangeError> {
        for _ in 0..=MAX_ROUNDS {
            match self.call(Request::Api(request.clone()), deadline).await? {
                Response::Api(mut response) => {
                    let writes = std::mem::take(&mut response.writes);
                    match in_time(deadline, keep(store, writes)).await? {
                        None => return Ok(response),
                        Some(existing) => merge(&mut request.objects, existing),
                    }
                }
                Response::NeedObjects { names } => {
                    for object in in_time(deadline, fetch(store, names)).await? {
                        merge(&mut request.objects, object);
                    }
                }
                Response::NeedListing { prefix, after, limit } => {
                    let room = MAX_OBJECTS.saturating_sub(request.objects.len());
                    let bytes = MAX_FRAME.saturating_sub(FRAME_RESERVE).saturating_sub(size(&request));
                    request.listing =
                        Some(in_time(deadline, list(store, prefix, after, limit, room, bytes)).await?);
                }
                response => return Err(unexpected(response)),
            }
            let objects =
                request.objects.len() + request.listing.as_ref().map_or(0, |page| page.objects.len());
            if objects > MAX_OBJECTS || size(&request) > MAX_FRAME - FRAME_RESERVE {
                return Err(ExchangeError::Answer("it asks for more objects than fit a request"));
            }
        }
        Err(ExchangeError::Answer("it asks again and again"))
    }

    /// Hands over configuration and policy, with the keyrings that the enclave asks for.
    pub(super) async fn provide(
        &self,
        store: &ObjectStore,
        configuration: Vec<u8>,
        policy_bundle: Vec<u8>,
        deadline: Instant,
    ) -> Result<Response, ExchangeError> {
        let mut objects = Vec::new();
        for _ in 0..=MAX_ROUNDS {
            let request = Request::Provision {
                configuration: configuration.clone().into(),
                policy_bundle: policy_bundle.clone().into(),
                objects: objects.clone(),
            };
            match self.call(request, deadline).await? {
                response @ Response::Provisioned { .. } => return Ok(response),
                Response::NeedObjects { names } => {
                    for object in in_time(deadline, fetch(store, names)).await? {
                        merge(&mut objects, object);
                    }
                }
                response => return Err(unexpected(response)),
            }
        }
        Err(ExchangeError::Answer("it asks again and again"))
    }

    /// An attestation document with its statement.
    pub async fn attest(
        &self,
        nonce: Option<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Attestation, ExchangeError> {
        let request = Request::Attest { nonce: nonce.map(Into::into) };
        match self.call(request, deadline).await? {
            Response::Attestation { boot_id, document, statement } => {
                Ok(Attestation { boot_id, document: document.into_vec(), statement: statement.into_vec() })
            }
            response => Err(unexpected(response)),
        }
    }
}

/// The enclave's proof of what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// The boot that attests.
    pub boot_id: String,
    /// The attestation document.
    pub document: Vec<u8>,
    /// The bytes that the document's `user_data` is the digest of.
    pub statement: Vec<u8>,
}

fn unexpected(response: Response) -> ExchangeError {
    match response {
        Response::Refused { code, message } => {
            ExchangeError::Refused { code, message: super::shown(&message) }
        }
        _ => ExchangeError::Answer("it answers another question"),
    }
}

async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    timeout_at(deadline, work).await.map_err(|_| CallError::Deadline)?
}

async fn fetch(store: &ObjectStore, names: Vec<String>) -> Result<Vec<Object>, ExchangeError> {
    if names.is_empty() || names.len() > MAX_OBJECTS {
        return Err(ExchangeError::Answer("it asks for no object, or for too many"));
    }
    let mut objects = Vec::with_capacity(names.len());
    let mut bytes = 0usize;
    for name in names {
        let content = store.get(&name).await?;
        bytes = bytes.saturating_add(content.as_ref().map_or(0, Vec::len));
        if bytes > MAX_FRAME {
            return Err(ExchangeError::Answer("it asks for more objects than fit a request"));
        }
        objects.push(Object { name, content: content.map(Into::into) });
    }
    Ok(objects)
}

/// A page of whole objects, cut where the room ends: the enclave reads `more`.
async fn list(
    store: &ObjectStore,
    prefix: String,
    after: Option<String>,
    limit: u32,
    room: usize,
    bytes: usize,
) -> Result<Listing, ExchangeError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(room);
    if limit == 0 {
        return Err(ExchangeError::Answer("it asks for a listing of nothing"));
    }
    let page = store.list(&prefix, after.as_deref(), limit).await?;
    let (mut objects, mut left, mut more) = (Vec::with_capacity(page.names.len()), bytes, page.more);
    for name in page.names {
        let content = store.get(&name).await?;
        match left.checked_sub(content.as_ref().map_or(0, Vec::len)) {
            Some(rest) => left = rest,
            None if objects.is_empty() => {
                return Err(ExchangeError::Answer("it leaves no room for a listing"));
            }
            None => {
                more = true;
                break;
            }
        }
        objects.push(Object { name, content: content.map(Into::into) });
    }
    Ok(Listing { prefix, after, objects, more })
}

/// Stores in order, and stops at the first name that belongs to something else.
async fn keep(store: &ObjectStore, writes: Vec<Write>) -> Result<Option<Object>, ExchangeError> {
    for Write { name, content } in writes {
        if let Put::Taken(existing) = store.put(&name, &content).await? {
            return Ok(Some(Object { name, content: Some(existing.into()) }));
        }
    }
    Ok(None)
}

fn merge(objects: &mut Vec<Object>, object: Object) {
    match objects.iter_mut().find(|known| known.name == object.name) {
        Some(known) => *known = object,
        None => objects.push(object),
    }
}

fn size(request: &ApiRequest) -> usize {
    let listed = request.listing.iter().flat_map(|listing| &listing.objects);
    let objects = request.objects.iter().chain(listed);
    let content = objects.map(|object| object.content.as_ref().map_or(0, |content| content.len()));
    request.body.len() + content.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_answer_replaces_an_older_one() {
        let object = |content: Option<&[u8]>| Object {
            name: "wallet/a".to_owned(),
            content: content.map(|content| content.to_vec().into()),
        };
        let mut objects = vec![object(None)];
        merge(&mut objects, object(Some(b"x")));
        assert_eq!(objects, [object(Some(b"x"))]);
    }

    #[tokio::test]
    async fn listings_are_cut_to_the_room_there_is() {
        let root = std::env::temp_dir().join(format!("signer-exchange-{}", crate::random::hex()));
        let store = ObjectStore::directory(&root).await.unwrap();
        for name in ["wallet/a", "wallet/b", "wallet/c"] {
            store.put(name, &[0; 100]).await.unwrap();
        }
        let page = |limit, room, bytes| list(&store, "wallet/".to_owned(), None, limit, room, bytes);
        let lengths = async |limit, room, bytes| {
            let page = page(limit, room, bytes).await.unwrap();
            (page.objects.len(), page.more)
        };
        assert_eq!(lengths(10, 10, 1000).await, (3, false));
        assert_eq!(lengths(2, 10, 1000).await, (2, true));
        assert_eq!(lengths(10, 1, 1000).await, (1, true));
        assert_eq!(lengths(10, 10, 250).await, (2, true));
        assert!(page(10, 10, 99).await.is_err() && page(0, 10, 1000).await.is_err());
        assert!(fetch(&store, Vec::new()).await.is_err());
        assert!(fetch(&store, vec!["wallet/../x".to_owned()]).await.is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}
