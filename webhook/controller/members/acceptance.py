"""Owns the judgement whether a Cluster may be used: its credential is its own, and opens no more.

Must not fetch: what was found out is given. What is not known keeps what was judged before.
"""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sidecar.policy.audiences import plain_audience
from webhook.controller.members.opening import Login
from webhook.resources.clusters import Audience, Cluster, SecretRef, TokenRequest

PROFILE: Final = "mca.io/cluster-profile"


class Proof(NamedTuple):
    """Whether a token with the audience opens home; None: nobody could say, and why."""

    opens: bool | None
    problem: str = ""


class Held(NamedTuple):
    """What a Secret holds: a login, or the reason why there is none. None: nobody could say."""

    login: Login | None = None
    tenant: str = ""  # whose it is; a tenant's own credential only
    names_place: bool = False  # a kubeconfig of this very server and CA
    reason: str = ""
    problem: str = ""


class Verdict(NamedTuple):
    """`usable` None: nobody could say; `reason` is stable."""

    usable: bool | None
    reason: str
    message: str


class Surroundings(NamedTuple):
    """What a Cluster is judged beside: the others, and what admins and profiles say."""

    others: tuple[Cluster, ...] = ()
    listed: frozenset[str] = frozenset()
    profile_gone: bool = False


def judge(
    cluster: Cluster, around: Surroundings, proof: Proof | None, held: Held | None
) -> Verdict:
    """The first thing that speaks against it. `proof` is of its audience, `held` of its Secret."""
    if around.profile_gone:
        named = cluster.meta.annotations.get(PROFILE, "")
        return Verdict(
            False, "ProfileGone", f"the ClusterProfile {named} that it came from is not there"
        )
    if isinstance(cluster.credentials, Audience):
        objection = next(_object_to_audience(cluster, around), None)
        return objection or _judge_proof(cluster, proof)
    objection = next(_object_to_secret(cluster, around, held), None)
    if objection is not None:
        return objection
    return Verdict(True, "SecretUsable", f"its credential is in the Secret {cluster.secret}")


def may_prove(cluster: Cluster, around: Surroundings) -> bool:
    """Whether a token with its audience may be asked for at all."""
    return isinstance(cluster.credentials, Audience) and not any(
        _object_to_audience(cluster, around)
    )


def _object_to_audience(cluster: Cluster, around: Surroundings) -> Iterator[Verdict]:
    audience = cluster.audience
    named = isinstance(cluster.credentials, Audience) and cluster.credentials.name
    if named and audience not in around.listed:
        yield Verdict(
            False,
            "AudienceNotListed",
            f"the audience {audience} is not listed by the admins of MCA: leave the name out for "
            "one of its own, or add it to the controller's member audiences",
        )
    plain = plain_audience(audience)
    for other in _list_before(cluster, around.others):
        if other.audience and plain_audience(other.audience) == plain:
            yield Verdict(
                False,
                "AudienceTaken",
                f"Cluster {other.name} has the audience {audience} already: a token for one would "
                "open the other; leave the name out for one of its own",
            )


def _judge_proof(cluster: Cluster, proof: Proof | None) -> Verdict:
    if proof is None or proof.opens is None:
        problem = proof.problem if proof else "it was not tried yet"
        return Verdict(
            None, "AudienceUnproven", f"whether its tokens open home is not known: {problem}"
        )
    if proof.opens:
        return Verdict(
            False,
            "AudienceOpensHome",
            f"home's API server takes tokens with the audience {cluster.audience}: the member "
            "could act at home with them; leave the name out for one of its own",
        )
    return Verdict(
        True, "AudienceProven", f"tokens with the audience {cluster.audience} do not open home"
    )


def _object_to_secret(
    cluster: Cluster, around: Surroundings, held: Held | None
) -> Iterator[Verdict]:
    secret = cluster.secret
    if held is None:
        yield Verdict(None, "SecretUnknown", f"the Secret {secret} could not be read")
        return
    if held.login is None:
        yield Verdict(False, held.reason, held.problem)
    if isinstance(cluster.credentials, SecretRef) and not held.tenant:
        yield Verdict(
            False,
            "SecretOfNobody",
            f"the Secret {secret} serves one tenant, and its annotation mca.io/tenant names none",
        )
    if isinstance(cluster.credentials, TokenRequest) and held.tenant:
        yield Verdict(
            False,
            "SecretOfTenant",
            f"the Secret {secret} is the tenant {held.tenant}'s own, by its annotation "
            "mca.io/tenant: tokens are minted by one of MCA's",
        )
    if PROFILE in cluster.meta.annotations and not held.names_place:
        yield Verdict(
            False,
            "SecretNamesNoServer",
            f"where the cluster is comes from a ClusterProfile, so the Secret {secret} must say "
            "where it belongs: keep a kubeconfig with this server and CA in it, without a "
            "tlsServerName",
        )
    for other in _list_before(cluster, around.others):
        if other.secret == secret:
            yield Verdict(
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
