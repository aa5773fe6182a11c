"""Makes what a caller of tenant A may try: any method, path, spelling, query, header and body.

Always the same for the same source of chance. What only a running cluster knows (uids, tokens of
lists) stands as a word in braces that `fill` replaces. Must not say which are to be refused.
"""

import json
import random
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from tests.tenancy.town import (
    ABOVE_NAMESPACES,
    CONFIGMAPS,
    GADGETS,
    GROUP,
    IN_NAMESPACES,
    NAMESPACES,
    OURS,
    PODS,
    SECRETS,
    STORAGE_CLASSES,
    THEIRS,
    WIDGETS,
    Kind,
    object_of,
)
from tests.tenancy.wire import Sent

METHODS = (
    *["GET"] * 12, *["POST"] * 4, *["PUT"] * 2, *["PATCH"] * 4, *["DELETE"] * 3, "HEAD", "OPTIONS",
)  # fmt: skip
# How many of a hundred name an object in the path.
_NAMED = {
    "GET": 55, "HEAD": 55, "OPTIONS": 55, "POST": 20, "PUT": 90, "PATCH": 90, "DELETE": 75,
}  # fmt: skip
MOST_KINDS = (PODS, PODS, CONFIGMAPS, CONFIGMAPS, SECRETS, WIDGETS, WIDGETS, GADGETS, NAMESPACES)
UNKNOWN = (
    Kind(f"/apis/{GROUP}/v2", "widgets", True),
    Kind(f"/apis/{GROUP}/v1", "gizmos", True),
    Kind("/apis/nobody.example/v1", "widgets", True),
    Kind("/api/v2", "pods", True),
    Kind("/apis/apps/v1", "pods", True),
    Kind("/apis//v1", "pods", True),
    Kind("/apis/v1", "pods", True),
    Kind("/apis/metrics.k8s.io/v1beta1", "pods", True),
)
REVIEWS = (
    Kind("/apis/authentication.k8s.io/v1", "tokenreviews", False),
    Kind("/apis/authentication.k8s.io/v1", "selfsubjectreviews", False),
    Kind("/apis/authorization.k8s.io/v1", "subjectaccessreviews", False),
    Kind("/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews", False),
    Kind("/apis/authorization.k8s.io/v1", "selfsubjectrulesreviews", False),
    Kind("/apis/authorization.k8s.io/v1", "localsubjectaccessreviews", True),
    Kind("/api/v1", "bindings", True),
)
NAMESPACE_WORDS = (OURS[0], OURS[0], OURS[0], OURS[1], OURS[1], THEIRS, THEIRS)
ODD_NAMESPACES = (
    "default", "kube-system", "*", "-", "_all", "TEAM-A", f"{OURS[0]} ", f"{OURS[0]},{THEIRS}",
    f"{OURS[0]}/../{THEIRS}", f"{OURS[0]};{THEIRS}", f"{THEIRS}\x00", f"{OURS[0]}?{THEIRS}",
    f"{OURS[0]}\n", ".", "..", "namespaces", "watch", "status", "finalize",
)  # fmt: skip
NAMES = ("web-0", "web-0", "web-0", "theirs", "shared-1", "sealed-1", "made-1", "made-2")
ODD_NAMES = (
    THEIRS, OURS[0], f"../{THEIRS}", f"..%2f..%2f{THEIRS}%2fpods%2ftheirs", f"web-0,{THEIRS}", "*",
    f"widgets.{GROUP}", "status", "watch",
)  # fmt: skip
SUBRESOURCES = (
    "status", "scale", "log", "exec", "attach", "portforward", "proxy", "binding", "eviction",
    "ephemeralcontainers", "resize", "token", "finalize", "approval", "other", "",
)  # fmt: skip
PATHS = (
    "/", "/api", "/apis", "/api/v1", f"/apis/{GROUP}/v1", "/openapi/v2", "/openapi/v3",
    "/openapi/v3/api/v1", "/version", "/healthz", "/livez", "/readyz", "/metrics", "/logs/",
    "/logs/kube-apiserver.log", "/debug/pprof/profile", "/debug/api_priority_and_fairness/dump",
    "/openid/v1/jwks", "/.well-known/openid-configuration", "/flagz", "/statusz", "/configz",
    "/api/v1/namespaces//pods", "//api/v1/pods", f"/api/v1/./namespaces/{THEIRS}/pods",
    f"/version/../api/v1/namespaces/{THEIRS}/secrets", "/apiextensions", "/healthz/etcd",
)  # fmt: skip
QUERIES = (
    "watch=true", "watch=1", "watch=", "watch=0", "watch=FALSE", "watch=0&watch=1", "%77atch=1",
    "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
    "watch=true&resourceVersion=0", "follow=true",
    f"fieldSelector=metadata.namespace%3D{THEIRS}", f"fieldSelector=metadata.namespace={OURS[0]}",
    f"fieldSelector=metadata.namespace={THEIRS},metadata.name=web-0",
    "fieldSelector=metadata.name%3Dweb-0", "fieldSelector=metadata.name%3Dtheirs",
    "fieldSelector=metadata.namespace!=x", f"fieldSelector=metadata.name={THEIRS}",
    "labelSelector=app%3Dweb", "limit=1", "limit=500", "limit=0", "limit=x",
    "continue={continue-theirs}", "continue={continue-all}", "continue={continue-crafted}",
    "continue={continue-gadgets}", "limit=1&continue={continue-crafted}",
    "resourceVersion=0", "resourceVersion=1", "resourceVersion={version}",
    "resourceVersion={version}&resourceVersionMatch=Exact",
    "dryRun=All", "dryRun=None", "dryRun=All&dryRun=None", "pretty=true", "export=true",
    f"namespace={THEIRS}", f"namespace={OURS[0]}&namespace={THEIRS}", "allNamespaces=true",
    "fieldManager=a&force=true", "fieldValidation=Strict", "propagationPolicy=Foreground",
    "orphanDependents=true", "gracePeriodSeconds=0", "timeoutSeconds=1", "timeout=1s",
    "container=app", "container=mca", "container=..%2f", "command=id&stdin=true",
    "ports=80", "tailLines=1", "insecureSkipTLSVerifyBackend=true", "as=Table",
    f"impersonateUser={THEIRS}", "access_token=x", "%zz", "a=b;c=d", "shardSelector=x",
)  # fmt: skip
PROTOBUF = "application/vnd.kubernetes.protobuf"
ACCEPTS = (
    "application/json", "*/*", PROTOBUF, f"{PROTOBUF},application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    f"{PROTOBUF};as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/yaml",
    f"{PROTOBUF};stream=watch", "application/cbor", "application/json;stream=watch", "text/html",
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf",
)  # fmt: skip
HEADERS = (
    ("Accept-Encoding", "gzip"), ("Accept-Encoding", "gzip"), ("Impersonate-User", "admin"),
    ("Impersonate-Group", "system:masters"), ("Impersonate-Uid", "1"),
    ("Impersonate-Extra-Scopes", "all"), ("X-Remote-User", "admin"),
    ("X-Remote-Group", "system:masters"), ("X-HTTP-Method-Override", "DELETE"),
    ("X-Original-URL", f"/api/v1/namespaces/{THEIRS}/secrets"),
    ("X-Rewrite-URL", f"/api/v1/namespaces/{THEIRS}/secrets"), ("X-Forwarded-User", "admin"),
    ("X-Forwarded-Uri", f"/api/v1/namespaces/{THEIRS}/pods"), ("Forwarded", "for=127.0.0.1"),
    ("Connection", "Authorization"), ("Connection", "Audit-ID, X-Remote-User"),
    ("Audit-ID", "chosen-by-the-caller"), ("Cookie", "a=b"), ("Mca-Decision", "permit"),
    ("Mca-Namespace", THEIRS), ("If-None-Match", '"x"'), ("Kubectl-Command", "kubectl get"),
    ("Origin", "https://evil.example"), ("X_Remote_User", "admin"), ("TE", "trailers"),
    ("Expect", "100-continue"), ("Content-Encoding", "gzip"), ("Warning", '299 - "x"'),
)  # fmt: skip
UPGRADES = (
    (
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
        ("Sec-WebSocket-Protocol", "v5.channel.k8s.io"),
    ),
    (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", "v4")),
    (("Connection", "Upgrade"), ("Upgrade", "h2c")),
)
OBJECT_TYPES = (*["application/json"] * 6, "application/yaml", "text/plain")
PATCH_TYPES = (
    "application/merge-patch+json", "application/strategic-merge-patch+json",
    "application/apply-patch+yaml", "application/json-patch+json", "application/json",
)  # fmt: skip


def fill(sent: Sent, facts: Mapping[str, str]) -> Sent:
    """With the words in braces replaced."""
    target, body = sent.target, sent.body
    for word, text in facts.items():
        if f"{{{word}}}" in target:
            target = target.replace(f"{{{word}}}", quote(text, safe=""))
        body = body.replace(f"{{{word}}}".encode(), text.encode())
    return sent._replace(target=target, body=body)


def attempt(source: random.Random) -> Sent:
    """One request."""
    kind = source.choice(_KINDS)
    method = "POST" if kind in REVIEWS and not _one_in(source, 4) else source.choice(METHODS)
    name = ""
    if source.randint(1, 100) <= _NAMED[method]:
        name = source.choice(_OWN_NAMES.get(kind, _NAMES))
    target = _targets(source, kind, name)
    pairs = _queries(source)
    if pairs:
        target += "?" + "&".join(pairs)
    headers = [("Accept", source.choice(_ACCEPTS))]
    headers += _odd_headers(source)
    body = b""
    if method in {"POST", "PUT", "PATCH", "DELETE"}:
        content_type, body = _bodies(source, method, kind, name)
        if body:
            headers.append(("Content-Type", content_type))
    elif _one_in(source, 12):
        headers += source.choice(UPGRADES)
    return Sent(method, target, tuple(headers), body, chunked=_one_in(source, 5))


def _one_in(source: random.Random, count: int) -> bool:
    return source.randrange(count) == 0


# Weights are made by repeating.
_KINDS = (*MOST_KINDS * 10, *IN_NAMESPACES, *ABOVE_NAMESPACES, *REVIEWS * 2, *UNKNOWN)
_NAMES = (*NAMES * 16, *ODD_NAMES)
_ACCEPTS = (*["application/json"] * 40, *ACCEPTS)
_OWN_NAMES = {
    NAMESPACES: (*OURS, THEIRS, "default", "made-1"),
    GADGETS: ("shared-1", "shared-1", "shared-2", "theirs", "web-0", "shared-*"),
    STORAGE_CLASSES: ("fast", "made-1"),
}
_NAMESPACES = (*NAMESPACE_WORDS * 40, *ODD_NAMESPACES)


def _queries(source: random.Random) -> list[str]:
    count = source.choice((0, 0, 0, 1, 1, 2, 3))
    return [source.choice(QUERIES) for _ in range(count)]


def _odd_headers(source: random.Random) -> list[tuple[str, str]]:
    count = source.choice((*[0] * 12, 1, 2))
    return [source.choice(HEADERS) for _ in range(count)]


def _targets(source: random.Random, kind: Kind, name: str) -> str:
    form = source.randrange(25)
    if form == 0:
        path = source.choice(PATHS)
    else:
        segments = _place(source, kind, form)
        if name:
            segments.append(name)
            if _one_in(source, 3):
                segments.append(source.choice(SUBRESOURCES))
        path = "/".join([kind.prefix, *(_spelled(source, segments))])
    return path + ("/" if _one_in(source, 15) else "")


def _place(source: random.Random, kind: Kind, form: int) -> list[str]:
    """The segments before an object's name: mostly as the kind has it, else as it has not."""
    namespace = source.choice(_NAMESPACES)
    within = ["namespaces", namespace, kind.resource]
    if form == 1:
        return ["watch", *within]
    if form == 2:
        return ["watch", kind.resource]
    if form == 3:
        return ["proxy", *within]
    if form == 4:
        return ["namespaces", namespace, *within]
    if form == 5:
        return ["namespaces", namespace]
    if form == 6:
        return ["namespaces", OURS[0], kind.resource, "web-0", *within]
    if form < 12 and kind.namespaced:
        return [kind.resource]
    if form < 12 and not kind.namespaced:
        return within
    return within if kind.namespaced else [kind.resource]


def _spelled(source: random.Random, segments: list[str]) -> list[str]:
    """Mostly as every client writes them; sometimes one of them in an odd way."""
    written = [quote(segment, safe=":@,*") for segment in segments]
    if source.randrange(10):
        return written
    at = source.randrange(len(segments))
    segment = segments[at]
    written[at] = source.choice(
        (
            "".join(f"%{byte:02x}" for byte in segment.encode()),
            "".join(f"%25{byte:02X}" for byte in segment.encode()),
            segment.replace("%", "").replace("\n", "").replace(" ", ""),
            f"{quote(segment)};x=1",
            f"./{quote(segment)}",
            f"x/../{quote(segment)}",
            f"x/%2e%2e/{quote(segment)}",
            f"{quote(segment)}%00",
            f"{quote(segment)}%20",
            f"{quote(segment)}%09",
            f"%2f{quote(segment)}",
            f"{quote(segment)}\\..",
            f"/{quote(segment)}",
            quote(segment).upper(),
            f"{quote(segment)}%c0%af",
        )
    )
    return written


def _bodies(source: random.Random, method: str, kind: Kind, name: str) -> tuple[str, bytes]:
    if method == "DELETE":
        return "application/json", source.choice(_DELETE_OPTIONS)
    if method == "PATCH":
        content_type = source.choice(PATCH_TYPES)
        if content_type == "application/json-patch+json":
            return content_type, source.choice(_JSON_PATCHES)
    else:
        content_type = source.choice(OBJECT_TYPES)
    if _one_in(source, 6):
        return content_type, source.choice(_ODD_BODIES)
    if method == "POST" and _one_in(source, 12):
        return PROTOBUF, source.choice(_PROTOBUF_BODIES)
    return content_type, json.dumps(_objects(source, kind, name)).encode()


def _objects(source: random.Random, kind: Kind, name: str) -> dict[str, Any]:
    other = "web-0" if _one_in(source, 10) else ""
    made = object_of(kind, other or name or source.choice(("made-1", "made-2", "sealed-1")))
    metadata = made["metadata"] = dict(made["metadata"])
    namespace = source.choice((*[None] * 6, OURS[0], OURS[1], THEIRS, "", "*"))
    if namespace is not None:
        metadata["namespace"] = namespace
    if _one_in(source, 8):
        metadata["generateName"] = source.choice(("made-", "sealed-", "s"))
        del metadata["name"]
    if _one_in(source, 8):
        metadata["ownerReferences"] = [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "name": "theirs",
                "uid": "{uid-theirs}",
                "blockOwnerDeletion": True,
                "controller": True,
            }
        ]
    if _one_in(source, 8):
        metadata["finalizers"] = ["example.com/keep"]
    if _one_in(source, 8):
        metadata["resourceVersion"] = "{version}"
    if _one_in(source, 8):
        made |= {"apiVersion": _api_version(kind), "kind": source.choice(_KIND_NAMES)}
    if kind in REVIEWS or _one_in(source, 5):
        made |= source.choice(_EXTRAS)
    if kind is SECRETS and _one_in(source, 4):
        made["type"] = "kubernetes.io/service-account-token"
    return made


def _api_version(kind: Kind) -> str:
    return kind.prefix.removeprefix("/apis/").removeprefix("/api/")


_KIND_NAMES = ("Pod", "ConfigMap", "Secret", "Widget", "Gadget", "List", "ConfigMapList", "Binding")
_EXTRAS: tuple[dict[str, Any], ...] = (
    {"data": {"key": "value"}},
    {"target": {"apiVersion": "v1", "kind": "Node", "name": "theirs"}},
    {"items": [object_of(CONFIGMAPS, "made-1") | {"metadata": {"namespace": THEIRS}}]},
    {"subjects": [{"kind": "ServiceAccount", "name": "web-0", "namespace": OURS[0]}]},
    {"spec": {"user": "admin", "resourceAttributes": {"namespace": THEIRS, "verb": "*"}}},
    {"spec": {"resourceAttributes": {"namespace": THEIRS, "verb": "get", "resource": "pods"}}},
    {"spec": {"resourceAttributes": {"namespace": OURS[0], "verb": "get", "resource": "pods"}}},
    {"spec": {"resourceAttributes": {"version": f"v1/namespaces/{THEIRS}/secrets"}}},
    {"spec": {"resourceAttributes": {"group": "../api/v1", "resource": "secrets"}}},
    {"spec": {"resourceAttributes": {"group": "*", "resource": "*", "verb": "*"}}},
    {"spec": {"nonResourceAttributes": {"path": "/metrics", "verb": "get"}}},
    {"spec": {"namespace": OURS[0]}},
    {"spec": {"namespace": THEIRS}},
    {"spec": {"token": "x", "audiences": ["api"]}},
    {"spec": {"audiences": ["vault.example"]}},
    {"spec": {"finalizers": []}},
    {"spec": {"replicas": 3}},
    {"kind": "DeleteOptions", "apiVersion": "v1"},
)
_DELETE_OPTIONS = (
    b"",
    b"",
    b'{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Background"}',
    b'{"preconditions":{"uid":"{uid-theirs}"}}',
    b'{"dryRun":["All"]}',
    b'{"metadata":{"namespace":"%b","name":"theirs"}}' % THEIRS.encode(),
)
_JSON_PATCHES = tuple(
    json.dumps(patch).encode()
    for patch in (
        [{"op": "replace", "path": "/metadata/namespace", "value": THEIRS}],
        [{"op": "add", "path": "/metadata/namespace", "value": THEIRS}],
        [{"op": "replace", "path": "/metadata/name", "value": "theirs"}],
        [{"op": "move", "from": "/metadata/name", "path": "/metadata/namespace"}],
        [{"op": "add", "path": "/metadata/labels/x", "value": "y"}],
        [{"op": "copy", "from": "/data", "path": "/metadata/annotations"}],
    )
)
_ODD_BODIES = (
    b"",
    b"null",
    b"[]",
    b"{",
    b"\xff",
    b"metadata:\n  name: made-1\n  namespace: %b\n" % THEIRS.encode(),
    b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: &n made-1, namespace: %b}\n"
    % THEIRS.encode(),
    b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made-1}\ndata: {a: b}\n",
    b'{"metadata":{"name":"made-1","namespace":"%b"},"metadata":{"name":"made-2"}}'
    % OURS[0].encode(),
    b'{"metadata":{"namespace":"%b","Namespace":"%b"}}' % (OURS[0].encode(), THEIRS.encode()),
    b'{"metadata":{"namespace":null,"name":"sealed-1"}}',
    b'{"kind":"List","apiVersion":"v1","items":[{"kind":"ConfigMap","apiVersion":"v1",'
    b'"metadata":{"name":"made-1","namespace":"%b"}}]}' % THEIRS.encode(),
)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field of less than 128 bytes."""
    return bytes([number << 3 | 2, len(content)]) + content


def _protobuf(api_version: bytes, kind: bytes, metadata: bytes) -> bytes:
    message = _field(1, metadata)
    known = _field(1, api_version) + _field(2, kind)
    return b"k8s\x00" + _field(1, known) + _field(2, message)


_PROTOBUF_BODIES = tuple(
    _protobuf(b"v1", kind, _field(1, b"made-3") + namespace)
    for kind in (b"ConfigMap", b"Secret", b"Pod", b"Namespace")
    for namespace in (b"", _field(3, THEIRS.encode()), _field(3, OURS[0].encode()))
)
