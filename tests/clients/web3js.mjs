// web3.js 4: eth and personal, on the signer's own endpoint, and on a router for sendTransaction.

import { Web3 } from "web3";
import { getEncodedEip712Data } from "web3-eth-abi";

import { accessList, assert, check, message, mine, mined, nonce, recipient, site, typedDataWithDomain } from "./check.mjs";

const web3 = new Web3(site.rpc);
const gwei = 10n ** 9n;
const fees = { maxFeePerGas: 20n * gwei, maxPriorityFeePerGas: gwei };
const common = async () => ({
  from: site.evm,
  to: recipient,
  value: 10n ** 15n,
  gas: 60_000n,
  nonce: await nonce(),
  chainId: site.chainId,
});
const isOurs = (address) => assert.equal(address.toLowerCase(), site.evm.toLowerCase());

await check("getAccounts", async () => {
  assert.ok((await web3.eth.getAccounts()).includes(site.evm));
});
await check("getChainId", async () => {
  assert.equal(await web3.eth.getChainId(), BigInt(site.chainId));
});
await check("personal.sign, with a password, recovered", async () => {
  const signature = await web3.eth.personal.sign(web3.utils.utf8ToHex(message), site.evm, "no password");
  isOurs(web3.eth.accounts.recover(message, signature));
});
await check("eth.sign, recovered", async () => {
  const signature = await web3.eth.sign(web3.utils.utf8ToHex(message), site.evm);
  isOurs(web3.eth.accounts.recover(message, signature));
});
await check("eth.signTypedData, recovered", async () => {
  const signature = await web3.eth.signTypedData(site.evm, typedDataWithDomain, false);
  const digest = getEncodedEip712Data(typedDataWithDomain, true);
  isOurs(web3.eth.accounts.recover(digest, signature, true));
});
for (const [type, more] of [
  [0, { gasPrice: 20n * gwei }],
  [1, { gasPrice: 20n * gwei, accessList }],
  [2, { ...fees, accessList }],
]) {
  await check(`eth.signTransaction, type ${type}, mined`, async () => {
    const { raw } = await web3.eth.signTransaction({ ...(await common()), type, ...more });
    isOurs(web3.eth.accounts.recoverTransaction(raw));
    await mine(raw, type);
  });
}
await check("eth.sendTransaction through a router, mined", async () => {
  const routed = new Web3(site.router);
  const receipt = await routed.eth.sendTransaction({ from: site.evm, to: recipient, value: 1n });
  await mined(receipt.transactionHash);
});
