"""Signs every case of cases.json with PyPI's joserfc and authlib, into joserfc.json and authlib.json."""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import authlib.jose
import joserfc.jws
from joserfc.jwk import import_key

FOLDER = Path(__file__).parent
GIVEN = json.loads((FOLDER / "cases.json").read_text())
ALGORITHMS = ["EdDSA", "Ed25519", "ES256"]


def with_joserfc(header, claims, jwk):
    registry = joserfc.jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
    return joserfc.jws.serialize_compact(header, claims, import_key(jwk), registry=registry)


def with_authlib(header, claims, jwk):
    jws = authlib.jose.JsonWebSignature(algorithms=ALGORITHMS)
    return jws.serialize_compact(header, claims, authlib.jose.JsonWebKey.import_key(jwk)).decode()


for name, sign in {"joserfc": with_joserfc, "authlib": with_authlib}.items():
    tokens = {}
    for case in GIVEN["cases"]:
        claims = json.dumps(case["claims"]).encode()
        try:
            tokens[case["name"]] = sign(case["header"], claims, GIVEN["keys"][case["key"]])
        except Exception as error:
            print(f"{name}, {case['name']}: {error!r}", file=sys.stderr)
    made = {"made_by": f"{name} {version(name)}", "tokens": tokens}
    (FOLDER / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
