//! `POST /v1/batch`: up to 256 sign requests in one, each decided and answered by itself, in order.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, SeqAccess, Visitor},
};
use serde_json::value::{RawValue, to_raw_value};

use super::{
    Call, Code, Problem, Stop,
    answer::Reply,
    decision::{Repeatable, spend, who},
    find, object,
    problem::Body,
    sign::{SignRequest, carry_out},
    success,
};
use crate::boot::{Enclave, Ready};

/// The most items of a batch, here and in JSON-RPC.
pub(super) const MAX_ITEMS: usize = 256;

/// Bytes of answers after which a batch signs no more. The longest answer of all, a transaction with 128 KiB of data in
/// geth's shape, still fits a frame of 4 MiB.
const MAX_ANSWERS: usize = 3 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchRequest<'a> {
    #[serde(borrow)]
    items: Items<'a>,
}

/// At most [`MAX_ITEMS`] JSON values, not looked at yet. Reading stops at the first one too many.
pub(super) struct Items<'a>(pub Vec<&'a RawValue>);

#[derive(Serialize)]
struct BatchAnswer<'a> {
    items: Vec<ItemAnswer<'a>>,
}

/// The answer to one item: what it would have got as a request of its own.
#[derive(Serialize)]
struct ItemAnswer<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Body<'a>>,
}

/// Signs each item that may be signed.
pub(super) async fn sign(enclave: &Enclave, ready: &Ready, call: &Call) -> Result<Reply, Stop> {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let request: BatchRequest<'_> = call.json()?;
    let Items(items) = request.items;
    if items.is_empty() {
        return Err(Problem::malformed("there is nothing to sign: send 1 to 256 items")
            .of_field("items")
            .into());
    }
    // First all wallets, in one round: once something is signed nothing more may be asked for.
    let mut found = Vec::with_capacity(items.len());
    let mut missing = Missing::default();
    for item in items {
        let request = read(item);
        let wallet = match &request {
            Ok(request) => {
                missing.note(wallet_of(request).and_then(|name| find::wallet(ready, call, name)))?
            }
            Err(_) => None,
        };
        found.push((request, wallet));
        tokio::task::yield_now().await;
    }
    missing.finish()?;
    spend(enclave, &caller, Repeatable::No)?;

    let mut outcomes: Vec<Result<Box<RawValue>, Problem>> = Vec::with_capacity(found.len());
    let mut room = Room::default();
    for (index, (request, wallet)) in found.into_iter().enumerate() {
        let item = u32::try_from(index).ok();
        outcomes.push(request.and_then(|request| {
            still_in_force(enclave, ready)?;
            room.check()?;
            let stored = wallet.unwrap_or_else(|| Err(find::wallet_not_found()))?;
            let outcome = carry_out(enclave, ready, call, &caller, &stored, &request.order(item))?;
            let answer = to_raw_value(&outcome.answer())
                .map_err(|_| Problem::new(Code::Internal, "the answer cannot be written"))?;
            room.take(answer.get().len());
            Ok(answer)
        }));
        // A batch is long; others get their turn in between.
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::with_capacity(outcomes.len());
    for outcome in &outcomes {
        answers.push(match outcome {
            Ok(result) => ItemAnswer { status: 200, result: Some(result.clone()), problem: None },
            Err(problem) => ItemAnswer {
                status: problem.status(),
                result: None,
                problem: Some(problem.body(call.request_id())),
            },
        });
    }
    let evident = outcomes.iter().all(Result::is_ok);
    let response = success(200, &BatchAnswer { items: answers }, Vec::new())?;
    Ok(Reply { response, evident })
}

fn read(item: &RawValue) -> Result<SignRequest<'_>, Problem> {
    object(item.get())
        .map_err(|error| Problem::malformed(format!("the item is not the expected JSON: {error}")))
}

fn wallet_of<'a>(request: &'a SignRequest<'_>) -> Result<&'a str, Stop> {
    let missing = || Problem::malformed("is missing: name the wallet that signs").of_field("wallet").into();
    request.wallet.as_deref().ok_or_else(missing)
}

/// The policy that decides may be replaced while a long request is under way; the rest of it is asked again under the new
/// one. And the audit log may have become too much for the host: each part leaves a record.
pub(super) fn still_in_force(enclave: &Enclave, ready: &Ready) -> Result<(), Problem> {
    let now = enclave.state();
    if now.configured().is_none_or(|now| now.bundle.digest != ready.configured.bundle.digest) {
        return Err(Problem::new(Code::NotReady, "the policy changed meanwhile: send it again"));
    }
    Ok(enclave.may_decide(&ready.configured)?)
}

/// What is left for answers of one request. Checked before something is signed, so that no signature is lost because its
/// answer does not fit.
#[derive(Default)]
pub(super) struct Room(usize);

impl Room {
    /// Whether another answer fits.
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.0 <= MAX_ANSWERS {
            return Ok(());
        }
        Err(Problem::malformed("the answers before it are too long already: send it in another batch"))
    }

    /// An answer of this length was given.
    pub(super) fn take(&mut self, length: usize) {
        self.0 = self.0.saturating_add(length);
    }
}

/// Collects what has to be fetched for the parts of a request, so that it takes one round and not one for each.
#[derive(Default)]
pub(super) struct Missing(Vec<String>);

impl Missing {
    /// A part's result, unless it has to be asked again. Listings end the request at once: there is one at a time.
    pub(super) fn note<T>(&mut self, found: Result<T, Stop>) -> Result<Option<Result<T, Problem>>, Stop> {
        match found {
            Ok(found) => Ok(Some(Ok(found))),
            Err(Stop::Problem(problem)) => Ok(Some(Err(problem))),
            Err(Stop::Objects(names)) => {
                for name in names {
                    if !self.0.contains(&name) {
                        self.0.push(name);
                    }
                }
                Ok(None)
            }
            Err(listing @ Stop::Listing { .. }) => Err(listing),
        }
    }

    /// Asks for what is missing.
    pub(super) fn finish(self) -> Result<(), Stop> {
        if self.0.is_empty() { Ok(()) } else { Err(Stop::Objects(self.0)) }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor).map(Items)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array of at most {MAX_ITEMS} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            if items.len() >= MAX_ITEMS {
                return Err(A::Error::custom(format_args!("more than {MAX_ITEMS} items")));
            }
            items.push(item);
        }
        Ok(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_stops_at_the_first_item_too_many() {
        let read = |text: &str| serde_json::from_str::<Items<'_>>(text).map(|items| items.0.len());
        let array = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
        assert_eq!(read(&array(MAX_ITEMS)).unwrap(), MAX_ITEMS);
        assert!(read(&array(MAX_ITEMS + 1)).unwrap_err().is_data());
        assert!(read("{}").is_err() && read("[1").is_err());
    }

    #[test]
    fn answers_are_bounded_before_something_is_signed() {
        let mut room = Room::default();
        room.take(MAX_ANSWERS);
        assert!(room.check().is_ok());
        room.take(1);
        assert!(room.check().is_err());
    }

    #[test]
    fn what_is_missing_is_asked_for_once() {
        let mut missing = Missing::default();
        assert!(matches!(missing.note(Ok(1)), Ok(Some(Ok(1)))));
        for names in [vec!["wallet/a".to_owned()], vec!["wallet/b".to_owned(), "wallet/a".to_owned()]] {
            assert!(matches!(missing.note::<()>(Err(Stop::Objects(names))), Ok(None)));
        }
        let Err(Stop::Objects(names)) = missing.finish() else { panic!("nothing is missing") };
        assert_eq!(names, ["wallet/a", "wallet/b"]);
    }
}
