//! `POST /v1/policy`: a new policy bundle, signed by the admins.

use std::sync::Arc;

use serde::Serialize;
use signer_rules::{bundle::SignedBundle, hex_bytes::HexBytes, name::Name};
use signer_shared::message::Write;

use super::{Answer, Call, Code, Problem, Stop, objects::Stored, success};
use crate::boot::{Adoption, Enclave, Kind, is_allowed};

#[derive(Serialize)]
struct Pushed {
    version: u64,
    digest: HexBytes<32>,
    in_force: bool,
    phase: &'static str,
    missing_keyrings: Vec<Name>,
}

/// Judges the bundle in the body, and has the host store it for the whole fleet. It comes into force
/// when the host provisions it, which it does once it is stored: 202 says that, 200 that it is in
/// force.
pub(super) async fn push(enclave: &Arc<Enclave>, call: Call) -> Answer {
    call.without_query()?;
    let state = enclave.state();
    let configured = state.configured().filter(|_| is_allowed(Kind::PushPolicy, state.phase()));
    let Some(configured) = configured else {
        return Err(Problem::new(Code::NotReady, "the enclave has no configuration yet; try again").into());
    };
    let signed = SignedBundle::verify(&call.body, &configured.configuration)
        .map_err(|error| Problem::new(Code::PolicyInvalid, error.to_string()))?;
    let object = object_name(signed.bundle.version);
    let write = match call.objects.get(&object) {
        Stored::Unknown => return Err(Stop::Objects(vec![object])),
        Stored::Absent => Some(Write { name: object, content: call.body.clone().into() }),
        // Stored by another host of the fleet, perhaps with other signatures.
        Stored::Present(stored) => match SignedBundle::verify(stored, &configured.configuration) {
            Ok(stored) if stored.digest == signed.digest => None,
            _ => {
                let detail = format!("another bundle of version {} is stored", signed.bundle.version);
                return Err(Problem::new(Code::PolicyConflict, detail).into());
            }
        },
    };
    let task = {
        let enclave = enclave.clone();
        // A task of its own: a client that goes away must not leave keyrings half opened.
        tokio::spawn(async move { enclave.try_policy(&call.body, &call.objects).await })
    };
    let adoption = task.await.map_err(|_| Problem::new(Code::Internal, "the bundle was not judged"))?;
    match adoption.map_err(Problem::from)? {
        Adoption::NeedObjects(names) => Err(Stop::Objects(names)),
        Adoption::InForce { missing } => {
            // As it is now: another connection may have provisioned the bundle meanwhile.
            let state = enclave.state();
            let in_force = state.configured().is_some_and(|now| now.bundle.digest == signed.digest);
            let pushed = Pushed {
                version: signed.bundle.version,
                digest: signed.digest,
                in_force,
                phase: state.phase().as_str(),
                missing_keyrings: missing,
            };
            success(if in_force { 200 } else { 202 }, &pushed, write.into_iter().collect())
        }
    }
}

/// Versions sort as text.
fn object_name(version: u64) -> String {
    format!("policy/{version:020}")
}
