//! Who asks: what forgers try, and sessions.

use serde_json::json;

use super::{
    Error, Site,
    appliance::Appliance,
    backend::Backend,
    operator::{read_json, text},
    policy::{CHAIN, CLIENT, KEY_FILE, KEY_ID, SANCTIONED},
    report::Shown,
    signing::{NAME, PATH, Wallet, evm_request, expect, transfer},
};
use crate::stack::Reply;

/// Requests that nobody's key signed as they are, and one that came before.
pub(super) async fn forged(site: &Site, appliance: &Appliance) -> Result<((), Shown), Error> {
    let backend = Backend::of(site)?;
    let body = evm_request(CHAIN).to_string().into_bytes();

    let unsigned = appliance.post(PATH, &evm_request(CHAIN)).await?;
    let headers = Backend::impostor(site)?.sign(PATH, &body);
    let forged = appliance.send("POST", PATH, &headers, &body).await?;

    let headers = backend.sign(PATH, &body);
    let first = appliance.send("POST", PATH, &headers, &body).await?;
    expect(&first, 200)?;
    let replayed = appliance.send("POST", PATH, &headers, &body).await?;

    // With the digest of the other body: what is left is the signature.
    let other = transfer(CHAIN, 0, SANCTIONED, "1000000000000000").to_string().into_bytes();
    let digest = backend.sign(PATH, &other).into_iter().find(|header| header.name == "content-digest");
    let mut headers = backend.sign(PATH, &body);
    let place = headers.iter_mut().find(|header| header.name == "content-digest");
    *place.ok_or("no digest")? = digest.ok_or("no digest")?;
    let changed = appliance.send("POST", PATH, &headers, &other).await?;

    let refused = [
        ("no signature", unsigned),
        ("a stranger's signature", forged),
        ("a copy", replayed),
        ("another body", changed),
    ];
    for (what, reply) in &refused {
        unauthenticated(reply).map_err(|error| format!("{what}: {error}"))?;
    }
    let names = refused.map(|(what, _)| what);
    let shown = Shown::new(
        format!("{}: 401 each, as it must be; the answer tells no reason", names.join(", ")),
        json!({"status": 401, "code": "unauthenticated", "refused": names}),
    );
    Ok(((), shown))
}

/// A ticket that any enclave of the fleet opens, and requests that carry it with a MAC.
pub(super) async fn session(
    site: &Site,
    appliance: &Appliance,
    wallet: &Wallet,
) -> Result<((), Shown), Error> {
    let (operator, url, proof) = (site.operator()?, appliance.url(), appliance.proof());
    let opened = operator
        .run(&format!(
            "session open --url {url} --client {CLIENT} --client-key {KEY_FILE} --key-id {KEY_ID} --lifetime 10m {proof} \
             --output session.json"
        ))
        .await?;
    operator.write("payout.json", &evm_request(CHAIN).to_string())?;
    let signed =
        operator.run(&format!("sign {NAME} payout.json --url {url} --session session.json {proof}")).await?;
    if signed["address"] != json!(wallet.evm) {
        return Err(format!("not signed in the session: {signed}").into());
    }
    let file = read_json(&operator.path("session.json"))?;
    let thief = Backend::thief(site, text(&file, "/id")?, text(&file, "/ticket")?)?;
    unauthenticated(&thief.post(appliance, PATH, &evm_request(CHAIN)).await?)?;
    let shown = Shown::new(
        "opened with the client's key, signed in with a MAC; the ticket without its key: 401, as it must be",
        json!({
            "session": opened["id"], "expires": opened["expires"], "transaction_hash": signed["transaction_hash"],
            "stolen_ticket": 401,
        }),
    );
    Ok(((), shown))
}

fn unauthenticated(reply: &Reply) -> Result<(), Error> {
    let answer = expect(reply, 401)?;
    let same = answer["code"] == "unauthenticated";
    same.then_some(()).ok_or_else(|| format!("not refused as it must be: {answer}").into())
}
