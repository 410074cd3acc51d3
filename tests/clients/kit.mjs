// @solana/kit 8: messages that kit compiles, signed over REST, executed by litesvm.

import {
  address,
  appendTransactionMessageInstruction,
  compileOffchainMessageEnvelope,
  compileTransaction,
  createTransactionMessage,
  generateKeyPairSigner,
  getBase58Encoder,
  getBase64EncodedWireTransaction,
  getBase64Decoder,
  getBase64Encoder,
  getOffchainMessageEnvelopeDecoder,
  getTransactionDecoder,
  isFullySignedTransaction,
  lamports,
  offchainMessageApplicationDomain,
  offchainMessageContentUtf8Of1232BytesMax,
  pipe,
  setTransactionMessageComputeUnitLimit,
  setTransactionMessageFeePayer,
  setTransactionMessageLifetimeUsingBlockhash,
  setTransactionMessageLoadedAccountsDataSizeLimit,
  verifyOffchainMessageEnvelope,
  verifySignature,
} from "@solana/kit";
import { getTransferSolInstruction } from "@solana-program/system";
import { FailedTransactionMetadata, LiteSVM } from "litesvm";

import { assert, check, sign, site } from "./check.mjs";

const from = address(site.solana);
const amount = 1_000_000n;
const svm = new LiteSVM();
svm.airdrop(from, lamports(10_000_000_000n));

/** kit knows a signer by its address; the signature comes over REST. */
const treasury = { address: from, signTransactions: async (transactions) => transactions.map(() => ({})) };

function transfer(version, to, payer = from) {
  return pipe(
    createTransactionMessage({ version }),
    (message) => setTransactionMessageFeePayer(payer, message),
    (message) =>
      setTransactionMessageLifetimeUsingBlockhash(
        { blockhash: svm.latestBlockhash(), lastValidBlockHeight: 1_000n },
        message,
      ),
    (message) =>
      appendTransactionMessageInstruction(
        getTransferSolInstruction({ source: treasury, destination: to, amount }),
        message,
      ),
    // Version 1 has no defaults: what it does not ask for, it does not get.
    (message) => (version === 1 ? setTransactionMessageComputeUnitLimit(10_000, message) : message),
    (message) => (version === 1 ? setTransactionMessageLoadedAccountsDataSizeLimit(65_536, message) : message),
  );
}

async function signed(transaction) {
  const answer = await sign({
    type: "solana.transaction",
    transaction: getBase64EncodedWireTransaction(transaction),
  });
  const decoded = getTransactionDecoder().decode(getBase64Encoder().encode(answer.signed_transaction));
  assert.deepEqual(decoded.messageBytes, transaction.messageBytes);
  return { answer, decoded };
}

/** litesvm verifies the signatures, and executes. */
function execute(transaction, to) {
  const outcome = svm.sendTransaction(transaction);
  if (outcome instanceof FailedTransactionMetadata) throw new Error(`${outcome.err()} ${outcome.meta().logs()}`);
  assert.equal(svm.getBalance(to), amount);
  svm.expireBlockhash();
}

const publicKey = await crypto.subtle.importKey("raw", getBase58Encoder().encode(from), "Ed25519", true, ["verify"]);

for (const version of ["legacy", 0, 1]) {
  const name = version === "legacy" ? "legacy" : `v${version}`;
  await check(`${name} transfer, verifySignature, executed`, async () => {
    const { address: to } = await generateKeyPairSigner();
    const transaction = compileTransaction(transfer(version, to));
    const { answer, decoded } = await signed(transaction);
    assert.ok(await verifySignature(publicKey, decoded.signatures[from], transaction.messageBytes));
    assert.ok(isFullySignedTransaction(decoded));
    assert.deepEqual(answer.missing_signers, []);
    execute(decoded, to);
  });
}

await check("two signers: another one pays, both signatures hold, executed", async () => {
  const [payer, { address: to }] = await Promise.all([generateKeyPairSigner(), generateKeyPairSigner()]);
  svm.airdrop(payer.address, lamports(1_000_000_000n));
  const { answer, decoded } = await signed(compileTransaction(transfer(0, to, payer.address)));
  assert.deepEqual(answer.missing_signers, [payer.address]);
  const [theirs] = await payer.signTransactions([decoded]);
  execute({ ...decoded, signatures: { ...decoded.signatures, ...theirs } }, to);
});
await check("a changed message is refused by the chain", async () => {
  const { address: to } = await generateKeyPairSigner();
  const { decoded } = await signed(compileTransaction(transfer(0, to)));
  const messageBytes = new Uint8Array(decoded.messageBytes);
  messageBytes[messageBytes.length - 2] ^= 1;
  assert.ok(svm.sendTransaction({ ...decoded, messageBytes }) instanceof FailedTransactionMetadata);
});
const offchain = { 0: { applicationDomain: offchainMessageApplicationDomain("11111111111111111111111111111111") }, 1: {} };
offchain[0].content = offchainMessageContentUtf8Of1232BytesMax("Grüezi, off chain");
offchain[1].content = "Grüezi, off chain";
for (const version of [0, 1]) {
  await check(`off-chain message, version ${version}, verifyOffchainMessageEnvelope`, async () => {
    const requiredSignatories = [{ address: from }];
    const { content } = compileOffchainMessageEnvelope({ version, requiredSignatories, ...offchain[version] });
    const { signed_message: envelope } = await sign({
      type: "solana.offchain_message",
      message: getBase64Decoder().decode(content),
    });
    const decoded = getOffchainMessageEnvelopeDecoder().decode(getBase64Encoder().encode(envelope));
    assert.deepEqual(decoded.content, content);
    await verifyOffchainMessageEnvelope(decoded);
  });
}
