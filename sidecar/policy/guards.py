"""Owns the identity guards: what no permission lifts, at home and on members alike.

They keep a caller from winning a credential that opens an API server without us (a token, a token
Secret, a client certificate) and from reaching into the sidecar's own container. They must not
know permissions, routes or tenants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sidecar.policy.audiences import AUDIENCES_UNKNOWN, judge_token_request
from sidecar.policy.bodies import Finding, Forbidden, Format, find_forbidden, judge_format
from sidecar.policy.ephemerals import finds_sidecar
from sidecar.policy.fields import DNS_LABEL
from sidecar.policy.verdict import Denial, NeedBody, Reason, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from sidecar.policy.requestinfo import RequestInfo
    from sidecar.policy.verdict import Body

# These bodies are small, and judging them builds what they hold: some 60 bytes for each part.
_TOKEN_REQUEST_BYTES: Final = 64 * 1024
_EPHEMERALS_BYTES: Final = 256 * 1024
_WRITES: Final = frozenset({"create", "update", "patch"})


def judge_identity(
    info: RequestInfo, closed_audiences: frozenset[str] | None, body: Body | None
) -> Denial | NeedBody | None:
    """A refusal, the wish to see the body, or None where no guard objects."""
    if not info.is_resource:
        return None
    if info.verb == "proxy" or (info.subresource == "proxy" and info.group == ""):
        return _PROXY
    guard = _GUARDS.get((info.group, info.resource, info.subresource))
    return None if guard is None else guard(info, closed_audiences, body)


_PROXY: Final = Denial(
    Reason.FORBIDDEN,
    "guard/proxy",
    "nodes, pods and services are not proxied, the API server would speak with its own identity: "
    "connect to the service itself, or use a port-forward",
)


def _judge_exec(
    info: RequestInfo, closed_audiences: frozenset[str] | None, body: Body | None
) -> Denial | None:
    refused = _judge_container(info, closed_audiences, body)
    if refused is not None:
        return refused
    if info.container == "mca" or info.container.startswith("mca-"):
        return Denial(
            Reason.FORBIDDEN,
            "guard/sidecar-container",
            f"{info.subresource} into the container {shown(info.container)!r} is not allowed, "
            "it belongs to MCA: name another container of the pod",
        )
    return None


def _judge_container(
    info: RequestInfo, _closed_audiences: frozenset[str] | None, _body: Body | None
) -> Denial | None:
    if info.container and DNS_LABEL.fullmatch(info.container) is None:
        return Denial(
            Reason.BAD_REQUEST,
            "guard/container-name",
            f"container={shown(info.container)!r} is not a container's name: give a DNS-1123 label",
        )
    if info.insecure_backend:
        return Denial(
            Reason.FORBIDDEN,
            "guard/insecure-backend",
            "insecureSkipTLSVerifyBackend is not allowed, the kubelet would not be verified: "
            "leave it out",
        )
    return None


def _judge_token(
    info: RequestInfo, closed_audiences: frozenset[str] | None, body: Body | None
) -> Denial | NeedBody | None:
    if info.verb != "create":
        return Denial(
            Reason.METHOD_NOT_ALLOWED,
            "guard/token-request",
            "a token is requested with POST only",
        )
    if closed_audiences is None:
        return AUDIENCES_UNKNOWN
    if body is None:
        return NeedBody(_TOKEN_REQUEST_BYTES)
    form = judge_format(info.verb, body, _TOKEN_REQUEST_BYTES)
    if isinstance(form, Denial):
        return form
    return judge_token_request(form, body.content, closed_audiences)


def _judge_spelling(rule: str, what: str, remedy: str, forbidden: Forbidden) -> _Guard:
    """A guard that refuses writes whose body spells one of the forbidden strings."""

    def judge(
        info: RequestInfo, _closed_audiences: frozenset[str] | None, body: Body | None
    ) -> Denial | NeedBody | None:
        if info.verb not in _WRITES:
            return None
        if body is None:
            return NeedBody()
        form = judge_format(info.verb, body)
        if isinstance(form, Denial):
            return form
        finding = find_forbidden(form, body.content, forbidden)
        return _answer(rule, what, remedy, form, finding)

    return judge


def _judge_ephemeral(
    info: RequestInfo, _closed_audiences: frozenset[str] | None, body: Body | None
) -> Denial | NeedBody | None:
    if info.verb not in _WRITES:
        return None
    if body is None:
        return NeedBody(_EPHEMERALS_BYTES)
    form = judge_format(info.verb, body, _EPHEMERALS_BYTES)
    if isinstance(form, Denial):
        return form
    return _answer(
        "guard/ephemeral-container",
        "an ephemeral container that names an mca container or volume is not allowed",
        "target another container and mount none of the volumes named mca-*",
        form,
        finds_sidecar(form, body.content),
    )


def _answer(rule: str, what: str, remedy: str, form: Format, finding: Finding) -> Denial | None:
    if finding is Finding.ABSENT:
        return None
    if finding is Finding.PRESENT:
        return Denial(Reason.FORBIDDEN, rule, f"{what}: {remedy}")
    if finding is Finding.UNPROVEN:
        return Denial(
            Reason.UNSUPPORTED_MEDIA_TYPE,
            rule,
            f"this {form.value} body cannot be judged, and {what}: send it as JSON",
        )
    if finding is Finding.OVERSIZED:
        return Denial(
            Reason.REQUEST_ENTITY_TOO_LARGE,
            rule,
            f"this body holds too many strings to be judged, and {what}: send fewer",
        )
    return Denial(
        Reason.BAD_REQUEST, rule, f"the body is not valid {form.value}, and {what}: correct it"
    )


def _is_token_secret_string(text: str) -> bool:
    return text in (
        "kubernetes.io/service-account-token",
        # A bootstrap token in kube-system opens the API server as well.
        "bootstrap.kubernetes.io/token",
        # The controller fills an existing token Secret again, for the account that this annotation
        # names.
        "kubernetes.io/service-account.name",
    ) or text.endswith("kubernetes.io~1service-account.name")


def _opens_api_server(signer: str) -> bool:
    return (
        signer.startswith("kubernetes.io/kube-apiserver-client")
        or signer == "kubernetes.io/legacy-unknown"
    )


_SIGNER_NEEDLES: Final = ("kubernetes.io/kube-apiserver-client", "kubernetes.io/legacy-unknown")
_SIGNER_TEXT: Final = (
    "guard/certificate-request",
    "a certificate request to a signer whose certificates open the API server is not allowed",
    "use a signer of your own",
)

if TYPE_CHECKING:
    _Guard = Callable[[RequestInfo, frozenset[str] | None, Body | None], Denial | NeedBody | None]

_GUARDS: Final[dict[tuple[str, str, str], _Guard]] = {
    ("", "pods", "exec"): _judge_exec,
    ("", "pods", "attach"): _judge_exec,
    ("", "pods", "portforward"): _judge_container,
    ("", "pods", "log"): _judge_container,
    ("", "pods", "ephemeralcontainers"): _judge_ephemeral,
    ("", "serviceaccounts", "token"): _judge_token,
    ("", "secrets", ""): _judge_spelling(
        "guard/token-secret",
        "a Secret that the control plane fills with a token, or accepts as one, is not allowed",
        "use another type; a token for another audience comes from the TokenRequest API",
        Forbidden(
            (
                "kubernetes.io/service-account-token",
                "bootstrap.kubernetes.io/token",
                "kubernetes.io/service-account.name",
                "kubernetes.io~1service-account.name",
            ),
            _is_token_secret_string,
            # Secret.type, and the keys of Secret.metadata.annotations
            ((3,), (1, 12, 1)),
        ),
    ),
    # CertificateSigningRequest.spec.signerName
    ("certificates.k8s.io", "certificatesigningrequests", ""): _judge_spelling(
        *_SIGNER_TEXT, Forbidden(_SIGNER_NEEDLES, _opens_api_server, ((2, 7),))
    ),
    # PodCertificateRequest.spec.signerName
    ("certificates.k8s.io", "podcertificaterequests", ""): _judge_spelling(
        *_SIGNER_TEXT, Forbidden(_SIGNER_NEEDLES, _opens_api_server, ((2, 1),))
    ),
}
