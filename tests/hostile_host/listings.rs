//! A host lists what it stores.

use signer_shared::message::{Listing, Object, Request, Response};
use signer_tests::stack::Host;

use crate::{
    wire::request,
    world::{World, api, create_wallet, json_of, problem},
};

/// Asks for a page of two wallets after `alpha`, and answers the enclave's question with a listing.
async fn list(host: &mut Host, listing: Listing) -> (u16, String) {
    let mut asked = request("GET", "/v1/wallets?after=alpha&limit=2", "");
    asked.listing = Some(listing);
    match host.ask(Request::Api(asked)).await.expect("an answer") {
        Response::Api(answer) => problem(&answer),
        other => panic!("{other:?}"),
    }
}

/// Attack: pages with foreign, repeated, unsorted or too many objects, objects of another prefix, or a
/// page that was not asked for. Defence: a page is checked against the question, each object opened.
#[tokio::test(flavor = "multi_thread")]
async fn hostile_listings_are_refused() {
    let (_world, mut host) = World::ready().await;
    for name in ["alpha", "beta", "gamma", "delta"] {
        create_wallet(&mut host, name).await;
    }
    let store = host.store.clone();
    let object = |name: &str| Object {
        name: format!("wallet/{name}"),
        content: store.get(&format!("wallet/{name}")).cloned().map(Into::into),
    };
    let as_name = |from: &str, name: &str| Object { name: format!("wallet/{name}"), ..object(from) };
    let index = Object {
        name: "wallet/id".into(),
        content: store
            .iter()
            .find(|(name, _)| name.starts_with("id/"))
            .map(|(_, bytes)| bytes.clone().into()),
    };
    let page = |objects: Vec<Object>| Listing {
        prefix: "wallet/".into(),
        after: Some("wallet/alpha".into()),
        objects,
        more: false,
    };
    let good = page(vec![object("beta"), object("delta")]);
    assert_eq!(list(&mut host, good.clone()).await.0, 200);
    let bad = [
        page(vec![object("delta"), object("beta")]),
        page(vec![object("beta"), object("beta")]),
        page(vec![object("alpha"), object("beta")]),
        page(vec![object("beta"), object("delta"), object("gamma")]),
        page(vec![as_name("gamma", "unknown")]),
        page(vec![Object { content: None, ..object("beta") }]),
        page(vec![index]),
        page(vec![Object { name: "id/x".into(), ..object("beta") }]),
        page(vec![as_name("beta", "../beta")]),
        page(vec![as_name("beta", "Beta")]),
        page(vec![Object { name: "wallet/stranger".into(), content: Some(vec![0; 100].into()) }]),
        Listing { prefix: "address/".into(), ..good.clone() },
        Listing { after: None, ..good.clone() },
        Listing { after: Some("wallet/aaa".into()), ..good },
    ];
    for listing in bad {
        let names: Vec<String> = listing.objects.iter().map(|object| object.name.clone()).collect();
        assert_eq!(list(&mut host, listing).await, (500, "sealed_object_invalid".into()), "{names:?}");
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
    host.store.insert("wallet/treasury".into(), b"other bytes".to_vec());
    let again = api(&mut host, "GET", "/v1/wallets", "").await;
    // The wallet was opened before, so the enclave knows it, or else refuses the object.
    assert!(json_of(&again)["wallets"] == serde_json::json!([created]) || again.status == 500);
}
