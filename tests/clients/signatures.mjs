// http-message-signatures: requests that are signed with a key or in a session, and answers that the enclave signed.

import { createHash, createPublicKey, diffieHellman, generateKeyPairSync, hkdfSync, randomUUID, verify } from "node:crypto";

import { createSigner, httpbis } from "http-message-signatures";

import { assert, check, message, site } from "./check.mjs";

const { authority, id: client, keys } = site.client;
const PATH = "/v1/wallets/treasury/sign";
const BODY = JSON.stringify({ type: "evm.message", text: message });

const digest = (body) => `sha-256=:${createHash("sha256").update(body).digest("base64")}:`;

/** A signed request, as the documentation shows it. */
async function signed(key, method, path, body = "", headers = {}) {
  const url = new URL(path, site.signer);
  const request = { method, url: url.href, headers: { ...headers, "content-digest": digest(body) } };
  return httpbis.signMessage(
    {
      key,
      name: "sig1",
      fields: ["@method", "@path", ...(url.search ? ["@query"] : []), "content-digest"],
      params: ["created", "keyid", "nonce", "tag", "alg"],
      paramValues: { nonce: randomUUID(), tag: authority },
    },
    request,
  );
}

/** Sends a request; everything that the enclave says must be signed by it, unless it proves itself. */
async function send(request, body, { evident = false } = {}) {
  const { method, url, headers } = request;
  const response = await fetch(url, { method, headers, body: method === "GET" ? undefined : body });
  const text = await response.text();
  if (!evident) {
    const answer = { status: response.status, headers: Object.fromEntries(response.headers) };
    assert.equal(answer.headers["content-digest"], digest(text));
    const verified = await httpbis.verifyMessage(
      {
        keyLookup: ({ keyid }) => (keyid === statement.boot_id ? { id: keyid, algs: ["ed25519"], verify: byEnclave } : null),
        requiredFields: ["@status", "content-digest", "@method", "@path"],
        tolerance: 5,
      },
      answer,
      request,
    );
    assert.equal(verified, true, "the answer's signature");
  }
  return { status: response.status, json: JSON.parse(text) };
}

// A client that trusts nobody verifies the document first: see docs/operations.md.
const attested = await (await fetch(`${site.signer}/v1/attestation`)).json();
const statement = JSON.parse(Buffer.from(attested.statement, "base64"));
assert.equal(statement.authority, authority);

const rawKey = (bytes, curve) =>
  createPublicKey({ key: { kty: "OKP", crv: curve, x: Buffer.from(bytes, "hex").toString("base64url") }, format: "jwk" });
const identity = rawKey(statement.identity_key, "Ed25519");
const byEnclave = async (data, signature) => verify(null, data, identity, signature);

async function accepted(key) {
  const request = await signed(key, "POST", PATH, BODY);
  const answer = await send(request, BODY);
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  assert.equal(answer.json.address, site.evm);
  return request;
}

for (const { id, algorithm, pem } of keys) {
  const key = createSigner(pem, algorithm, id);
  await check(`${algorithm}: a signed request is the client's, and so is its answer`, () => accepted(key));
  await check(`${algorithm}: a copy of it is refused`, async () => {
    const request = await accepted(key);
    assert.equal((await send(request, BODY)).status, 401);
  });
  await check(`${algorithm}: another body is refused`, async () => {
    const other = BODY.replace("evm", "EVM");
    const request = await signed(key, "POST", PATH, BODY);
    // The enclave signs no answer to a body that is not its digest's.
    assert.equal((await send(request, other, { evident: true })).status, 401);
    request.headers["content-digest"] = digest(other);
    assert.equal((await send(request, other)).status, 401);
  });
  await check(`${algorithm}: another path is refused`, async () => {
    const request = await signed(key, "POST", "/v1/batch", BODY);
    assert.equal((await send({ ...request, url: new URL(PATH, site.signer).href }, BODY)).status, 401);
  });
  await check(`${algorithm}: a query is signed`, async () => {
    const request = await signed(key, "GET", "/v1/wallets?limit=1");
    const answer = await send(request);
    assert.equal(answer.status, 200, JSON.stringify(answer.json));
    assert.equal(answer.json.wallets[0].name, "treasury");
  });
  await check(`${algorithm}: another name of the key is refused`, async () => {
    const request = await signed(createSigner(pem, algorithm, "payroll"), "POST", PATH, BODY);
    assert.equal((await send(request, BODY)).status, 401);
  });
}

/** A session: its key, and its ticket. */
async function open() {
  const own = generateKeyPairSync("x25519");
  const publicKey = Buffer.from(own.publicKey.export({ format: "jwk" }).x, "base64url");
  const body = JSON.stringify({ public_key: publicKey.toString("hex"), lifetime_s: 600 });
  const [{ id, algorithm, pem }] = keys;
  const answer = await send(await signed(createSigner(pem, algorithm, id), "POST", "/v1/sessions", body), body);
  assert.equal(answer.status, 201, JSON.stringify(answer.json));
  const session = answer.json;
  assert.equal(session.public_key, statement.session_key);
  const shared = diffieHellman({ privateKey: own.privateKey, publicKey: rawKey(session.public_key, "X25519") });
  const expires = Buffer.alloc(8);
  expires.writeBigUInt64BE(BigInt(Date.parse(session.expires) / 1000));
  const parts = [
    Buffer.from("session-mac/v1"),
    Buffer.from(authority, "hex"),
    Buffer.from(session.keyring),
    Buffer.from(client),
    publicKey,
    Buffer.from(session.public_key, "hex"),
    expires,
    Buffer.from(session.id, "hex"),
  ];
  const info = Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
  const secret = Buffer.from(hkdfSync("sha256", shared, "nitro-signer/session/v1", info, 32));
  const key = createSigner(secret, "hmac-sha256", `session:${session.id}`);
  return { key, headers: { "signer-session": session.ticket } };
}

await check("hmac-sha256: a session signs, and no request twice", async () => {
  const { key, headers } = await open();
  const request = await signed(key, "POST", PATH, BODY, headers);
  const answer = await send(request, BODY, { evident: true });
  assert.equal(answer.status, 200, JSON.stringify(answer.json));
  assert.equal((await send(request, BODY)).status, 401);
});
await check("hmac-sha256: another session's ticket is refused", async () => {
  const [one, other] = [await open(), await open()];
  const request = await signed(one.key, "POST", PATH, BODY, other.headers);
  assert.equal((await send(request, BODY)).status, 401);
});
await check("hmac-sha256: sessions open no sessions", async () => {
  const { key, headers } = await open();
  const body = JSON.stringify({ public_key: "09".padEnd(64, "0"), lifetime_s: 60 });
  assert.equal((await send(await signed(key, "POST", "/v1/sessions", body, headers), body)).status, 403);
});
