"""Owns what an admin of a member is told to configure, so that it trusts tokens of home.

Must not change the member: an API server takes this from a file of its own.
"""

from collections.abc import Iterator
from typing import Final

import yaml

from webhook.cli.install.versions import parse_version
from webhook.kube import Kube, KubeError

_DISCOVERY: Final = "/.well-known/openid-configuration"
# The first release that has the form without beta.
_STABLE: Final = (1, 34)
# MCA's own account probes the member by such a token.
_RULE: Final = (
    '["{}", "NAMESPACE"].exists(n, claims.sub.startsWith("system:serviceaccount:" + n + ":"))'
)


def describe_trust(
    home: Kube, member: Kube, audience: str, prefix: str, system: str
) -> Iterator[str]:
    """The file for --authentication-config, and what it needs; `system` is MCA's own at home."""
    try:
        issuer = str(home.request("GET", _DISCOVERY).document.get("issuer") or "")
    except KubeError:
        issuer = ""
    version = parse_version(member.request("GET", "/version").document)
    stable = version is not None and version >= _STABLE
    document = {
        "apiVersion": f"apiserver.config.k8s.io/{'v1' if stable else 'v1beta1'}",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {"url": issuer or "HOME'S ISSUER", "audiences": [audience]},
                "claimMappings": {"username": {"claim": "sub", "prefix": prefix}},
            }
        ],
    }
    yield "The member must trust home's tokens for this audience. Its API server takes this by"
    yield "--authentication-config (a cloud has its own way, often called OIDC identity provider):"
    for line in yaml.safe_dump(document, sort_keys=False).splitlines():
        yield f"  {line}"
    yield f"It fetches keys from {issuer or 'the issuer'}{_DISCOVERY}, which it must reach;"
    yield "where that is another address, or has a CA of its own, say so by discoveryURL and"
    yield "certificateAuthority. A service account of home is there: "
    yield f"  {prefix}system:serviceaccount:NAMESPACE:NAME"
    yield "Whoever runs pods at home where no boundary is enforced can have such a token, too: give"
    yield "rights to single accounts, no groups, or let in MCA and one tenant alone by this in jwt:"
    yield "  claimValidationRules:"
    yield f"  - expression: '{_RULE.format(system)}'"
