// viem 2: a wallet client with a JSON-RPC account, and REST signatures over serializations that viem makes.

import {
  createWalletClient,
  createPublicClient,
  http,
  parseGwei,
  recoverTransactionAddress,
  serializeTransaction,
  toBlobs,
  verifyMessage,
  verifyTypedData,
} from "viem";
import { foundry } from "viem/chains";
import { recoverAuthorizationAddress } from "viem/utils";

import { accessList, assert, chain, check, message, mine, mined, nonce, recipient, sign, site, typedData } from "./check.mjs";

const account = site.evm;
const client = createWalletClient({ account, chain: foundry, transport: http(site.rpc) });
const fees = { maxFeePerGas: parseGwei("20"), maxPriorityFeePerGas: parseGwei("1") };
const common = async () => ({
  to: recipient,
  value: 10n ** 15n,
  gas: 60_000n,
  nonce: await nonce(),
  chainId: site.chainId,
});

await check("getAddresses", async () => {
  assert.ok((await client.getAddresses()).includes(account));
});
await check("signMessage, verifyMessage", async () => {
  const signature = await client.signMessage({ message });
  assert.ok(await verifyMessage({ address: account, message, signature }));
});
await check("signTypedData, verifyTypedData", async () => {
  const signature = await client.signTypedData(typedData);
  assert.ok(await verifyTypedData({ ...typedData, address: account, signature }));
});

for (const [type, name, more] of [
  [0, "legacy", { gasPrice: parseGwei("20") }],
  [1, "eip2930", { gasPrice: parseGwei("20"), accessList }],
  [2, "eip1559", { ...fees, accessList }],
]) {
  await check(`signTransaction, type ${type}, mined`, async () => {
    const raw = await client.signTransaction({ ...(await common()), type: name, ...more });
    assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), account);
    await mine(raw, type);
  });
  await check(`serializeTransaction, REST sign, type ${type}, mined`, async () => {
    await mine(await signed({ ...(await common()), type: name, ...more }), type);
  });
}

/** REST, from the unsigned serialization. */
async function signed(transaction) {
  const { signed_transaction: raw } = await sign({
    type: "evm.transaction",
    unsigned: serializeTransaction(transaction),
  });
  assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), account);
  return raw;
}

async function authorization(nonce) {
  const { signed_authorization: entry } = await sign({
    type: "evm.authorization",
    authorization: { chainId: site.chainId, address: recipient, nonce },
  });
  const found = {
    address: entry.address,
    chainId: Number(entry.chainId),
    nonce: Number(entry.nonce),
    r: entry.r,
    s: entry.s,
    yParity: Number(entry.yParity),
  };
  assert.equal(await recoverAuthorizationAddress({ authorization: found }), account);
  return found;
}

await check("recoverAuthorizationAddress; REST sign, type 4, mined: the account has the delegate's code", async () => {
  const fields = await common();
  const authorizationList = [await authorization(fields.nonce + 1)];
  await mine(await signed({ ...fields, ...fees, gas: 120_000n, type: "eip7702", authorizationList }), 4);
  const code = await chain("eth_getCode", account, "latest");
  assert.equal(code, `0xef0100${recipient.slice(2)}`);
});
await check("signTransaction, type 4, mined", async () => {
  const fields = await common();
  const authorizationList = [await authorization(fields.nonce + 1)];
  const raw = await client.signTransaction({ ...fields, ...fees, gas: 120_000n, type: "eip7702", authorizationList });
  assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), account);
  await mine(raw, 4);
});
await check("type 3: the hash without its sidecar is signed, and with it the transaction is mined", async () => {
  // The blob of zeros: its commitment and proofs are the point at infinity, so no KZG library is needed.
  const infinity = `0xc0${"00".repeat(47)}`;
  const [blob] = toBlobs({ data: "0x01" });
  const zeros = `0x${"00".repeat(blob.length / 2 - 1)}`;
  const transaction = {
    ...(await common()),
    ...fees,
    type: "eip4844",
    maxFeePerBlobGas: parseGwei("20"),
    blobVersionedHashes: ["0x010657f37554c781402a22917dee2f75def7ab966d7b770905398eba3c444014"],
  };
  const { signature } = await sign({ type: "evm.transaction", unsigned: serializeTransaction(transaction) });
  const sidecars = [{ blob: zeros, commitment: infinity, proof: infinity }];
  const raw = serializeTransaction({ ...transaction, sidecars }, signature);
  assert.equal(await recoverTransactionAddress({ serializedTransaction: raw }), account);
  await mine(raw, 3);
});
await check("sendTransaction through a router, mined", async () => {
  const transport = http(site.router);
  const routed = createWalletClient({ account, chain: foundry, transport });
  const hash = await routed.sendTransaction({ to: recipient, value: 1n });
  await createPublicClient({ chain: foundry, transport, pollingInterval: 100 }).waitForTransactionReceipt({ hash });
  await mined(hash);
});
