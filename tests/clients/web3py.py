"""web3.py 8: on the signer's /geth endpoint, whose eth_signTransaction answers as geth does."""

import json
import os
import sys

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from web3 import HTTPProvider, Web3

SITE = json.loads(os.environ["SITE"])
EVM, CHAIN_ID = SITE["evm"], SITE["chainId"]
RECIPIENT = "0x3535353535353535353535353535353535353535"
MESSAGE = "Nitro Signer signs what it understands: Grüezi"
GWEI = 10**9

signer = Web3(HTTPProvider(SITE["rpc"] + "/geth"))
node = Web3(HTTPProvider(SITE["anvil"]))
router = Web3(HTTPProvider(SITE["router"]))
failed = False


def check(what, run):
    global failed
    try:
        run()
        print(f"ok      {what}", flush=True)
    except Exception as error:
        failed = True
        print(f"FAILED  {what}: {type(error).__name__} {str(error)[:300]!r}", flush=True)


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found} instead of {wanted}")


def mine(raw, kind):
    equal(Account.recover_transaction(raw), EVM)
    mined(node.eth.send_raw_transaction(raw), kind)


def mined(transaction_hash, kind):
    receipt = node.eth.wait_for_transaction_receipt(transaction_hash, timeout=20)
    equal((receipt["status"], receipt["from"], receipt["type"]), (1, EVM, kind))


def common():
    nonce = node.eth.get_transaction_count(EVM, "pending")
    return {"from": EVM, "to": RECIPIENT, "value": 10**15, "gas": 60_000, "nonce": nonce, "chainId": CHAIN_ID}


def typed_data():
    return {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Mail": [
                {"name": "to", "type": "address"},
                {"name": "amounts", "type": "uint256[]"},
                {"name": "contents", "type": "string"},
            ],
        },
        "domain": {"name": "Test", "chainId": CHAIN_ID, "verifyingContract": RECIPIENT},
        "primaryType": "Mail",
        "message": {"to": RECIPIENT, "amounts": [1, 2**53 - 1], "contents": MESSAGE},
    }


def accounts():
    equal(EVM in signer.eth.accounts, True)


def chain_id():
    equal(signer.eth.chain_id, CHAIN_ID)


def sign():
    signature = signer.eth.sign(EVM, text=MESSAGE)
    equal(Account.recover_message(encode_defunct(text=MESSAGE), signature=signature), EVM)


def sign_typed_data():
    signature = signer.eth.sign_typed_data(EVM, typed_data())
    equal(Account.recover_message(encode_typed_data(full_message=typed_data()), signature=signature), EVM)


def sign_transaction(kind, more):
    def run():
        signed = signer.eth.sign_transaction({**common(), "type": kind, **more})
        equal(int(signed["tx"]["type"]), kind)
        mine(signed["raw"], kind)

    return run


def send_transaction():
    mined(router.eth.send_transaction({"from": EVM, "to": RECIPIENT, "value": 1}), 2)


ACCESS_LIST = [{"address": "0x4242424242424242424242424242424242424242", "storageKeys": ["0x" + "00" * 31 + "01"]}]
FEES = {"maxFeePerGas": 20 * GWEI, "maxPriorityFeePerGas": GWEI}

check("eth.accounts", accounts)
check("eth.chain_id", chain_id)
check("eth.sign, Account.recover_message", sign)
check("eth.sign_typed_data (without v4), Account.recover_message", sign_typed_data)
check("eth.sign_transaction, type 0, mined", sign_transaction(0, {"gasPrice": 20 * GWEI}))
check("eth.sign_transaction, type 1, mined", sign_transaction(1, {"gasPrice": 20 * GWEI, "accessList": ACCESS_LIST}))
check("eth.sign_transaction, type 2, mined", sign_transaction(2, {**FEES, "accessList": ACCESS_LIST}))
check("eth.send_transaction through a router, mined", send_transaction)
sys.exit(failed)
