// One JSON-RPC endpoint in front of a signer and a node, as docs/clients.md recommends it: what needs a key goes to the
// signer, everything else to the node. `eth_sendTransaction` needs both: fill in, sign, send.

import { createServer } from "node:http";

const SIGNER = new Set([
  "eth_accounts",
  "eth_sign",
  "eth_signTransaction",
  "eth_signTypedData",
  "eth_signTypedData_v4",
  "personal_sign",
]);

/** Serves on a free loopback port. */
export async function serve({ signer, node }) {
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString());
    const answer = Array.isArray(body) ? await Promise.all(body.map(one)) : await one(body);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answer));
  });
  async function one({ id, method, params = [] }) {
    try {
      return { jsonrpc: "2.0", id, result: await carryOut({ signer, node }, method, params) };
    } catch (error) {
      return { jsonrpc: "2.0", id, error: error.rpc ?? { code: -32603, message: String(error) } };
    }
  }
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

async function carryOut({ signer, node }, method, params) {
  if (SIGNER.has(method)) return ask(signer, method, params);
  if (method !== "eth_sendTransaction") return ask(node, method, params);
  const transaction = await filled(node, params[0]);
  const raw = await ask(signer, "eth_signTransaction", [transaction]);
  return ask(node, "eth_sendRawTransaction", [raw]);
}

/** What a wallet leaves to its node. */
async function filled(node, given) {
  const transaction = { ...given };
  transaction.nonce ??= await ask(node, "eth_getTransactionCount", [given.from, "pending"]);
  transaction.gas ??= await ask(node, "eth_estimateGas", [given]);
  if (transaction.gasPrice === undefined && transaction.maxFeePerGas === undefined) {
    const [tip, block] = await Promise.all([
      ask(node, "eth_maxPriorityFeePerGas", []),
      ask(node, "eth_getBlockByNumber", ["latest", false]),
    ]);
    transaction.maxPriorityFeePerGas ??= tip;
    const cap = 2n * BigInt(block.baseFeePerGas) + BigInt(transaction.maxPriorityFeePerGas);
    transaction.maxFeePerGas = `0x${cap.toString(16)}`;
  }
  return transaction;
}

async function ask(url, method, params) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  const { result, error } = await response.json();
  if (error) throw Object.assign(new Error(error.message), { rpc: error });
  return result;
}
