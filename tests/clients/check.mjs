// One line a check, and what every client needs. The runner counts the lines.

import assert from "node:assert/strict";

export { assert };

/** Where everything is: see run.mjs. */
export const site = JSON.parse(process.env.SITE);

/** Runs one check. The next ones run even if it fails. */
export async function check(what, run) {
  try {
    await run();
    console.log(`ok      ${what}`);
  } catch (error) {
    console.log(`FAILED  ${what}: ${String(error?.message ?? error).split("\n").slice(0, 4).join(" ")}`);
    process.exitCode = 1;
  }
}

/** A request to the REST API that must succeed. */
export async function sign(body) {
  const response = await fetch(`${site.signer}/v1/wallets/treasury/sign`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${answer.code} ${answer.field ?? ""}: ${answer.detail}`);
  return answer;
}

/** A JSON-RPC request to the chain, outside the client under test. */
export async function chain(method, ...params) {
  const response = await fetch(site.anvil, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = await response.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** The account's next nonce, on the chain. */
export async function nonce() {
  return Number(await chain("eth_getTransactionCount", site.evm, "pending"));
}

/** Sends a signed transaction to the chain: it must be mined, succeed, and come from the wallet. */
export async function mine(raw, type) {
  return mined(await chain("eth_sendRawTransaction", raw), type);
}

/** The same for a transaction that somebody has sent. */
export async function mined(hash, type) {
  // A node answers before it mines.
  let receipt;
  for (let attempt = 0; !receipt && attempt < 100; attempt += 1) {
    receipt = await chain("eth_getTransactionReceipt", hash);
    if (!receipt) await new Promise((resolve) => setTimeout(resolve, 200));
  }
  assert.ok(receipt, `${hash} is not mined`);
  assert.equal(receipt.status, "0x1");
  assert.equal(receipt.from.toLowerCase(), site.evm.toLowerCase());
  if (type !== undefined) assert.equal(Number(receipt.type), type);
  return receipt;
}

export const recipient = "0x3535353535353535353535353535353535353535";
export const accessList = [
  { address: "0x4242424242424242424242424242424242424242", storageKeys: [`0x${"00".repeat(31)}01`] },
];
export const message = "Nitro Signer signs what it understands: Grüezi";

/** Typed data with structs, arrays, bytes, and numbers that JSON numbers cannot hold. */
export const typedData = {
  domain: { name: "Test", version: "1", chainId: site.chainId, verifyingContract: recipient },
  types: {
    Order: [
      { name: "maker", type: "Person" },
      { name: "amounts", type: "uint256[]" },
      { name: "salt", type: "bytes32" },
      { name: "note", type: "string" },
      { name: "open", type: "bool" },
      { name: "delta", type: "int64" },
    ],
    Person: [
      { name: "name", type: "string" },
      { name: "wallet", type: "address" },
    ],
  },
  primaryType: "Order",
  message: {
    maker: { name: "Bob", wallet: "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
    amounts: ["1", "115792089237316195423570985008687907853269984665640564039457584007913129639935"],
    salt: `0x${"ab".repeat(32)}`,
    note: message,
    open: true,
    delta: "-5",
  },
};

/** The same with the domain's type, as clients send it that build it by hand. */
export const typedDataWithDomain = {
  ...typedData,
  types: {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    ...typedData.types,
  },
};
