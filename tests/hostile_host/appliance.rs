//! A ready enclave with a wallet, under policy bundles that the test writes.

use std::{process::Command, time::Duration};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use signer_rules::{
    authority::{AdminKey, Genesis},
    hex_bytes::HexBytes,
};
use signer_shared::message::{ApiRequest, ApiResponse, Header, Request, Response};
use signer_tests::stack::{Client, Host, KEYRING, Process, Store, binary};
use tokio::time::sleep;

use crate::{
    services::{Services, now_ms},
    world::{World, create_wallet, problem, status},
};

/// The wallet that is there from the start.
pub(crate) const WALLET: &str = "treasury";
/// Where it signs.
pub(crate) const SIGN: &str = "/v1/wallets/treasury/sign";

/// A ready enclave and its host, in the test's hands.
pub(crate) struct Appliance {
    pub(crate) world: World,
    pub(crate) host: Host,
    /// The bundle in force.
    pub(crate) bundle: Value,
    /// The wallet, as its creation showed it.
    pub(crate) wallet: Value,
}

/// A second enclave under the same configuration, with the same keys.
pub(crate) struct SecondEnclave {
    pub(crate) host: Host,
    _enclave: Process,
    _services: Services,
}

impl Appliance {
    /// With these clients and rules. The wallet was made before, by others.
    pub(crate) async fn new(clients: Value, rules: Value) -> Self {
        let world = World::booting().await;
        let mut host = world.host().await;
        let booted_s = now_ms() / 1000;
        let fingerprint = world.make_ready(&mut host).await;
        let wallet = create_wallet(&mut host, WALLET).await;
        let bundle = world.stack.bundle(2, None, &[(KEYRING, &fingerprint)], &json!([]));
        let mut appliance = Self { world, host, bundle, wallet };
        appliance
            .adopt(|bundle| {
                bundle["clients"] = clients;
                bundle["rules"] = rules;
            })
            .await;
        after(booted_s).await;
        appliance
    }

    /// With one client that signs, and the rules that allow it everything.
    pub(crate) async fn with_client() -> (Self, Client) {
        let client = Client::ed25519("backend-1", &authority(), 41);
        (Self::new(json!([entry(&client, "backend")]), allow("everything", &json!({}))).await, client)
    }

    /// Puts the next bundle in force.
    pub(crate) async fn adopt(&mut self, change: impl FnOnce(&mut Value)) {
        let now = status(&mut self.host).await;
        let version = now.policy_version.expect("configured") + 1;
        self.bundle["version"] = json!(version);
        self.bundle["previous"] = json!(now.policy_digest);
        change(&mut self.bundle);
        let answer = self.world.provision(&mut self.host, &self.world.stack.sign_bundle(&self.bundle)).await;
        assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
        assert_eq!(status(&mut self.host).await.policy_version, Some(version), "{answer:?}");
    }

    /// Another boot with the same store, under the same bundle.
    pub(crate) async fn restart(&mut self) {
        let store = std::mem::take(&mut self.host.store);
        self.host = self.world.reboot(store).await;
        let booted_s = now_ms() / 1000;
        let answer = self.world.provision(&mut self.host, &self.world.stack.sign_bundle(&self.bundle)).await;
        assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
        after(booted_s).await;
    }

    /// Starts another enclave beside the first, on the same store.
    pub(crate) async fn second_enclave(&self) -> SecondEnclave {
        let folder = self.world.stack.path("2");
        std::fs::create_dir(&folder).expect("a writable folder");
        let services = Services::start(&folder, self.world.stack.kms.address()).await;
        let mut command = Command::new(binary("emulated-enclave"));
        command.arg("--authority-dir").arg(self.world.stack.path("")).arg("--sockets").arg(&folder);
        command.arg("--kms-roots").arg(self.world.stack.path("kms-roots.pem"));
        let enclave = Process::start(command, &folder.join("enclave.log"));
        let mut host = loop {
            if let Ok(host) = Host::connect(&folder.join("enclave.sock")).await {
                break host;
            }
            sleep(Duration::from_millis(10)).await;
        };
        let booted_s = now_ms() / 1000;
        host.store.clone_from(&self.host.store);
        let answer = self.world.provision(&mut host, &self.world.stack.sign_bundle(&self.bundle)).await;
        assert!(matches!(answer, Response::Provisioned { .. }), "{answer:?}");
        after(booted_s).await;
        SecondEnclave { host, _enclave: enclave, _services: services }
    }

    /// How much this boot has signed.
    pub(crate) async fn signatures(&mut self) -> u64 {
        status(&mut self.host).await.signatures
    }

    /// The digest of the bundle in force.
    pub(crate) async fn policy_digest(&mut self) -> String {
        status(&mut self.host).await.policy_digest.expect("configured")
    }

    /// Sends a request as it is, with what the enclave needs from the store. Returns status and code.
    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[Header],
        body: &str,
    ) -> (u16, String) {
        problem(&self.answer(method, path, headers, body).await)
    }

    /// The same; returns the whole answer.
    pub(crate) async fn answer(
        &mut self,
        method: &str,
        path: &str,
        headers: &[Header],
        body: &str,
    ) -> ApiResponse {
        self.host.api_with(method, path, headers, body.as_bytes()).await.expect("an answer")
    }

    /// Has the wallet sign something for a client. Returns the whole answer.
    pub(crate) async fn sign(&mut self, client: &Client, body: &str) -> ApiResponse {
        self.answer("POST", SIGN, &client.sign("POST", SIGN, body.as_bytes()), body).await
    }

    /// The same; returns status and code.
    pub(crate) async fn try_sign(&mut self, client: &Client, body: &str) -> (u16, String) {
        problem(&self.sign(client, body).await)
    }

    /// One round of a request, with these objects and no others.
    pub(crate) async fn once(&mut self, request: ApiRequest) -> Response {
        self.host.ask(Request::Api(request)).await.expect("an answer")
    }

    /// The wallet's first EVM address, in lower case.
    pub(crate) fn address(&self) -> String {
        let address = &self.wallet["accounts"][0]["addresses"]["evm"];
        address.as_str().expect("an address").to_ascii_lowercase()
    }

    /// The wallet's first Solana address.
    pub(crate) fn solana_key(&self) -> [u8; 32] {
        let address = &self.wallet["accounts"][1]["addresses"]["solana"];
        let key = bs58::decode(address.as_str().expect("an address")).into_vec().expect("base58");
        key.try_into().expect("32 bytes")
    }

    /// Everything that the host stores.
    pub(crate) fn store(&self) -> Store {
        self.host.store.clone()
    }
}

/// The authority of every stack, in hexadecimal.
pub(crate) fn authority() -> String {
    let mut admins =
        [1u8, 2, 3].map(|seed| AdminKey::from(SigningKey::from_bytes(&[seed; 32]).verifying_key()));
    admins.sort_by_key(|admin| admin.key().to_bytes());
    let genesis = Genesis { appliance_id: HexBytes([7; 32]), admins: admins.to_vec(), threshold: 2 };
    genesis.authority_id().expect("an authority").to_string()
}

/// Waits until a second has passed that an enclave began in: what clients sign in it is refused, because their clocks
/// show whole seconds.
async fn after(second: u64) {
    while now_ms() / 1000 <= second {
        sleep(Duration::from_millis(20)).await;
    }
}

/// A client's entry in a bundle.
pub(crate) fn entry(client: &Client, id: &str) -> Value {
    client.entry(id).expect("a client with a key")
}

/// A rule that allows everything that has a signature, with more members; nonces are not guarded unless these say so.
pub(crate) fn allow(id: &str, more: &Value) -> Value {
    let operations: Vec<&str> =
        signer_rules::bundle::Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    json!([rule(id, &merged(&json!({"operations": operations, "nonce": "unguarded"}), more))])
}

/// A rule that allows, with these members.
pub(crate) fn rule(id: &str, members: &Value) -> Value {
    merged(&json!({"id": id, "effect": "allow"}), members)
}

/// The first object with the members of the second; null takes one away.
pub(crate) fn merged(first: &Value, second: &Value) -> Value {
    let mut object = first.as_object().expect("an object").clone();
    for (name, value) in second.as_object().expect("an object") {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    Value::Object(object)
}

/// The first object with the members of the second, null among them.
pub(crate) fn over(first: &Value, second: &Value) -> Value {
    let mut object = first.as_object().expect("an object").clone();
    object.extend(second.as_object().expect("an object").clone());
    Value::Object(object)
}

/// A request for a signature over a text.
pub(crate) fn message(text: &str) -> String {
    json!({"type": "evm.message", "text": text}).to_string()
}

/// A request for a signature of a payment, changed by these members; null takes one away.
pub(crate) fn payment(changes: &Value) -> String {
    let base = json!({
        "chainId": 1, "nonce": "0x0", "to": "0x3535353535353535353535353535353535353535", "value": "1",
        "gas": "0x5208", "maxFeePerGas": "20000000000", "maxPriorityFeePerGas": "1000000000"
    });
    json!({"type": "evm.transaction", "transaction": merged(&base, changes)}).to_string()
}

/// Refused, because nobody in the bundle sent it so.
pub(crate) fn unauthenticated() -> (u16, String) {
    (401, "unauthenticated".into())
}

/// Refused by the rules.
pub(crate) fn denied() -> (u16, String) {
    (403, "policy_denied".into())
}

/// Answered.
pub(crate) fn signed() -> (u16, String) {
    (200, String::new())
}
