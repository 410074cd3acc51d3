//! A host lists what it stores.

use signer_shared::message::{ApiResponse, Listing, Object, Request, Response};
use signer_tests::stack::{Host, Store};

use crate::{
    wire::request,
    world::{World, api, create_wallet, json_of, problem, wallet_object},
};

/// Asks for a page of two wallets after `alpha`, and answers the enclave's question with a listing.
async fn list(host: &mut Host, listing: Listing) -> ApiResponse {
    let mut asked = request("GET", "/v1/wallets?after=alpha&limit=2", "");
    asked.listing = Some(listing);
    match host.ask(Request::Api(asked)).await.expect("an answer") {
        Response::Api(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// The page that was asked for, with these objects.
fn page(objects: Vec<Object>) -> Listing {
    Listing { prefix: "wallet/".into(), after: Some(wallet_object("alpha")), objects, more: false }
}

/// An enclave that has opened none of the four wallets in its host's store.
async fn with_wallets() -> (World, Host) {
    let (world, mut host) = World::ready().await;
    for name in ["alpha", "beta", "gamma", "delta"] {
        create_wallet(&mut host, name).await;
    }
    (world, host)
}

/// A wallet's object, under its own name.
fn object(store: &Store, name: &str) -> Object {
    Object { name: wallet_object(name), content: store.get(&wallet_object(name)).cloned().map(Into::into) }
}

/// Attack: pages with unsorted, repeated or too many objects, objects of another prefix or before the
/// page, or a page that was not asked for. Defence: a page is checked against the question.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_listings_are_refused() {
    let (_world, mut host) = with_wallets().await;
    let store = host.store.clone();
    let object = |name: &str| object(&store, name);
    let good = page(vec![object("beta"), object("delta")]);
    assert_eq!(list(&mut host, good.clone()).await.status, 200);
    let bad = [
        page(vec![object("delta"), object("beta")]),
        page(vec![object("beta"), object("beta")]),
        page(vec![object("alpha"), object("beta")]),
        page(vec![object("beta"), object("delta"), object("gamma")]),
        page(vec![Object { name: "id/x".into(), ..object("beta") }]),
        page(vec![Object { name: wallet_object("/../beta"), ..object("beta") }]),
        Listing { prefix: "address/".into(), ..good.clone() },
        Listing { after: None, ..good.clone() },
        Listing { after: Some(wallet_object("aaa")), ..good },
    ];
    for listing in bad {
        let names: Vec<String> = listing.objects.iter().map(|object| object.name.clone()).collect();
        let answer = list(&mut host, listing).await;
        assert_eq!(problem(&answer), (500, "sealed_object_invalid".into()), "{names:?}");
    }
}

/// Attack: a page with renamed, foreign or invented wallets among genuine ones. Defence: each object is
/// opened under its name; what does not open is not shown, and hides nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_objects_of_a_listing_are_not_shown() {
    let (_world, mut host) = with_wallets().await;
    let store = host.store.clone();
    let genuine = object(&store, "beta");
    let named = |name: &str, content: Option<Vec<u8>>| Object {
        name: format!("wallet/{name}"),
        content: content.map(Into::into),
    };
    let delta = || Some(store[&wallet_object("delta")].clone());
    let index = store.iter().find(|(name, _)| name.starts_with("id/")).map(|(_, bytes)| bytes.clone());
    let bad = [
        named("default.zeta", delta()),
        named("default.zeta", index),
        named("default.zeta", Some(vec![0; 100])),
        named("default.zeta", None),
        named("other.delta", delta()),
        named("delta", delta()),
        named("default.zeta.more", delta()),
    ];
    for object in bad {
        let name = object.name.clone();
        let answer = list(&mut host, page(vec![genuine.clone(), object])).await;
        assert_eq!(answer.status, 200, "{name}");
        let shown = &json_of(&answer)["wallets"];
        assert_eq!(
            (shown.as_array().map(Vec::len), shown[0]["name"].as_str()),
            (Some(1), Some("beta")),
            "{name}"
        );
    }
}

/// Attack: show a wallet under a page with other bytes than it has. Defence: what is shown is what the
/// keys say, never what the host says.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_listing_shows_no_address_of_the_hosts() {
    let (_world, mut host) = World::ready().await;
    let created = create_wallet(&mut host, "treasury").await;
    let listed = api(&mut host, "GET", "/v1/wallets", "").await;
    assert_eq!(json_of(&listed)["wallets"], serde_json::json!([created]));
    host.store.insert(wallet_object("treasury"), b"other bytes".to_vec());
    let again = api(&mut host, "GET", "/v1/wallets", "").await;
    // The wallet was opened before, so the enclave knows it whatever the object says.
    assert_eq!(json_of(&again)["wallets"], serde_json::json!([created]));
}
