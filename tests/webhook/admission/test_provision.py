"""What a sidecar has that lives by the controller's policy, as its own configuration reads it."""

import json
import re
from typing import Any

from sidecar.config import Settings, parse_settings
from tests.webhook.admission.scene import SETTINGS, add_access, make_pod
from webhook.admission.injection import Patch, inject, plan_patch
from webhook.admission.names import POLICY_VARIABLES, VARIABLE_PATTERNS, VOLUMES
from webhook.admission.outcome import Injected
from webhook.admission.provision import Member, Members
from webhook.admission.registration import MODES
from webhook.admission.removal import remove_sidecar
from webhook.admission.settings import find_broker

FOLLOWING = SETTINGS._replace(policy="controller", broker=find_broker("ops"))
EU = Member("eu-1", "https://eu-1.example.com:6443", "a" * 64, "mca.io/cluster/7")
US = Member("us-1", "https://[fd00::1]", "b" * 64, "us.example.com", "us.example.com")


def build(members: Members = ()) -> dict[str, Any]:
    outcome = inject(add_access(make_pod()), MODES["standard"], FOLLOWING, members)
    assert isinstance(outcome, Injected)
    return outcome.pod


def read_variables(pod: dict[str, Any]) -> dict[str, str]:
    return {
        item["name"]: item.get("value", "x") for item in pod["spec"]["initContainers"][0]["env"]
    }


def read_volumes(pod: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item for item in pod["spec"]["volumes"]}


def test_the_sidecar_understands_it() -> None:
    variables = read_variables(build([EU]))
    settings = parse_settings(variables)
    assert isinstance(settings, Settings), settings
    assert settings.unknown == ()
    assert variables["MCA_SNAPSHOT"] == "/var/run/mca/policy/snapshot.v1.json"
    assert variables["MCA_BROKER"] == "https://mca-broker.ops.svc:8444"
    assert set(POLICY_VARIABLES) <= variables.keys()


def test_each_member_has_its_pair_and_its_token() -> None:
    pod = build([EU, US])
    assert json.loads(read_variables(pod)["MCA_MEMBERS"]) == [
        {"name": "eu-1", "server": "https://eu-1.example.com:6443", "ca": "a" * 64},
        {
            "name": "us-1",
            "server": "https://[fd00::1]",
            "ca": "b" * 64,
            "tlsServerName": "us.example.com",
        },
    ]
    sources = read_volumes(pod)["mca-members"]["projected"]["sources"]
    assert [source["serviceAccountToken"] for source in sources] == [
        {"audience": "mca.io/cluster/7", "expirationSeconds": 3600, "path": "eu-1/token"},
        {"audience": "us.example.com", "expirationSeconds": 3600, "path": "us-1/token"},
    ]


def test_without_members_there_is_no_volume_for_them() -> None:
    pod = build()
    assert read_variables(pod)["MCA_MEMBERS"] == "[]"
    assert "mca-members" not in read_volumes(pod)
    mounts = [mount["name"] for mount in pod["spec"]["initContainers"][0]["volumeMounts"]]
    assert mounts == ["mca-identity", "mca-clients", "mca-token", "mca-policy", "mca-broker"]


def test_a_snapshot_that_is_not_there_yet_holds_no_pod_back() -> None:
    volume = read_volumes(build())["mca-policy"]
    assert volume["configMap"] == {"name": "mca-policy", "defaultMode": 420, "optional": True}


def test_only_the_sidecar_sees_it() -> None:
    (container,) = build([EU])["spec"]["containers"]
    assert [mount["name"] for mount in container["volumeMounts"]] == ["mca-clients"]


def test_who_lives_by_home_has_none_of_it() -> None:
    outcome = inject(add_access(make_pod()), MODES["standard"], SETTINGS, [EU])
    assert isinstance(outcome, Injected)
    assert not read_variables(outcome.pod).keys() & set(POLICY_VARIABLES)
    assert set(read_volumes(outcome.pod)) == {"mca-identity", "mca-clients", "mca-token"}


def test_a_second_pass_changes_nothing_and_other_members_only_theirs() -> None:
    pod = build([EU])
    assert plan_patch(pod, MODES["standard"], FOLLOWING, [EU]) == Patch([], ())
    gone = inject(pod, MODES["standard"], FOLLOWING)
    assert isinstance(gone, Injected)
    assert gone.pod == build()


def test_a_copied_pod_brings_no_tokens_along() -> None:
    """Nor does one whose maker wrote them."""
    forged = add_access(make_pod())
    token = {"serviceAccountToken": {"audience": "", "path": "eu-1/token"}}
    forged["spec"]["volumes"].append({"name": "mca-members", "projected": {"sources": [token]}})
    outcome = inject(forged, MODES["standard"], FOLLOWING)
    assert isinstance(outcome, Injected)
    assert "mca-members" not in read_volumes(outcome.pod)


def test_the_way_back_takes_all_of_it() -> None:
    restored = remove_sidecar(build([EU, US]))
    assert not set(VOLUMES) & {item["name"] for item in restored["spec"].get("volumes", ())}


def test_what_is_written_is_what_guards_accept() -> None:
    variables = read_variables(build([EU, US]))
    for name in set(POLICY_VARIABLES) - {"MCA_BROKER"}:
        assert re.fullmatch(VARIABLE_PATTERNS[name], variables[name], re.ASCII), name
    more = variables["MCA_MEMBERS"].replace('"ca"', '"file":"/a","ca"')
    assert re.fullmatch(VARIABLE_PATTERNS["MCA_MEMBERS"], more, re.ASCII) is None
