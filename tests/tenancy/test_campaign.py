"""Some thousand generated requests from tenant A: none reaches an object of tenant B.

The sidecar's own account may do everything; the API servers' audit logs are the judge. Hypothesis
gives the chance, and always the same; there is nothing to shrink: each breach names its request.
"""

import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.controlplane import ControlPlane
from tests.tenancy.attempts import attempt
from tests.tenancy.campaign import Campaign
from tests.tenancy.scene import DEV_ROUTE, Scene
from tests.tenancy.town import CONFIGMAPS, GROUP, OURS, THEIRS

ROUNDS = 40
ATTEMPTS_A_ROUND = 100
# With nothing to stop them, so many are enough to be found out in every way.
UNSTOPPED = 1500
VERBS = {"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
RULES = {
    "tenant/namespace", "tenant/all-namespaces", "tenant/cluster-scoped", "tenant/unknown-kind",
    "default/deny", "permission/sealed", "guard/proxy", "guard/impersonation", "guard/token-secret",
    "route/owner-references", "target/canonical", "request/method",
}  # fmt: skip


# Slices by namespace, by group and by name, the last with a stand-in: whatever serves a call, it
# is held to the same bounds.
ROUTES = [
    DEV_ROUTE,
    {
        "name": "widgets",
        "priority": 5,
        "match": [{"groups": [GROUP], "resources": ["widgets", "widgets/*"]}],
        "to": {"members": [{"cluster": "west"}]},
    },
    {
        "name": "named",
        "priority": 9,
        "match": [{"groups": [""], "resources": ["secrets"], "names": ["made-*", "theirs"]}],
        "to": {"members": [{"cluster": "west"}], "standIns": ["home"]},
    },
]


@pytest.fixture
def scene(make_control_plane: Callable[..., ControlPlane]) -> Iterator[Scene]:
    """One of its own: the other tests would find it laid waste."""
    with Scene(make_control_plane(), make_control_plane(), routes=ROUTES) as made:
        yield made


def test_no_request_of_the_one_reaches_an_object_of_the_other(scene: Scene) -> None:
    campaign = Campaign(scene)
    breaches: list[str] = []

    @settings(
        max_examples=ROUNDS,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.randoms(use_true_random=True))
    def attack(source: random.Random) -> None:
        for _ in range(ATTEMPTS_A_ROUND):
            sent = attempt(source)
            breaches.extend(f"{reason} | {sent}" for reason in campaign.run(sent))

    attack()
    campaign.close()
    sys.stdout.write(f"answers {campaign.codes}\nrules {campaign.rules}\n")
    sys.stdout.write(f"verbs that reached a cluster {campaign.reached}\n")
    assert breaches[:10] == []
    assert campaign.changes() == []
    assert sealed(scene) == []
    # It was no campaign if it was not let in anywhere, or not stopped in every way.
    assert campaign.tries >= ROUNDS * ATTEMPTS_A_ROUND
    assert campaign.rules["(forwarded)"] > campaign.tries / 10
    assert campaign.rules.keys() >= RULES
    assert campaign.reached.keys() >= VERBS
    assert campaign.codes[200] + campaign.codes[201] > campaign.tries / 25
    assert all(campaign.reached_on(plane) for plane in scene.planes)


def sealed(scene: Scene) -> list[str]:
    """The names that a deny rule keeps tenant A from writing, and that are there nevertheless."""
    found = []
    for plane in scene.planes:
        for namespace in OURS:
            items = plane.request("GET", CONFIGMAPS.path(namespace)).json()["items"]
            found += [item["metadata"]["name"] for item in items]
    return [name for name in found if name.startswith("sealed-")]


def test_the_campaign_finds_what_it_looks_for(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    """The same attempts without a tenant: what RBAC allows is all that stands between."""
    with Scene(make_control_plane(), tenant=None, certificates=True) as scene:
        campaign = Campaign(scene)
        source = random.Random(1)
        reasons = Counter[str]()
        for _ in range(UNSTOPPED):
            reasons.update(found.partition(":")[0] for found in campaign.run(attempt(source)))
        changes = campaign.changes()
        campaign.close()
    sys.stdout.write(f"found {reasons}, {len(changes)} changes\n")
    assert reasons.keys() >= {
        "told a secret of the other tenant",
        "a foreign namespace",
        "over all namespaces",
        "a kind without namespaces",
        "a namespace within a namespace",
        "a namespace for a kind that is not known to have any",
        "a path that is not open",
        "a name that is denied",
    }
    assert any(f"/namespaces/{THEIRS}/" in change for change in changes)
