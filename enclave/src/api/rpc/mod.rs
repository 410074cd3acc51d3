//! JSON-RPC 2.0 for the usual clients: `/rpc/{chain_id}`, `/rpc`, `/v1/wallets/{w}/rpc/{chain_id}`, and their `/geth` forms.
//!
//! The methods are those that sign, and the few that clients ask before they do. Everything else of a node's methods is not
//! found: the enclave has no chain. Each request is decided, signed and recorded as `POST /v1/wallets/{w}/sign` would be.

mod envelope;
mod fault;
mod geth;
mod methods;

use serde_json::value::RawValue;
use signer_shared::message::ApiResponse;

use super::{
    Call, Code, Problem, Stop,
    answer::Reply,
    batch::{MAX_ITEMS, Missing, Room, still_in_force},
    decision::{Repeatable, spend, who},
    success,
};
use crate::boot::{Enclave, Ready};
use envelope::{Body, Request, Response};
use fault::Fault;
use methods::{Context, Plan};

/// What a path says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint<'a> {
    /// The wallet whose accounts sign; none: every wallet's.
    wallet: Option<&'a str>,
    /// The chain that is signed for; none: each transaction must name its own.
    chain_id: Option<u64>,
    /// Whether `eth_signTransaction` answers `{raw, tx}`, as geth does, or the raw transaction, as ethers and viem expect.
    geth: bool,
}

/// Answers a request or a batch of them. `rest` is what follows `rpc` in the path.
pub(super) async fn answer(
    enclave: &Enclave,
    ready: &Ready,
    call: &Call,
    wallet: Option<&str>,
    rest: &[&str],
) -> Result<Reply, Stop> {
    call.without_query()?;
    let endpoint = Endpoint::new(wallet, rest)?;
    let caller = who(enclave, ready, call)?;
    let context = Context { enclave, ready, call, caller: &caller, endpoint };
    match Body::read(&call.body) {
        Err(fault) => respond(&Response::fault(None, &fault, call.request_id()), false),
        Ok(Body::One(request)) => {
            let mut answers = answer_all(&context, vec![request], false).await?;
            match answers.responses.pop() {
                Some(response) => respond(&response, answers.evident),
                None => Ok(no_content().into()),
            }
        }
        Ok(Body::Many(requests)) => {
            let Answers { responses, evident } = answer_all(&context, requests, true).await?;
            if responses.is_empty() { Ok(no_content().into()) } else { respond(&responses, evident) }
        }
    }
}

/// A request on its way: its place in the batch, its id, and what to do.
struct Planned<'a> {
    item: Option<u32>,
    id: Option<&'a RawValue>,
    plan: Result<Plan<'a>, Fault>,
}

/// The responses to all requests of a body.
struct Answers<'a> {
    responses: Vec<Response<'a>>,
    /// Whether all of them are signatures.
    evident: bool,
}

/// Plans all, then carries out all: once something is signed, nothing more may have to be fetched.
async fn answer_all<'a>(
    context: &Context<'a>,
    requests: Vec<Result<Request<'a>, Fault>>,
    is_batch: bool,
) -> Result<Answers<'a>, Stop> {
    let mut missing = Missing::default();
    let mut planned = Vec::new();
    for (index, request) in requests.into_iter().enumerate() {
        let item = u32::try_from(index).ok().filter(|_| is_batch);
        let request = match request {
            Ok(request) => request,
            Err(fault) => {
                planned.push(Planned { item, id: None, plan: Err(fault) });
                continue;
            }
        };
        // A notification: nobody would get the signature, so none is made.
        let Some(id) = request.id else { continue };
        let plan = match methods::plan(context, &request) {
            Ok(plan) => Ok(plan),
            Err(stop) => match missing.note::<Plan<'a>>(Err(stop))? {
                Some(Err(problem)) => Err(Fault::Problem(problem)),
                // To be asked again; what stands here is not shown.
                _ => Err(Fault::Problem(Problem::new(Code::Internal, "an object is missing"))),
            },
        };
        planned.push(Planned { item, id: Some(id), plan });
        tokio::task::yield_now().await;
    }
    missing.finish()?;
    spend(context.enclave, context.caller, Repeatable::No)?;

    let mut responses = Vec::with_capacity(planned.len());
    let mut evident = true;
    let mut room = Room::default();
    let mut listed = None;
    for Planned { item, id, plan } in planned {
        evident &= matches!(plan, Ok(Plan::Sign(_)));
        let mut outcome = plan;
        if let Err(problem) = still_in_force(context.enclave, context.ready).and_then(|()| room.check()) {
            outcome = Err(Fault::Problem(problem));
        }
        let outcome = match outcome {
            Ok(Plan::Accounts(None)) => match &listed {
                // Opening wallets is work: once for all that ask.
                Some(accounts) => Ok(Box::<RawValue>::clone(accounts)),
                None => methods::all_accounts(context, item)
                    .await
                    .inspect(|accounts| listed = Some(accounts.clone())),
            },
            Ok(plan) => methods::carry_out(context, plan, item),
            Err(fault) => Err(fault),
        };
        responses.push(match outcome {
            Ok(result) => {
                room.take(result.get().len());
                Response::result(id, result)
            }
            Err(Fault::Stop(stop)) => return Err(stop),
            Err(fault) => {
                evident = false;
                Response::fault(id, &fault, context.call.request_id())
            }
        });
        tokio::task::yield_now().await;
    }
    Ok(Answers { responses, evident })
}

/// Errors too are 200: the transport worked.
fn respond(body: &impl serde::Serialize, evident: bool) -> Result<Reply, Stop> {
    Ok(Reply { response: success(200, body, Vec::new())?, evident })
}

/// The answer to notifications.
fn no_content() -> ApiResponse {
    ApiResponse { status: 204, headers: Vec::new(), body: Vec::new().into(), writes: Vec::new() }
}

impl<'a> Endpoint<'a> {
    fn new(wallet: Option<&'a str>, rest: &[&str]) -> Result<Self, Problem> {
        let (chain_id, geth) = match rest {
            [] => (None, false),
            ["geth"] => (None, true),
            [chain] => (Some(chain_id(chain)?), false),
            [chain, "geth"] => (Some(chain_id(chain)?), true),
            _ => {
                return Err(Problem::new(
                    Code::NotFound,
                    "JSON-RPC is at /rpc/{chain_id} and /rpc/{chain_id}/geth",
                ));
            }
        };
        Ok(Self { wallet, chain_id, geth })
    }
}

/// A chain id in decimal, in its one spelling.
fn chain_id(text: &str) -> Result<u64, Problem> {
    let canonical = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| canonical)
        .ok_or_else(|| Problem::new(Code::NotFound, "a chain id is a decimal number, as in /rpc/1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_chain_and_shape() {
        let of =
            |rest: &[&str]| Endpoint::new(Some("treasury"), rest).map(|found| (found.chain_id, found.geth));
        assert_eq!(of(&[]), Ok((None, false)));
        assert_eq!(of(&["geth"]), Ok((None, true)));
        assert_eq!(of(&["1"]), Ok((Some(1), false)));
        assert_eq!(of(&["137", "geth"]), Ok((Some(137), true)));
        for rest in [
            &["0"][..],
            &["01"],
            &["+1"],
            &["0x1"],
            &["1", "other"],
            &["geth", "1"],
            &["18446744073709551616"],
        ] {
            assert!(of(rest).is_err(), "{rest:?}");
        }
    }
}
