"""Makes request lines: what clients send, and what attackers try. Always the same for a seed.

Nothing here says which are to be accepted; a test that needs refused ones asks `parse_target` and
`request_info`.
"""

import random
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, quote_plus

METHODS = ("GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "DELETE")

# (prefix, resource, is namespaced, subresources)
RESOURCES = (
    ("/api/v1", "pods", True, ("status", "log", "exec", "attach", "portforward", "eviction",
                               "binding", "ephemeralcontainers", "resize", "proxy")),
    ("/api/v1", "services", True, ("status", "proxy")),
    ("/api/v1", "configmaps", True, ()),
    ("/api/v1", "secrets", True, ()),
    ("/api/v1", "serviceaccounts", True, ("token",)),
    ("/api/v1", "events", True, ()),
    ("/api/v1", "nodes", False, ("status", "proxy")),
    ("/api/v1", "persistentvolumes", False, ("status",)),
    ("/api/v1", "namespaces", False, ("status", "finalize")),
    ("/apis/apps/v1", "deployments", True, ("status", "scale")),
    ("/apis/batch/v1", "jobs", True, ("status",)),
    ("/apis/coordination.k8s.io/v1", "leases", True, ()),
    ("/apis/rbac.authorization.k8s.io/v1", "roles", True, ()),
    ("/apis/rbac.authorization.k8s.io/v1", "clusterroles", False, ()),
    ("/apis/certificates.k8s.io/v1", "certificatesigningrequests", False, ("approval", "status")),
    ("/apis/authentication.k8s.io/v1", "tokenreviews", False, ()),
    ("/apis/authorization.k8s.io/v1", "localsubjectaccessreviews", True, ()),
    ("/apis/example.com/v1alpha1", "widgets", True, ("status", "scale")),
    ("/apis/apiextensions.k8s.io/v1", "customresourcedefinitions", False, ("status",)),
)  # fmt: skip
NAMESPACES = (
    "default", "kube-system", "team-a", "watch", "proxy", "namespaces", "status", "finalize",
    "a.b",
)  # fmt: skip
NAMES = (
    "web-0", "system:node", "a.b.c", "Upper", "with space", "a#b", "ü", "watch", "proxy",
    "namespaces", "status", "finalize", "exec", "x" * 253, "~", "a+b", "a,b", "a=b", "a&b", "a?b",
    "a@b", "*", "...", ".hidden", "0",
)  # fmt: skip
NON_RESOURCE = (
    "/", "/api", "/api/", "/api/v1", "/api/v1/", "/apis", "/apis/", "/apis/apps", "/apis/apps/v1",
    "/apis/apps/v1/", "/healthz", "/livez/ping", "/readyz", "/version", "/version/",
    "/openapi/v2", "/openapi/v3/apis/apps/v1", "/metrics", "/logs/", "/debug/pprof/profile",
    "/.well-known/openid-configuration", "/openid/v1/jwks", "/a", "/a/b/c/d", "/API/v1/pods",
    "/apis/watch/v1", "/apiss/x/y/z", "/api%20/v1/pods", "/%61pi/v1/pods",
)  # fmt: skip

LABEL_SELECTORS = (
    "", "app=web", "app==web", "app!=web", "app", "!app", "a in (b,c)", "a notin (b)", "a in ()",
    "a in (,)", "a,b=c", "a>1", "a<x", "a>", "example.com/a=b", "in in (in)", "a=", "a=,b", "a,",
    ",a", "a b", "a=b c", "a===b", "a!b", "!a=b", "! a", "a=in", "a in b", "a in (b", "a in (b))",
    "/a=b", "a/=b", "A.b/c", "x" * 64, "a=" + "x" * 64, "a=-b", "(a)", "\ta\t=\tb\t",
    "a in (b,,c)", "a notin(b),c", "a=(b)", "a>-1", "a>+1", "a>99999999999999999999", "a=ü",
    "a in (b c)", "a!in(b)", "a in(in,notin)", "notin notin (notin)", "=a", "a=!b", "a<=1",
    "a=>1", "!", "!!a", "a,!b,c=d",
)  # fmt: skip
FIELD_SELECTORS = (
    "", "metadata.name=web-0", "metadata.name==web-0", "metadata.name!=web-0", "metadata.name=",
    "metadata.name", "metadata.name=b,metadata.name=a",
    "metadata.namespace=kube-system,metadata.name=x", "spec.nodeName=n", "metadata.name=a/b",
    "metadata.name=..", "metadata.name=%", "metadata.name=a\\,b", "metadata.name=a\\=b",
    "metadata.name=a\\b", "metadata.name=a\\", "metadata.name=a=b", "metadata.name=a,",
    ",metadata.name=a", "=", "metadata.name =a", " metadata.name=a", "metadata.name= a",
    "metadata.name=ü", "status.phase=Running,bad", "=,metadata.name=a",
    "metadata.name!=a,metadata.name=b", "metadata.name=a,spec.x=b\\c", "a\\=metadata.name=x",
    "metadata.name=!x", "x!==y", ",,metadata.name=a,,", "\\,metadata.name=a", "metadata.name\\=a",
    "metadata.name=A", "metadata.name=.",
)  # fmt: skip
WATCHES = ("true", "1", "", "0", "false", "FALSE", "False", "TRUE", "yes", "00", "no", "fal\u017fe")
INTEGERS = (
    "500", "0", "-1", "+1", "x", "", "1.5", "0x10", "1_000", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "007", " 1", "٣",
)  # fmt: skip
OTHER_PAIRS = (
    "timeout=32s", "pretty=true", "dryRun=All", "fieldManager=kubectl",
    "command=sh&command=-c&command=echo%20a%3Bb", "command=a;b", "x=%zz", "%zz=1", "flag", "=",
    "", "&&", "stdin=true", "container=app", "follow=true", "verbose=", "resourceVersion=0",
    "resourceVersionMatch=NotOlderThan", "sendInitialEvents=true", "allowWatchBookmarks=true",
    "continue=abc", "as=Table", "a=b=c", "x=%00", "x=%ff", "Watch=1", "WATCH=true", "watch%20=1",
    "shardSelector=a", "hash=0123ABCD", "insecureSkipTLSVerifyBackend=true", "x=?", "x=/../",
    "a[]=1", "q=!a,b+in+(c,d)",
)  # fmt: skip
# Deciding keys in spellings that two readers could see differently.
ODD_PAIRS = (
    "watch=1&watch=0", "%77atch=1", "watch=0&%77atch=1", "watch=%zz", "a=1;watch=1",
    "watch=1;a=1", "watch;=1", "fieldSelector=a%3Db&fieldSelector=c%3Dd",
    "labelSelector=a&labelSelector=b", "labelSelector=%ff", "fieldSelector=metadata.name%3Da%00",
    "container=a&container=b", "limit=1&limit=2", "namespace=a&namespace=b",
)  # fmt: skip


class RequestLine(NamedTuple):
    """What stands in a request line, without the version."""

    method: str
    target: bytes


def generate(seed: int, count: int, *, odd: float = 0.3) -> Iterator[RequestLine]:
    """`count` request lines; the part `odd` of them is bent into a form that might be refused."""
    source = random.Random(seed)
    for _ in range(count):
        path = _path(source)
        query = _query(source)
        target = path + ("" if query is None else f"?{query}")
        raw = target.encode("utf-8")
        if source.random() < odd:
            raw = _bend(source, raw)
        yield RequestLine(source.choice(METHODS), raw)


def _segment(source: random.Random, text: str) -> str:
    """A segment as clients of different habits write it."""
    habit = source.random()
    if habit < 0.6:
        return quote(text, safe="~!$'()*+,=:@&")
    if habit < 0.9:
        return quote(text, safe="")
    return "".join(
        f"%{byte:02x}"
        if source.random() < 0.5 or byte > 126 or chr(byte) in " #?%/\\;"
        else chr(byte)
        for byte in text.encode("utf-8")
    )


def _path(source: random.Random) -> str:
    if source.random() < 0.1:
        return source.choice(NON_RESOURCE)
    prefix, resource, namespaced, subresources = source.choice(RESOURCES)
    parts: list[str] = []
    if source.random() < 0.12:
        parts.append(source.choice(("watch", "watch", "proxy")))
    if (namespaced and source.random() < 0.75) or source.random() < 0.05:
        parts += ["namespaces", source.choice(NAMESPACES)]
    parts.append(resource)
    if source.random() < 0.6:
        parts.append(source.choice(NAMES))
        if source.random() < 0.4:
            parts.append(source.choice((*subresources, "status", "proxy", "other")))
            while source.random() < 0.15:
                parts.append(source.choice(NAMES))
    while parts and source.random() < 0.03:
        parts.pop()
    written = "/".join([prefix, *(_segment(source, part) for part in parts)])
    return written + ("/" if source.random() < 0.1 else "")


def _query(source: random.Random) -> str | None:
    if source.random() < 0.45:
        return None
    pairs: list[str] = []
    for key, values in (
        ("watch", WATCHES),
        ("fieldSelector", FIELD_SELECTORS),
        ("labelSelector", LABEL_SELECTORS),
        ("limit", INTEGERS),
        ("timeoutSeconds", INTEGERS),
    ):
        if source.random() < (0.2 if values is INTEGERS else 0.4):
            # Mostly the sane ones at the head of each list.
            value = source.choice(values[:2] if source.random() < 0.4 else values)
            writer = source.choice((quote, quote_plus, _written_raw))
            pairs.append(f"{key}={writer(value)}")
    while source.random() < 0.5:
        pairs.append(source.choice(OTHER_PAIRS))
    if source.random() < 0.03:
        pairs.append(source.choice(ODD_PAIRS))
    source.shuffle(pairs)
    return "&".join(pairs)


def _written_raw(value: str) -> str:
    """As clients write it that escape as little as they can."""
    return quote(value, safe="!(),=:;/\\<>*'\"@").replace("%20", "+")


_INSERTS = (
    b"/", b"//", b"/./", b"/../", b"/..", b"/.", b"%2e%2e", b"%2E.", b"/%2e/", b"%2f",
    b"%2F..%2f", b"%252f", b"%25", b"%", b"%zz", b"%4", b";x=1", b"%3b", b"\\", b"%5c", b"%00",
    b"%0a", b"%7f", b"%c0%af", b"%c3", b"%c2%85", b"%ff", b"#", b"%23", b"\x00", b"\x7f",
    b"\xc3\xbc", b"%c3%bc", b" ", b"%20", b"?", b"%3f", b"*", b"@", b":", b"+", b"%2b", b"&",
    b"|", b"^", b'"', b"<",
)  # fmt: skip


def _bend(source: random.Random, target: bytes) -> bytes:
    kind = source.random()
    if kind < 0.75:
        at = source.randrange(len(target) + 1)
        return target[:at] + source.choice(_INSERTS) + target[at:]
    if kind < 0.85:
        at = source.randrange(len(target))
        return target[:at] + target[at + 1 :]
    if kind < 0.9:
        return b"https://kubernetes.default.svc" + target
    if kind < 0.93:
        return source.choice(
            (b"*", b"", b"kubernetes:443", b"//evil/api/v1/pods", b"?watch=1", b"pods")
        )
    return target.swapcase() if kind < 0.97 else target * 2
