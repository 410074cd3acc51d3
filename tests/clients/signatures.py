"""requests with requests-http-signature: requests that are signed with a key."""

import json
import os
import sys

import requests
from requests_http_signature import HTTPSignatureAuth, algorithms

SITE = json.loads(os.environ["SITE"])
CLIENT = SITE["client"]
URL = SITE["signer"] + "/v1/wallets/treasury/sign"
BODY = json.dumps({"type": "evm.message", "text": "Nitro Signer signs what it understands"}).encode()
ALGORITHMS = {"ed25519": algorithms.ED25519, "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256}
failed = False


class SignerAuth(HTTPSignatureAuth):
    """As the documentation shows it. The library would send and cover a `date`, which is not of the signer's profile."""

    def __init__(self, key, authority):
        super().__init__(
            signature_algorithm=ALGORITHMS[key["algorithm"]],
            key=key["pem"].encode(),
            key_id=key["id"],
            covered_component_ids=("@method", "@path"),
            tag=authority,
            use_nonce=True,
        )

    def add_date(self, request, timestamp):
        pass

    def get_covered_component_ids(self, request):
        components = list(super().get_covered_component_ids(request))
        return components + ["@query"] if "?" in request.url else components


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


def prepare(key, method="POST", url=URL, body=BODY):
    auth = SignerAuth(key, CLIENT["authority"])
    return requests.Request(method, url, data=body, auth=auth).prepare()


def send(request):
    with requests.Session() as session:
        return session.send(request, timeout=60)


def accepted(key):
    answer = send(prepare(key))
    equal((answer.status_code, answer.json().get("address")), (200, SITE["evm"]))


def copied(key):
    request = prepare(key)
    equal([send(request).status_code for _ in range(2)], [200, 401])


def changed(key):
    request = prepare(key)
    request.body = BODY.replace(b"evm", b"EVM")
    equal(send(request).status_code, 401)


def queried(key):
    answer = send(prepare(key, "GET", SITE["signer"] + "/v1/wallets?limit=1", None))
    equal((answer.status_code, answer.json()["wallets"][0]["name"]), (200, "treasury"))


def foreign(key):
    request = requests.Request("POST", URL, data=BODY, auth=SignerAuth(key, "00" * 32)).prepare()
    equal(send(request).status_code, 401)


for key in CLIENT["keys"]:
    name = key["algorithm"]
    check(f"{name}: a signed request is the client's", lambda: accepted(key))
    check(f"{name}: a copy of it is refused", lambda: copied(key))
    check(f"{name}: another body is refused", lambda: changed(key))
    check(f"{name}: a query is signed", lambda: queried(key))
    check(f"{name}: one for another authority is refused", lambda: foreign(key))
sys.exit(1 if failed else 0)
