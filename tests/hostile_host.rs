//! A hostile host in the middle: one test for each thing that it can supply, withhold, replay or
//! forge, and for what stops it. The enclave is the real library in a process of its own; the host,
//! its tunnel to KMS and its credentials service are in the test's hands.

#[path = "hostile_host/appliance.rs"]
mod appliance;
#[path = "hostile_host/forgery.rs"]
mod forgery;
#[path = "hostile_host/kms_client.rs"]
mod kms_client;
#[path = "hostile_host/services.rs"]
mod services;
#[path = "hostile_host/session.rs"]
mod session;
#[path = "hostile_host/wire.rs"]
mod wire;
#[path = "hostile_host/world.rs"]
mod world;

#[path = "hostile_host/answers.rs"]
mod answers;
#[path = "hostile_host/approvals.rs"]
mod approvals;
#[path = "hostile_host/attestation.rs"]
mod attestation;
#[path = "hostile_host/audit_log.rs"]
mod audit_log;
#[path = "hostile_host/boot.rs"]
mod boot;
#[path = "hostile_host/bundles.rs"]
mod bundles;
#[path = "hostile_host/configurations.rs"]
mod configurations;
#[path = "hostile_host/credentials.rs"]
mod credentials;
#[path = "hostile_host/frames.rs"]
mod frames;
#[path = "hostile_host/keyrings.rs"]
mod keyrings;
#[path = "hostile_host/kms_access.rs"]
mod kms_access;
#[path = "hostile_host/kms_answers.rs"]
mod kms_answers;
#[path = "hostile_host/kms_policy.rs"]
mod kms_policy;
#[path = "hostile_host/limits.rs"]
mod limits;
#[path = "hostile_host/listings.rs"]
mod listings;
#[path = "hostile_host/nonces.rs"]
mod nonces;
#[path = "hostile_host/objects.rs"]
mod objects;
#[path = "hostile_host/requests.rs"]
mod requests;
#[path = "hostile_host/rules.rs"]
mod rules;
#[path = "hostile_host/sessions.rs"]
mod sessions;
#[path = "hostile_host/signatures.rs"]
mod signatures;
#[path = "hostile_host/two_accounts.rs"]
mod two_accounts;
