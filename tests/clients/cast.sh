#!/usr/bin/env bash
# cast 1.7: what it can have signed by a node, on the signer's endpoint, and `cast send --unlocked` on a router.
# run.mjs sets SITE and CAST.
set -uo pipefail

get() { node -p 'JSON.parse(process.env.SITE)[process.argv[1]]' "$1"; }
rpc=$(get rpc) signer=$(get signer) anvil=$(get anvil) router=$(get router) evm=$(get evm) chain=$(get chainId)
recipient=0x3535353535353535353535353535353535353535
message='Nitro Signer signs what it understands'
fees=(--gas-price 20000000000 --priority-gas-price 1000000000)
failed=0

cast() { NO_COLOR=1 "$CAST" "$@"; }

# Runs a function in a shell that stops at the first command that fails.
check() {
    local said
    if said=$( (set -e; "${@:2}") 2>&1); then
        printf 'ok      %s\n' "$1"
    else
        printf 'FAILED  %s: %s\n' "$1" "$(tr '\n' ' ' <<<"$said" | cut -c1-400)"
        failed=1
    fi
}

unquoted() { tr -d '"'; }
nonce() { cast nonce --rpc-url "$anvil" --block pending "$evm"; }

mined() { # hash type
    local found
    found=$(cast receipt --rpc-url "$anvil" --json "$1" |
        node -p 'const r = JSON.parse(require("fs").readFileSync(0)); [Number(r.status), r.from, Number(r.type)].join(" ")')
    [ "${found,,}" = "1 ${evm,,} $2" ] || { echo "mined as: $found"; return 1; }
}

mine() { # raw type
    local hash
    hash=$(cast publish --rpc-url "$anvil" --json "$1" |
        node -p 'const text = require("fs").readFileSync(0, "utf8").trim(); text.startsWith("{") ? JSON.parse(text).transactionHash : text.replaceAll("\"", "")')
    mined "$hash" "$2"
}

accounts() { cast rpc --rpc-url "$rpc" eth_accounts | grep -qi "$evm"; }
chain_id() { [ "$(cast chain-id --rpc-url "$rpc")" = "$chain" ]; }

personal_sign() {
    local data signature
    data=$(cast from-utf8 "$message")
    signature=$(cast rpc --rpc-url "$rpc" personal_sign "$data" "$evm" | unquoted)
    cast wallet verify --address "$evm" "$message" "$signature"
}

typed_data() {
    local data signature
    data=$(printf '{"types":{"EIP712Domain":[{"name":"name","type":"string"},{"name":"chainId","type":"uint256"}],"Mail":[{"name":"to","type":"address"},{"name":"contents","type":"string"}]},"domain":{"name":"Test","chainId":%s},"primaryType":"Mail","message":{"to":"%s","contents":"%s"}}' "$chain" "$recipient" "$message")
    signature=$(cast rpc --rpc-url "$rpc" eth_signTypedData_v4 "$evm" "$data" | unquoted)
    cast wallet verify --address "$evm" --data "$data" "$signature"
}

sign_transaction() {
    local raw
    raw=$(cast rpc --rpc-url "$rpc" eth_signTransaction "$(printf '{"from":"%s","to":"%s","value":"0x1","gas":"0x5208","nonce":"0x%x","maxFeePerGas":"0x4a817c800","maxPriorityFeePerGas":"0x3b9aca00"}' "$evm" "$recipient" "$(nonce)")" | unquoted)
    mine "$raw" 2
}

# `cast mktx` asks the node that it is given to sign; what it must not ask for is given.
ethsign() { # type flags...
    local raw
    raw=$(cast mktx --ethsign --rpc-url "$router" --from "$evm" --nonce "$(nonce)" --gas-limit 60000 --value 1 "${@:2}" "$recipient" | tail -n 1)
    mine "$raw" "$1"
}

# An unsigned serialization of cast's, signed over REST.
raw_unsigned() {
    local unsigned raw
    unsigned=$(cast mktx --raw-unsigned --rpc-url "$anvil" --chain "$chain" --from "$evm" --nonce "$(nonce)" --gas-limit 21000 --value 1 "${fees[@]}" "$recipient")
    raw=$(node -e '
        const [url, unsigned] = process.argv.slice(1);
        const body = JSON.stringify({ type: "evm.transaction", unsigned });
        fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body })
            .then((response) => response.json())
            .then((answer) => console.log(answer.signed_transaction ?? JSON.stringify(answer)));
    ' "$signer/v1/wallets/treasury/sign" "$unsigned")
    mine "$raw" 2
}

unlocked() { # type flags...
    local hash
    hash=$(cast send --unlocked --rpc-url "$router" --from "$evm" --value 1 --json "${@:2}" "$recipient" |
        node -p 'JSON.parse(require("fs").readFileSync(0)).transactionHash')
    mined "$hash" "$1"
}

check "rpc eth_accounts" accounts
check "chain-id" chain_id
check "rpc personal_sign, wallet verify" personal_sign
check "rpc eth_signTypedData_v4, wallet verify --data" typed_data
check "rpc eth_signTransaction, publish, mined" sign_transaction
check "mktx --ethsign, type 2, mined" ethsign 2 "${fees[@]}"
check "mktx --ethsign --legacy, type 0, mined" ethsign 0 --legacy --gas-price 20000000000
check "mktx --raw-unsigned, REST sign, publish, mined" raw_unsigned
check "send --unlocked through a router, mined" unlocked 2
check "send --unlocked --legacy through a router, mined" unlocked 0 --legacy
exit "$failed"
