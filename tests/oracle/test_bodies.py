"""The identity guards against the API server's own decoders.

What passes must not say what is forbidden.
"""

import base64
import random
import sys
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pytest

from sidecar.policy.decide import compile_policy, decide
from sidecar.policy.requestinfo import RequestInfo, request_info
from sidecar.policy.scopes import Scopes
from sidecar.policy.snapshot import Snapshot
from sidecar.policy.target import Target, parse_target
from sidecar.policy.verdict import Body, Caller, Denial, Permit
from tests.oracle.programs import ask_all
from tests.oracle.spellings import spell_json, spell_protobuf, spell_yaml

BODIES = 6_000
POLICY = compile_policy(Snapshot("r", "team-a", ()), frozenset({"https://api.home.example.com"}))
CALLER = Caller("app", "team-a", "default", "pod")

PROTOBUF = "application/vnd.kubernetes.protobuf"
APPLY = "application/apply-patch+yaml"


class Case(NamedTuple):
    """One guard.

    Where its bodies go, how the forbidden thing is placed, and which strings are forbidden.
    """

    kind: str
    api_version: str
    path: str
    keys: tuple[str, ...]
    numbers: tuple[int, ...]
    forbidden: tuple[str, ...]
    harmless: tuple[str, ...]


CASES = (
    Case(
        "Secret",
        "v1",
        "/api/v1/namespaces/team-a/secrets",
        ("type",),
        (3,),
        ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"),
        ("Opaque", "kubernetes.io/tls", "kubernetes.io/service-account-tokens"),
    ),
    Case(
        "TokenRequest",
        "authentication.k8s.io/v1",
        "/api/v1/namespaces/team-a/serviceaccounts/x/token",
        ("spec", "audiences"),
        (2, 1),
        ("https://api.home.example.com", "https://kubernetes.default.svc", "mca"),
        ("vault", "sts.amazonaws.com", "https://x.example.com"),
    ),
    Case(
        "CertificateSigningRequest",
        "certificates.k8s.io/v1",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
        ("spec", "signerName"),
        (2, 7),
        ("kubernetes.io/kube-apiserver-client", "kubernetes.io/kube-apiserver-client-kubelet"),
        ("example.com/signer", "kubernetes.io/kubelet-serving"),
    ),
    Case(
        "PodCertificateRequest",
        "certificates.k8s.io/v1beta1",
        "/apis/certificates.k8s.io/v1beta1/namespaces/team-a/podcertificaterequests",
        ("spec", "signerName"),
        (2, 1),
        ("kubernetes.io/kube-apiserver-client-pod",),
        ("example.com/signer",),
    ),
    Case(
        "Pod",
        "v1",
        "/api/v1/namespaces/team-a/pods/name/ephemeralcontainers",
        ("spec", "ephemeralContainers", "targetContainerName"),
        (2, 34, 2),
        ("mca", "mca-x"),
        ("app", "debugger"),
    ),
)


def judge(case: Case, method: str, media_type: str, content: bytes) -> Permit | Denial:
    target = parse_target(case.path.encode())
    assert isinstance(target, Target)
    info = request_info(method, target)
    assert isinstance(info, RequestInfo)
    verdict = decide(POLICY, Scopes(), CALLER, info, Body(media_type, content))
    assert isinstance(verdict, Permit | Denial)
    return verdict


def says_forbidden(case: Case, strings: list[str]) -> bool:
    # A token request without an audience is one for the API server.
    if case.kind == "TokenRequest" and not strings:
        return True
    return bool(set(strings) & set(case.forbidden))


Maker = Callable[[random.Random, Case, str], bytes]
FORMATS: dict[str, Maker] = {
    # Now and then one that is YAML, should the server look beyond the media type.
    "application/json": lambda source, case, text: (
        spell_json if source.random() < 0.9 else spell_yaml
    )(source, case.keys, text),
    "application/yaml": lambda source, case, text: spell_yaml(source, case.keys, text),
    APPLY: lambda source, case, text: spell_yaml(source, case.keys, text),
    PROTOBUF: lambda source, case, text: spell_protobuf(
        source, case.numbers, text, (case.api_version, case.kind)
    ),
}


@pytest.mark.parametrize("media_type", FORMATS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_what_passes_does_not_say_it(case: Case, media_type: str) -> None:
    if case.kind == "TokenRequest" and media_type == APPLY:
        return
    source = random.Random(f"{case.kind} {media_type}")
    method = "PATCH" if media_type == APPLY else "POST"
    contents = [
        FORMATS[media_type](
            source, case, source.choice(case.forbidden if index % 4 else case.harmless)
        )
        for index in range(BODIES)
    ]
    questions = (
        f"{case.kind}\t{media_type}\t{base64.b64encode(content).decode()}".encode()
        for content in contents
    )
    counts = Counter[str]()
    for content, answer in zip(contents, ask_all("bodies", questions), strict=True):
        passes = isinstance(judge(case, method, media_type, content), Permit)
        strings = None if "error" in answer else answer["strings"] or []
        says_it = strings is not None and says_forbidden(case, strings)
        assert not (passes and says_it), content
        counts["forbidden" if says_it else "harmless" if strings is not None else "invalid"] += 1
        counts["passed"] += passes and strings is not None
    sys.stdout.write(f"{case.kind} as {media_type}: {dict(counts)}\n")
    # The tricks work on a server, and what means no harm is not simply refused.
    assert counts["forbidden"] > BODIES / 10
    assert counts["passed"] > BODIES / 120
