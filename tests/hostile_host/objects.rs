//! A host keeps the sealed objects.

use serde_json::{Value, json};
use signer_shared::message::{Object, Request, Response};
use signer_tests::stack::{Host, Store};

use crate::{
    wire::request,
    world::{World, api, create_wallet, json_of, problem, sign, wallet_object, wallet_request},
};

fn not_authentic() -> (u16, String) {
    (500, "sealed_object_invalid".into())
}

/// Reads and signs with a wallet from a store, on an enclave that has not seen it.
async fn use_wallet(host: &mut Host, store: Store, wallet: &str) -> [(u16, String); 2] {
    host.store = store;
    let read = api(host, "GET", &format!("/v1/wallets/{wallet}"), "").await;
    [problem(&read), problem(&sign(host, wallet).await)]
}

/// Attack: one wallet's object in another's place, renamed, cut, extended, or with one byte changed.
/// Defence: objects are sealed under a key of their name, with associated data of place and public keys.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_objects_do_not_open() {
    let (_world, mut host) = World::ready().await;
    create_wallet(&mut host, "alpha").await;
    create_wallet(&mut host, "beta").await;
    let honest = host.store.clone();
    let alpha = honest[&wallet_object("alpha")].clone();
    let in_place = |object: Vec<u8>| Store::from([(wallet_object("beta"), object)]);
    let beta = &honest[&wallet_object("beta")];
    let mut bad = vec![alpha.clone(), beta[..beta.len() - 1].to_vec(), beta[..20].to_vec(), Vec::new()];
    bad.push([&beta[..], &[0]].concat());
    bad.push(b"NSO1\x07default".to_vec());
    bad.extend([0, 4, 6, 14, 30, beta.len() - 1].map(|at| {
        let mut changed = beta.clone();
        changed[at] ^= 1;
        changed
    }));
    for object in bad {
        assert_eq!(
            use_wallet(&mut host, in_place(object.clone()), "beta").await,
            [not_authentic(), not_authentic()]
        );
    }
    let renamed = Store::from([(wallet_object("gamma"), alpha)]);
    assert_eq!(use_wallet(&mut host, renamed, "gamma").await, [not_authentic(), not_authentic()]);
    host.store = honest;
    assert_eq!(sign(&mut host, "beta").await.status, 200);
}

/// Attack: an object that another appliance sealed under the same names. Defence: its keyring has
/// another key, and its authority is in every derivation.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_object_of_another_appliance_does_not_open() {
    let (_ours, mut host) = World::ready().await;
    let (_theirs, mut other) = World::ready().await;
    let wallet = create_wallet(&mut other, "treasury").await;
    let id = wallet["id"].as_str().expect("an id");
    let store = other.store.clone();
    assert_eq!(use_wallet(&mut host, store.clone(), "treasury").await, [not_authentic(), not_authentic()]);
    assert_eq!(use_wallet(&mut host, store, id).await, [not_authentic(), not_authentic()]);
}

/// Attack: the index of one wallet's id, or of one address, in another's place, so that a request for
/// one wallet reaches another. Defence: indexes are sealed under their names, and the wallet that is
/// found must have the id that was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_index_does_not_lead_to_another_wallet() {
    let (_world, mut host) = World::ready().await;
    let alpha = create_wallet(&mut host, "alpha").await;
    let beta = create_wallet(&mut host, "beta").await;
    let honest = host.store.clone();
    let id = |wallet: &Value| wallet["id"].as_str().expect("an id").to_owned();
    let swapped = |from: &str, to: &str| {
        let mut store = honest.clone();
        store.insert(to.to_owned(), honest[from].clone());
        store
    };
    let (alphas, betas) = (format!("id/{}", id(&alpha)), format!("id/{}", id(&beta)));
    for object in [&alphas, &wallet_object("beta"), &wallet_object("alpha")] {
        let answers = use_wallet(&mut host, swapped(object, &betas), &id(&beta)).await;
        assert_eq!(answers, [not_authentic(), not_authentic()], "{object}");
    }

    let path = r#"{"path":"m/44'/60'/0'/0/0","curve":"secp256k1"}"#;
    let address = |wallet: &Value| {
        let address = wallet["accounts"][0]["addresses"]["evm"].as_str().expect("an address");
        format!("address/evm/{}", address.to_ascii_lowercase())
    };
    host.store = swapped(&address(&alpha), &address(&beta));
    let answer = api(&mut host, "POST", "/v1/wallets/beta/accounts", path).await;
    assert_eq!(problem(&answer), not_authentic());
    host.store = honest;
    let answer = api(&mut host, "POST", "/v1/wallets/beta/accounts", path).await;
    assert_eq!(answer.status, 200, "{}", json_of(&answer));
    let found = api(&mut host, "GET", &format!("/v1/wallets/{}", id(&beta)), "").await;
    assert_eq!(json_of(&found)["name"], "beta");
}

/// Attack: leave foreign indexes in the way of a wallet that is being created. Defence: what is there
/// must say what would be written, or nothing is created.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_index_does_not_survive_a_creation() {
    let (_world, mut host) = World::ready().await;
    create_wallet(&mut host, "alpha").await;
    let first = api(&mut host, "POST", "/v1/wallets", &wallet_request("beta")).await;
    let foreign = host.store.iter().find(|(name, _)| name.starts_with("id/")).expect("alpha's index").1;
    let index = Object { name: first.writes[0].name.clone(), content: Some(foreign.clone().into()) };
    let absent = Object { name: wallet_object("beta"), content: None };
    let mut again = request("POST", "/v1/wallets", &wallet_request("beta"));
    again.objects = vec![absent.clone(), index];
    let answer = host.ask(Request::Api(again.clone())).await.expect("an answer");
    let Response::Api(answer) = answer else { panic!("{answer:?}") };
    assert_eq!((problem(&answer), answer.writes.len()), (not_authentic(), 0));
    let own = Object { name: first.writes[0].name.clone(), content: Some(first.writes[0].content.clone()) };
    again.objects = vec![absent, own];
    let answer = host.ask(Request::Api(again)).await.expect("an answer");
    let Response::Api(answer) = answer else { panic!("{answer:?}") };
    assert_eq!((answer.status, answer.writes.len()), (201, first.writes.len() - 1));
}

/// Attack: an address that leads JSON-RPC to another wallet or account, which then signs in its name. Defence: the index is
/// sealed under the address, and the account that it leads to must have it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_index_does_not_lend_an_account() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let bundle = world.second_bundle(&fingerprint);
    let alpha = create_wallet(&mut host, "alpha").await;
    let beta = create_wallet(&mut host, "beta").await;
    let address =
        |wallet: &Value| wallet["accounts"][0]["addresses"]["evm"].as_str().expect("one").to_owned();
    let index = |wallet: &Value| format!("address/evm/{}", address(wallet).to_ascii_lowercase());
    let id = |wallet: &Value| format!("id/{}", wallet["id"].as_str().expect("an id"));
    let honest = host.store.clone();
    let request = |wallet: &Value| {
        let params = json!([address(wallet), "0x00"]);
        json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sign", "params": params}).to_string()
    };
    let foreign =
        [index(&alpha), id(&alpha), id(&beta), wallet_object("alpha")].map(|name| honest[&name].clone());
    for object in foreign {
        let mut store = honest.clone();
        store.insert(index(&beta), object);
        // An enclave that has seen neither.
        host = world.reboot(store).await;
        world.provision(&mut host, &bundle).await;
        let answer = json_of(&api(&mut host, "POST", "/rpc/1", &request(&beta)).await);
        assert_eq!(answer["error"]["data"]["code"], "sealed_object_invalid", "{answer}");
    }
    host = world.reboot(honest).await;
    world.provision(&mut host, &bundle).await;
    let answer = json_of(&api(&mut host, "POST", "/rpc/1", &request(&beta)).await);
    assert!(answer["result"].is_string(), "{answer}");
}

/// Attack: in a batch, one wallet's object in another's place. Defence: each item stands for itself.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_object_in_a_batch_spoils_its_own_item_only() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let bundle = world.second_bundle(&fingerprint);
    for name in ["alpha", "beta"] {
        create_wallet(&mut host, name).await;
    }
    let mut store = host.store.clone();
    store.insert(wallet_object("beta"), store[&wallet_object("alpha")].clone());
    host = world.reboot(store).await;
    world.provision(&mut host, &bundle).await;
    let item = |wallet: &str| json!({"wallet": wallet, "type": "evm.message", "text": "hello"});
    let items = json!({"items": [item("alpha"), item("beta"), item("alpha")]}).to_string();
    let answer = json_of(&api(&mut host, "POST", "/v1/batch", &items).await);
    let told: Vec<&Value> =
        answer["items"].as_array().expect("items").iter().map(|item| &item["status"]).collect();
    assert_eq!(told, [200, 500, 200], "{answer}");
}

/// Attack: hide a wallet, so that its owner creates it again and gets other addresses. Defence: a name
/// is one wallet; what is hidden is service, not keys.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_hiding_of_a_wallet_changes_no_key() {
    let mut world = World::booting().await;
    let mut host = world.host().await;
    let fingerprint = world.make_ready(&mut host).await;
    let store = host.store.clone();
    let first = create_wallet(&mut host, "treasury").await;
    host.store = store.clone();
    assert_eq!(problem(&sign(&mut host, "treasury").await), (404, "wallet_not_found".into()));
    let again = create_wallet(&mut host, "treasury").await;
    let mut host = world.reboot(store).await;
    world.provision(&mut host, &world.second_bundle(&fingerprint)).await;
    let elsewhere = create_wallet(&mut host, "treasury").await;
    for other in [&again, &elsewhere] {
        assert_eq!((&first["id"], &first["accounts"]), (&other["id"], &other["accounts"]));
    }
}

/// Attack: say that a wallet exists when it is created, with an object of the host's choice. Defence:
/// the object must open as that wallet's, and nothing is written over it.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_wallet_that_exists_already_is_opened_first() {
    let (_world, mut host) = World::ready().await;
    let created = create_wallet(&mut host, "alpha").await;
    let again = api(&mut host, "POST", "/v1/wallets", &wallet_request("alpha")).await;
    assert_eq!((problem(&again), again.writes.len()), ((409, "wallet_exists".into()), 0));
    assert_eq!(json_of(&again)["wallet"], created);
    host.store.insert(wallet_object("beta"), host.store[&wallet_object("alpha")].clone());
    let answer = api(&mut host, "POST", "/v1/wallets", &wallet_request("beta")).await;
    assert_eq!((problem(&answer), answer.writes.len()), (not_authentic(), 0));
}
