// ethers 6: JsonRpcSigner on the signer's own endpoint, and on a router for sendTransaction.

import { JsonRpcProvider, Signature, Transaction, verifyAuthorization, verifyMessage, verifyTypedData } from "ethers";

import { accessList, assert, check, message, mine, mined, nonce, recipient, sign, site, typedData } from "./check.mjs";

const provider = new JsonRpcProvider(site.rpc);
const signer = await provider.getSigner(site.evm);
const { domain, types, message: value } = typedData;
const gwei = 10n ** 9n;

const common = async () => ({
  from: site.evm,
  to: recipient,
  value: 10n ** 15n,
  gasLimit: 60_000n,
  nonce: await nonce(),
  chainId: site.chainId,
});
const fees = { maxFeePerGas: 20n * gwei, maxPriorityFeePerGas: gwei };

await check("listAccounts", async () => {
  const accounts = await provider.listAccounts();
  assert.ok(accounts.some((account) => account.address === site.evm));
});
await check("getNetwork", async () => {
  assert.equal((await provider.getNetwork()).chainId, BigInt(site.chainId));
});
await check("signMessage, verifyMessage", async () => {
  assert.equal(verifyMessage(message, await signer.signMessage(message)), site.evm);
});
await check("signMessage of bytes", async () => {
  const bytes = new Uint8Array([0, 255, 25, 1]);
  assert.equal(verifyMessage(bytes, await signer.signMessage(bytes)), site.evm);
});
await check("_legacySignMessage (eth_sign)", async () => {
  assert.equal(verifyMessage(message, await signer._legacySignMessage(message)), site.evm);
});
await check("signTypedData, verifyTypedData", async () => {
  const signature = await signer.signTypedData(domain, types, value);
  assert.equal(verifyTypedData(domain, types, value, signature), site.evm);
});

async function signed(transaction) {
  const raw = await signer.signTransaction(transaction);
  assert.equal(Transaction.from(raw).from, site.evm);
  return raw;
}

await check("signTransaction, type 0, mined", async () => {
  await mine(await signed({ ...(await common()), type: 0, gasPrice: 20n * gwei }), 0);
});
await check("signTransaction, type 1, mined", async () => {
  await mine(await signed({ ...(await common()), type: 1, gasPrice: 20n * gwei, accessList }), 1);
});
await check("signTransaction, type 2, mined", async () => {
  await mine(await signed({ ...(await common()), type: 2, ...fees, accessList }), 2);
});
await check("verifyAuthorization; signTransaction, type 4, mined", async () => {
  const fields = await common();
  // The sender's own nonce is one further when its authorization is looked at.
  const hex = (number) => `0x${number.toString(16)}`;
  const authorization = { chainId: hex(site.chainId), address: recipient, nonce: hex(fields.nonce + 1) };
  const { signature: parts } = await sign({ type: "evm.authorization", authorization });
  const signature = Signature.from({ r: parts.r, s: parts.s, yParity: parts.yParity });
  assert.equal(verifyAuthorization(authorization, signature), site.evm);
  const authorizationList = [
    { chainId: BigInt(site.chainId), address: recipient, nonce: BigInt(fields.nonce + 1), signature },
  ];
  await mine(await signed({ ...fields, type: 4, ...fees, gasLimit: 120_000n, authorizationList }), 4);
});
await check("sendTransaction through a router, mined", async () => {
  const routed = await new JsonRpcProvider(site.router).getSigner(site.evm);
  const sent = await routed.sendTransaction({ to: recipient, value: 1n });
  await sent.wait();
  await mined(sent.hash, 2);
});
await check("an unknown method is -32601", async () => {
  await assert.rejects(provider.send("eth_getBalance", [site.evm, "latest"]), (error) => error.error?.code === -32601);
});

provider.destroy();
process.exit();
