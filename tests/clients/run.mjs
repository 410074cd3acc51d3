// Starts the appliance, a chain and the router, runs every client, and stops all of it.
//
// usage: node run.mjs APPLIANCE ANVIL CAST PYTHON [CLIENT...]

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { serve } from "./router.mjs";

const [appliance, anvil, cast, python, ...only] = process.argv.slice(2);
const CHAIN_ID = 31337;
const PATIENCE_MS = 120_000;
const WEALTH = "0x3635c9adc5dea00000"; // 1,000 ether

const CLIENTS = {
  ethers: ["node", "ethers.mjs"],
  viem: ["node", "viem.mjs"],
  web3js: ["node", "web3js.mjs"],
  web3py: [python, "web3py.py"],
  cast: ["bash", "cast.sh"],
  kit: ["node", "kit.mjs"],
  "signatures-js": ["node", "signatures.mjs"],
  "signatures-py": [python, "signatures.py"],
};

const started = [];
process.on("exit", () => started.forEach((child) => child.exitCode ?? child.kill("SIGTERM")));
for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130));

/** Starts a program; resolves to the first line that `match` finds something in. */
function start(command, args, match) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  started.push(child);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${command} is not ready`)), PATIENCE_MS);
    const fail = (why) => (clearTimeout(timer), reject(new Error(`${command} ended: ${why}`)));
    child.once("error", fail);
    child.once("exit", fail);
    createInterface({ input: child.stdout }).on("line", (line) => {
      const found = match(line);
      if (found) clearTimeout(timer), resolve(found);
    });
  });
}

/** Runs a client: how many of its checks were fine, and how many were not. */
function run(name, [command, ...args], site) {
  console.log(`\n${name}`);
  const env = { ...process.env, SITE: JSON.stringify(site), CAST: cast };
  const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "inherit"], cwd: import.meta.dirname });
  started.push(child);
  const count = { ok: 0, failed: 0 };
  return new Promise((resolve) => {
    const lines = createInterface({ input: child.stdout });
    lines.on("line", (line) => {
      if (line.startsWith("ok ")) count.ok += 1;
      if (line.startsWith("FAILED ")) count.failed += 1;
      console.log(`  ${line}`);
    });
    child.once("close", (code) => {
      // A client that breaks down without a word, or checks nothing, has failed.
      if ((code !== 0 || count.ok === 0) && count.failed === 0) {
        console.log(`  FAILED  ended with ${code} after ${count.ok} checks`);
        count.failed += 1;
      }
      resolve(count);
    });
  });
}

const { url, wallet, client } = await start(appliance, [], (line) => JSON.parse(line));
const address = (chain) => wallet.accounts.map((account) => account.addresses[chain]).find(Boolean);
const anvilUrl = await start(anvil, ["--host", "127.0.0.1", "--port", "0", "--chain-id", `${CHAIN_ID}`], (line) => {
  const listening = /^Listening on (.*)$/.exec(line);
  return listening && `http://${listening[1]}`;
});
const site = {
  signer: url,
  rpc: `${url}/rpc/${CHAIN_ID}`,
  anvil: anvilUrl,
  chainId: CHAIN_ID,
  evm: address("evm"),
  solana: address("solana"),
  // The client that signs its requests, with its keys.
  client,
};
const router = await serve({ signer: site.rpc, node: site.anvil });
site.router = router.url;
await fetch(site.anvil, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "anvil_setBalance", params: [site.evm, WEALTH] }),
});
console.log(`appliance ${url}, anvil ${anvilUrl}, account ${site.evm}`);

const total = { ok: 0, failed: 0 };
for (const [name, command] of Object.entries(CLIENTS)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const { ok, failed } = await run(name, command, site);
  total.ok += ok;
  total.failed += failed;
}
console.log(`\n${total.ok} checks are fine, ${total.failed} failed`);
process.exit(total.failed === 0 && total.ok > 0 ? 0 : 1);
