"""Which Clusters may be used: each credential opens one cluster, and never home."""

import base64

import pytest

from sidecar.secret import Secret
from webhook.controller.access.opening import Bearer
from webhook.controller.members.acceptance import (
    Acceptance,
    Held,
    Neighbourhood,
    Proof,
    judge,
    may_prove,
)
from webhook.resources.clusters import (
    PROFILE,
    Audience,
    Cluster,
    Credentials,
    SecretRef,
    TokenRequest,
)
from webhook.resources.meta import Meta

CA = base64.b64encode(b"pem").decode()
CLOSED = Proof(opens=False)
LOGIN = Held(Bearer(Secret(b"t")))


def make(
    name: str = "eu-1",
    credentials: Credentials | None = None,
    *,
    accepted: bool = False,
    profile: str = "",
) -> Cluster:
    annotations = {PROFILE: profile} if profile else {}
    return Cluster(
        Meta(name, uid=f"uid-{name}", annotations=annotations),
        "https://eu-1.example.com",
        CA,
        credentials or Audience(),
        accepted=accepted,
    )


def reason(verdict: Acceptance) -> tuple[bool | None, str]:
    return verdict.usable, verdict.reason


NOBODY = Neighbourhood()


def test_an_audience_of_its_own_is_proven() -> None:
    verdict = judge(make(), NOBODY, CLOSED, None)
    assert reason(verdict) == (True, "AudienceProven")
    assert "mca.io/cluster/uid-eu-1" in verdict.message


@pytest.mark.parametrize(
    ("proof", "expected"),
    [
        (Proof(opens=True), (False, "AudienceOpensHome")),
        (Proof(opens=None, problem="timed out"), (None, "AudienceUnproven")),
        (None, (None, "AudienceUnproven")),
    ],
)
def test_without_a_proof_it_is_not_used(
    proof: Proof | None, expected: tuple[bool | None, str]
) -> None:
    assert reason(judge(make(), NOBODY, proof, None)) == expected


def test_a_named_audience_must_be_listed() -> None:
    named = make(credentials=Audience("https://eu-1.example.com"))
    refused = judge(named, NOBODY, CLOSED, None)
    assert reason(refused) == (False, "AudienceNotListed")
    assert not may_prove(named, NOBODY)
    listed = Neighbourhood(listed=frozenset({"https://eu-1.example.com"}))
    assert reason(judge(named, listed, CLOSED, None)) == (True, "AudienceProven")
    assert may_prove(named, listed)
    assert not may_prove(make(credentials=SecretRef("s")), listed)


@pytest.mark.parametrize("spelled", ["https://eu.example.com", "HTTPS://EU.example.com:443/"])
def test_of_two_with_one_audience_the_first_keeps_it(spelled: str) -> None:
    listed = frozenset({"https://eu.example.com", spelled})
    one, two = make("a", Audience("https://eu.example.com")), make("b", Audience(spelled))
    around = Neighbourhood(listed=listed)
    assert judge(one, around._replace(others=(one, two)), CLOSED, None).usable
    taken = judge(two, around._replace(others=(one, two)), CLOSED, None)
    assert reason(taken) == (False, "AudienceTaken")
    assert "Cluster a" in taken.message
    # Who has it already keeps it, whatever the names.
    held = two._replace(accepted=True)
    assert judge(held, around._replace(others=(one, held)), CLOSED, None).usable
    assert not judge(one, around._replace(others=(one, held)), CLOSED, None).usable


def test_what_a_secret_holds() -> None:
    minted = make(credentials=TokenRequest("s"))
    assert reason(judge(minted, NOBODY, None, LOGIN)) == (True, "SecretUsable")
    assert reason(judge(minted, NOBODY, None, None)) == (None, "SecretUnknown")
    missing = Held(reason="SecretMissing", problem="there is no Secret mca-system/s")
    assert judge(minted, NOBODY, None, missing) == Acceptance(
        False, "SecretMissing", "there is no Secret mca-system/s"
    )


def test_a_stored_credential_serves_one_tenant() -> None:
    stored = make(credentials=SecretRef("s"))
    assert reason(judge(stored, NOBODY, None, LOGIN)) == (False, "SecretOfNobody")
    assert judge(stored, NOBODY, None, LOGIN._replace(tenant="acme")).usable


def test_a_tenants_own_credential_mints_no_tokens() -> None:
    minted = make(credentials=TokenRequest("s"))
    verdict = judge(minted, NOBODY, None, LOGIN._replace(tenant="acme"))
    assert reason(verdict) == (False, "SecretOfTenant")


def test_one_secret_serves_one_cluster() -> None:
    one, two = make("a", TokenRequest("s")), make("b", TokenRequest("s"))
    around = Neighbourhood((one, two, make("c")))
    assert judge(one, around, None, LOGIN).usable
    assert reason(judge(two, around, None, LOGIN)) == (False, "SecretShared")


def test_a_profile_that_is_gone_ends_its_cluster() -> None:
    gone = Neighbourhood(profile_gone=True)
    verdict = judge(make(profile="fleet/eu-1"), gone, CLOSED, None)
    assert reason(verdict) == (False, "ProfileGone")
    assert "fleet/eu-1" in verdict.message


def test_a_login_shows_nothing() -> None:
    assert "hidden" in repr(LOGIN)
