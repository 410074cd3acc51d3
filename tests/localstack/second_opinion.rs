//! An enclave whose keyring was made by the emulator and is to be opened by LocalStack.

use std::{collections::HashMap, env, sync::Arc};

use aws_sdk_kms::{Client, primitives::Blob, types::Tag};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use signer_eif::verify::Root;
use signer_enclave::{
    attestation::Nsm,
    clock::Clock,
    kms::{Kms, Trust},
};
use signer_rules::configuration::KmsKey;
use signer_shared::{
    address::Address,
    message::{RefusalCode, Response},
};
use signer_tests::{
    kms::{PrincipalSpec, sdk_client},
    localstack::{Change, Forwarder},
    nsm::{NsmOptions, SoftwareNsm},
    pki::{AttestationAuthority, TlsAuthority},
    stack::{ACCOUNT, Host, KEYRING},
};

use crate::{
    kms_client::of_the_role,
    services::now_ms,
    world::{World, refusal, status},
};

/// The variable with LocalStack's address.
const ADDRESS: &str = "NITRO_SIGNER_LOCALSTACK";

/// An enclave that has just been started, with a tunnel to LocalStack.
pub(crate) struct SecondOpinion {
    pub(crate) world: World,
    /// Its store has a keyring whose data key LocalStack wraps.
    pub(crate) host: Host,
    pub(crate) forwarder: Forwarder,
    /// The KMS key: the emulator and LocalStack have one each by this ARN.
    pub(crate) key: KmsKey,
    /// The bundle that names the keyring's fingerprint, as the emulator's data key gave it.
    bundle: String,
    localstack: Client,
}

impl SecondOpinion {
    /// Makes a keyring with the emulator, and moves its data key to LocalStack. (LocalStack cannot make it: it answers
    /// `GenerateDataKey` with a plaintext.) The emulator's key policy lets the test see the data key for that.
    pub(crate) async fn on_a_keyring() -> Self {
        let localstack = localstack();
        let mut world = World::with_careless_key_policy().await;
        let mut host = world.host().await;
        let fingerprint = world.make_ready(&mut host).await;
        let key = world.stack.configuration.configuration.kms.shares[0].keys[0].clone();
        let tls = TlsAuthority::load_or_create(&world.stack.path("")).expect("the stack's root");
        let attestation =
            AttestationAuthority::load_or_create(&world.stack.path("")).expect("the stack's root");
        let root = Root::from_der(attestation.root_der()).expect("a certificate");
        let forwarder = Forwarder::start(&localstack, &tls, &key.endpoint, root).await.expect("a free port");
        // LocalStack takes an account's number for an access key of it.
        let owner = PrincipalSpec::permanent(ACCOUNT, "not looked at", "");
        let client = sdk_client(forwarder.address(), tls.root_der(), owner, "us-east-1").expect("a root");
        let mut opinion = Self {
            bundle: world.second_bundle(&fingerprint),
            host: world.reboot(host.store).await,
            world,
            forwarder,
            key,
            localstack: client,
        };
        opinion.create_key().await;
        opinion.move_data_key().await;
        opinion.world.services.lead_to(opinion.forwarder.address());
        opinion.forwarder.take_answers();
        opinion
    }

    /// The enclave's KMS client in this process, with the same tunnel.
    pub(crate) fn client(&self) -> Kms {
        let folder = self.world.stack.path("");
        let authority = Arc::new(AttestationAuthority::load_or_create(&folder).expect("the stack's root"));
        let nsm = Nsm::new(Arc::new(SoftwareNsm::new(authority, NsmOptions::default())));
        let clock = Clock::default();
        clock.set(now_ms());
        let tls = TlsAuthority::load_or_create(&folder).expect("the stack's root");
        let trust = Trust::of_image(tls.root_pem().as_bytes()).expect("a root");
        let socket = |name: &str| Address::Unix(folder.join(name));
        Kms::new(nsm, clock, &trust, socket("kms.sock"), socket("credentials.sock")).expect("a client")
    }

    /// LocalStack's ciphertext of a data key of the keyring.
    pub(crate) async fn wrap(&self, data_key: &[u8]) -> Vec<u8> {
        let request = self.localstack.encrypt().key_id(&self.key.arn).plaintext(Blob::new(data_key));
        let made = request.set_encryption_context(Some(self.encryption_context())).send().await;
        made.expect("LocalStack encrypts").ciphertext_blob.expect("a ciphertext").into_inner()
    }

    /// Has the enclave open the keyring.
    pub(crate) async fn provision(&mut self) -> Response {
        self.world.provision(&mut self.host, &self.bundle).await
    }

    /// The enclave does not open the keyring, and its status says why.
    pub(crate) async fn is_refused_with(&mut self, expected: &str) {
        let refused = self.provision().await;
        assert_eq!(refusal(refused), RefusalCode::KmsFailed);
        let status = status(&mut self.host).await;
        assert_eq!(status.phase.as_str(), "configured");
        let problem = status.problem.unwrap_or_default();
        assert!(problem.contains(expected), "{problem:?} does not say {expected:?}");
    }

    /// The same enclave opens it when the envelope's form is changed: nothing else was wrong.
    pub(crate) async fn opens_with_the_form_of_kms(&mut self) {
        self.forwarder.set(Change::EnvelopeForm);
        self.provision().await;
        assert_eq!(status(&mut self.host).await.phase.as_str(), "ready");
    }

    async fn create_key(&self) {
        let id = self.key.arn.rsplit('/').next().expect("an ARN");
        let tag = Tag::builder().tag_key("_custom_id_").tag_value(id).build().expect("a tag");
        let made = self.localstack.create_key().tags(tag).send().await.expect("LocalStack makes a key");
        let arn = made.key_metadata.and_then(|key| key.arn);
        assert_eq!(arn.as_deref(), Some(self.key.arn.as_str()));
    }

    async fn move_data_key(&mut self) {
        let name = format!("keyring/{KEYRING}");
        let mut object: Value = serde_json::from_slice(&self.host.store[&name]).expect("JSON");
        let stored = &mut object["shares"][0]["copies"][0]["data_key"];
        let ciphertext = STANDARD.decode(stored.as_str().expect("text")).expect("base64");
        let request = of_the_role(&self.world.stack).decrypt().key_id(&self.key.arn);
        let request = request.ciphertext_blob(Blob::new(ciphertext));
        let opened = request.set_encryption_context(Some(self.encryption_context())).send().await;
        let data_key = opened.expect("a careless key policy").plaintext.expect("not an enclave's request");
        *stored = STANDARD.encode(self.wrap(data_key.as_ref()).await).into();
        self.host.store.insert(name, object.to_string().into_bytes());
    }

    /// What the enclave is to bind data keys of this keyring to.
    fn encryption_context(&self) -> HashMap<String, String> {
        let authority = self.world.stack.configuration.authority.to_string();
        [("authority", authority.as_str()), ("keyring", KEYRING), ("purpose", "keyring-share"), ("v", "1")]
            .map(|(name, value)| (format!("nitro-signer:{name}"), value.to_owned()))
            .into()
    }
}

/// LocalStack's address. Without one these tests have nothing to test, and fail.
fn localstack() -> String {
    let url = env::var(ADDRESS).unwrap_or_default();
    let address = url.strip_prefix("http://").unwrap_or_else(|| {
        panic!(
            "SKIPPED: {ADDRESS} does not name a LocalStack (http://ADDRESS:PORT): run scripts/test-localstack"
        )
    });
    address.trim_end_matches('/').to_owned()
}
