"""Owns the judgement whether a Cluster may be used: its credential is its own, and opens no more.

Must not fetch: what was found out is given. What is not known keeps what was judged before.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sidecar.policy.audiences import plain_audience
from webhook.controller.access.opening import Login
from webhook.resources.clusters import PROFILE, Audience, Cluster, SecretRef, TokenRequest


class Proof(NamedTuple):
    """Whether a token with the audience opens home; None: nobody could say, and why."""

    opens: bool | None
    problem: str = ""


class Held(NamedTuple):
    """What a Secret holds: a login, or the reason why there is none. None: nobody could say."""

    login: Login | None = None
    tenant: str = ""  # whose it is; a tenant's own credential only
    reason: str = ""
    problem: str = ""


class Acceptance(NamedTuple):
    """`usable` None: nobody could say; `reason` is stable."""

    usable: bool | None
    reason: str
    message: str


class Neighbourhood(NamedTuple):
    """What a Cluster is judged beside: the others, and what admins and profiles say."""

    others: tuple[Cluster, ...] = ()
    listed: frozenset[str] = frozenset()
    profile_gone: bool = False


def judge(
    cluster: Cluster, around: Neighbourhood, proof: Proof | None, held: Held | None
) -> Acceptance:
    """The first thing that speaks against it. `proof` is of its audience, `held` of its Secret."""
    if around.profile_gone:
        named = cluster.meta.annotations.get(PROFILE, "")
        return Acceptance(
            False, "ProfileGone", f"the ClusterProfile {named} that it came from is not there"
        )
    if isinstance(cluster.credentials, Audience):
        objection = next(_object_to_audience(cluster, around), None)
        return objection or _judge_proof(cluster, proof)
    objection = next(_object_to_secret(cluster, around, held), None)
    if objection is not None:
        return objection
    return Acceptance(True, "SecretUsable", f"its credential is in the Secret {cluster.secret}")


def may_prove(cluster: Cluster, around: Neighbourhood) -> bool:
    """Whether a token with its audience may be asked for at all."""
    return isinstance(cluster.credentials, Audience) and not any(
        _object_to_audience(cluster, around)
    )


def _object_to_audience(cluster: Cluster, around: Neighbourhood) -> Iterator[Acceptance]:
    audience = cluster.audience
    named = isinstance(cluster.credentials, Audience) and cluster.credentials.name
    if named and audience not in around.listed:
        yield Acceptance(
            False,
            "AudienceNotListed",
            f"the audience {audience} is not listed by the admins of MCA: leave the name out for "
            "one of its own, or add it to the controller's member audiences",
        )
    plain = plain_audience(audience)
    for other in _list_before(cluster, around.others):
        if other.audience and plain_audience(other.audience) == plain:
            yield Acceptance(
                False,
                "AudienceTaken",
                f"Cluster {other.name} has the audience {audience} already: a token for one would "
                "open the other; leave the name out for one of its own",
            )


def _judge_proof(cluster: Cluster, proof: Proof | None) -> Acceptance:
    if proof is None or proof.opens is None:
        problem = proof.problem if proof else "it was not tried yet"
        return Acceptance(
            None, "AudienceUnproven", f"whether its tokens open home is not known: {problem}"
        )
    if proof.opens:
        return Acceptance(
            False,
            "AudienceOpensHome",
            f"home's API server takes tokens with the audience {cluster.audience}: the member "
            "could act at home with them; leave the name out for one of its own",
        )
    return Acceptance(
        True, "AudienceProven", f"tokens with the audience {cluster.audience} do not open home"
    )


def _object_to_secret(
    cluster: Cluster, around: Neighbourhood, held: Held | None
) -> Iterator[Acceptance]:
    secret = cluster.secret
    if held is None:
        yield Acceptance(None, "SecretUnknown", f"the Secret {secret} could not be read")
        return
    if held.login is None:
        yield Acceptance(False, held.reason, held.problem)
    if isinstance(cluster.credentials, SecretRef) and not held.tenant:
        yield Acceptance(
            False,
            "SecretOfNobody",
            f"the Secret {secret} serves one tenant, and its annotation mca.io/tenant names none",
        )
    if isinstance(cluster.credentials, TokenRequest) and held.tenant:
        yield Acceptance(
            False,
            "SecretOfTenant",
            f"the Secret {secret} is the tenant {held.tenant}'s own, by its annotation "
            "mca.io/tenant: tokens are minted by one of MCA's",
        )
    for other in _list_before(cluster, around.others):
        if other.secret == secret:
            yield Acceptance(
                False,
                "SecretShared",
                f"Cluster {other.name} has the Secret {secret} already: what is shown to one "
                "would open the other",
            )


def _list_before(cluster: Cluster, others: Iterable[Cluster]) -> Iterator[Cluster]:
    """Those whose claim was first: who is accepted keeps what it has, else names decide."""
    for other in others:
        if other.name != cluster.name and (not other.accepted, other.name) < (
            not cluster.accepted,
            cluster.name,
        ):
            yield other
