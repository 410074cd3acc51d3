//! An enclave among enemies.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_rules::configuration::{PolicyCheck, SignedConfiguration};
use signer_shared::message::{ApiResponse, RefusalCode, Request, Response, Status};
use signer_tests::stack::{
    Host, KEYRING, PATIENT_AUDIT, Stack, StackOptions, Store, allow_everything, sign_configuration,
};
use tokio::time::sleep;

use crate::services::Services;

/// An appliance whose host is the test.
pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) services: Services,
}

impl World {
    /// An enclave that has just started and knows nothing.
    pub(crate) async fn booting() -> Self {
        Self::of(StackOptions::default()).await
    }

    /// The same, with a key policy that lets the account do everything, attested or not: whatever is
    /// refused then, is refused by the enclave.
    pub(crate) async fn with_careless_key_policy() -> Self {
        let policy_check = PolicyCheck::Report;
        Self::of(StackOptions { pinned_policy: false, policy_check, ..StackOptions::default() }).await
    }

    /// An enclave that has just started, of a stack with other options.
    pub(crate) async fn of(options: StackOptions) -> Self {
        let stack = Stack::start(StackOptions { without_host: true, ..options }).await;
        let services = Services::start(&stack.path(""), stack.kms.address()).await;
        Self { stack, services }
    }

    /// An enclave that is configured, with a bundle that has no keyring.
    pub(crate) async fn configured() -> (Self, Host) {
        let world = Self::booting().await;
        let mut host = world.host().await;
        world.configure(&mut host).await;
        (world, host)
    }

    /// An enclave that signs whatever it is asked for. The host's store has its keyring.
    pub(crate) async fn ready() -> (Self, Host) {
        let world = Self::booting().await;
        let mut host = world.host().await;
        world.make_ready(&mut host).await;
        (world, host)
    }

    /// A connection to the enclave, as soon as it listens.
    pub(crate) async fn host(&self) -> Host {
        for _ in 0..1000 {
            if let Ok(host) = Host::connect(&self.stack.enclave_socket()).await {
                return host;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the enclave does not listen\n{}", self.stack.logs());
    }

    /// Another boot of the same image, on a connection whose host has the same store.
    pub(crate) async fn reboot(&mut self, store: Store) -> Host {
        self.stack.kill_enclave();
        self.stack.start_enclave();
        let mut host = self.host().await;
        host.store = store;
        host
    }

    /// Provisions the first bundle.
    pub(crate) async fn configure(&self, host: &mut Host) {
        self.provision(host, &self.first_bundle()).await;
        assert_eq!(status(host).await.phase.as_str(), "configured");
    }

    /// From booting to ready; returns the keyring's fingerprint.
    pub(crate) async fn make_ready(&self, host: &mut Host) -> String {
        self.configure(host).await;
        let fingerprint = self.create_keyring(host).await;
        self.provision(host, &self.second_bundle(&fingerprint)).await;
        assert_eq!(status(host).await.phase.as_str(), "ready");
        fingerprint
    }

    /// Has the keyring made and stores it; returns its fingerprint.
    pub(crate) async fn create_keyring(&self, host: &mut Host) -> String {
        let request = self.stack.keyring_request(KEYRING);
        let answer = host.api("POST", "/v1/keyrings", request.as_bytes()).await.expect("an answer");
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
        commit(host, &answer);
        json_of(&answer)["keyring"]["fingerprint"].as_str().expect("a fingerprint").to_owned()
    }

    /// Provisions a signed bundle under the right configuration.
    pub(crate) async fn provision(&self, host: &mut Host, bundle: &str) -> Response {
        host.provision(&self.stack.configuration_envelope, bundle).await.expect("an answer")
    }

    /// Version 1, without keyrings.
    pub(crate) fn first_bundle(&self) -> String {
        std::fs::read_to_string(self.stack.path("policy.dsse.json")).expect("the stack wrote it")
    }

    /// Version 2, with the keyring and rules that allow everything.
    pub(crate) fn second_bundle(&self, fingerprint: &str) -> String {
        let keyrings = [(KEYRING, fingerprint)];
        self.stack.sign_bundle(&self.stack.bundle(2, None, &keyrings, &allow_everything()))
    }

    /// The KMS keys of the configuration.
    pub(crate) fn kms_keys(&self) -> Vec<Vec<String>> {
        let shares = &self.stack.configuration.configuration.kms.shares;
        shares.iter().map(|share| share.keys.iter().map(|key| key.arn.clone()).collect()).collect()
    }

    /// The errors that KMS has answered so far.
    pub(crate) fn kms_errors(&self) -> Vec<String> {
        let error = |event: &Value| event["errorCode"].as_str().map(str::to_owned);
        self.stack.kms.trail().iter().filter_map(error).collect()
    }

    /// Another authority, whose admins are the attacker, over the same KMS keys. Its enclaves do not mind
    /// that the key policy is for ours.
    pub(crate) fn foreign_authority(&self) -> ([SigningKey; 3], SignedConfiguration, String) {
        let admins = [11u8, 12, 13].map(|seed| SigningKey::from_bytes(&[seed; 32]));
        let (configuration, envelope) =
            sign_configuration(&admins, &self.kms_keys(), 7, PATIENT_AUDIT, PolicyCheck::Report);
        (admins, configuration, envelope)
    }
}

/// Stores what an answer wants written.
pub(crate) fn commit(host: &mut Host, answer: &ApiResponse) {
    for write in &answer.writes {
        host.store.insert(write.name.clone(), write.content.to_vec());
    }
}

/// The code of a refusal.
pub(crate) fn refusal(response: Response) -> RefusalCode {
    match response {
        Response::Refused { code, .. } => code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The enclave's status.
pub(crate) async fn status(host: &mut Host) -> Status {
    match host.ask(Request::Status {}).await.expect("an answer") {
        Response::Status(status) => status,
        other => panic!("no status: {other:?}"),
    }
}

/// The body of an answer.
pub(crate) fn json_of(answer: &ApiResponse) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

/// Status and code of an answer that is a problem.
pub(crate) fn problem(answer: &ApiResponse) -> (u16, String) {
    (answer.status, json_of(answer)["code"].as_str().unwrap_or_default().to_owned())
}

/// A request's answer, whatever it is.
pub(crate) async fn api(host: &mut Host, method: &str, path: &str, body: &str) -> ApiResponse {
    host.api(method, path, body.as_bytes()).await.expect("an answer")
}

/// Creates a wallet and stores it; returns it.
pub(crate) async fn create_wallet(host: &mut Host, name: &str) -> Value {
    let answer = api(host, "POST", "/v1/wallets", &wallet_request(name)).await;
    assert_eq!(answer.status, 201, "{}", json_of(&answer));
    commit(host, &answer);
    json_of(&answer)
}

/// The name of a wallet's object.
pub(crate) fn wallet_object(name: &str) -> String {
    format!("wallet/{KEYRING}.{name}")
}

/// A request for a wallet.
pub(crate) fn wallet_request(name: &str) -> String {
    json!({"name": name, "kind": "hd"}).to_string()
}

/// A request for a signature.
pub(crate) fn sign_request() -> String {
    let to = "0x3535353535353535353535353535353535353535";
    json!({"type": "evm.transaction", "transaction": {
        "chainId": 1, "nonce": "0x0", "to": to, "value": "1", "gas": "0x5208",
        "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    }})
    .to_string()
}

/// Asks a wallet for a signature.
pub(crate) async fn sign(host: &mut Host, wallet: &str) -> ApiResponse {
    api(host, "POST", &format!("/v1/wallets/{wallet}/sign"), &sign_request()).await
}
