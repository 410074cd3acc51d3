//! `POST /v1/sessions`: a client that signs with its key gets a ticket, and signs the next requests with a MAC.

use serde::{Deserialize, Serialize};
use signer_rules::{hex_bytes::HexBytes, name::Name, timestamp::Timestamp};

use super::{
    Answer, Call, Code, Problem,
    decision::{Repeatable, denial, spend, who},
    success,
};
use crate::{
    audit::Entry,
    auth::{Opening, Proof},
    boot::{Enclave, Ready},
};

/// The shortest session, in seconds.
const SHORTEST_S: u32 = 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRequest {
    /// The client's X25519 public key, made for this session.
    public_key: HexBytes<32>,
    lifetime_s: u32,
    /// The only role that the session has.
    #[serde(default)]
    role: Option<Name>,
}

#[derive(Serialize)]
struct SessionAnswer<'a> {
    id: HexBytes<16>,
    ticket: String,
    expires: Timestamp,
    /// The enclave's X25519 public key, which the attested statement names.
    public_key: HexBytes<32>,
    keyring: &'a Name,
}

/// Opens a session for the client whose key signed the request.
pub(super) fn open(enclave: &Enclave, ready: &Ready, call: &Call) -> Answer {
    call.without_query()?;
    let caller = who(enclave, ready, call)?;
    let request: SessionRequest = call.json()?;
    spend(enclave, &caller, Repeatable::No)?;
    let now = enclave.clock().now()?;
    let key = match &caller.proof {
        Proof::Key(key) => Some(key),
        Proof::None | Proof::Session => None,
    };
    let record = |opened: Option<(HexBytes<16>, Timestamp)>| {
        let receipt = enclave.audit().record(
            now,
            &Entry::Session {
                client: &caller.client,
                key: key.map(|key| &key.id),
                role: request.role.as_ref(),
                request_digest: call.digest(),
                allowed: opened.is_some(),
                id: opened.map(|(id, _)| id),
                expires: opened.map(|(_, expires)| expires),
                policy_version: ready.configured.policy.version(),
            },
        );
        call.keep(receipt);
    };
    if let Some(problem) = ready.configured.policy.untimely(now).as_ref().and_then(denial) {
        record(None);
        return Err(problem.into());
    }
    let Some(key) = key else {
        record(None);
        return Err(denied("a session is opened by a request that is signed with a client's key").into());
    };
    let limits = ready.configured.directory.session_limits(&caller.client);
    let Some(limits) = limits else {
        record(None);
        return Err(denied("the policy bundle has no sessions for this client").into());
    };
    if !(SHORTEST_S..=limits.longest_s).contains(&request.lifetime_s) {
        let range = format!("is a number from {SHORTEST_S} to {}", limits.longest_s);
        return Err(Problem::malformed(range).of_field("lifetime_s").into());
    }
    if request.role.as_ref().is_some_and(|role| !limits.roles.contains(role)) {
        record(None);
        return Err(denied("the client does not have the role that it asks for").into());
    }
    let sessions = ready.configured.sessions.as_ref();
    let sessions = sessions.ok_or_else(|| Problem::new(Code::KeyringMissing, "sessions need a keyring"))?;
    let expires = now.seconds().saturating_add(u64::from(request.lifetime_s));
    let opening = Opening {
        client: &caller.client,
        role: request.role.as_ref(),
        key,
        public_key: request.public_key,
        opened: now.seconds(),
        expires,
    };
    let opened = sessions.open(&opening).map_err(|_| {
        Problem::malformed("is not an X25519 public key to agree on a secret with").of_field("public_key")
    })?;
    let expires = Timestamp::from_seconds(expires);
    record(Some((opened.id, expires)));
    enclave.events().info("session_opened", &[("client", &caller.client), ("id", &opened.id)]);
    let answer = SessionAnswer {
        id: opened.id,
        ticket: opened.ticket,
        expires,
        public_key: sessions.public_key(),
        keyring: sessions.keyring(),
    };
    success(201, &answer, Vec::new())
}

fn denied(detail: &str) -> Problem {
    Problem::new(Code::PolicyDenied, detail)
}
