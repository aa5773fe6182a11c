"""What the real helm makes of the chart: the very objects of the source, whatever the values."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.scene import CHART, CONTROL, IMAGES, ROOT, SIDECAR, Helm, identify, read_values
from webhook.install.files import CONTROL_IMAGE, SIDECAR_IMAGE
from webhook.install.objects import build_objects

# Every value is another than by default, with what would break a careless template.
ODD: dict[str, Any] = {
    "image": {"sidecar": SIDECAR, "control": CONTROL, "pullSecrets": ["registry", "other.one"],
              "previousSidecars": [f"old/mca@sha256:{'7' * 64}", f"mca:1@sha256:{'8' * 64}"],
              "earlierSidecars": [f"older/mca@sha256:{'1' * 64}", f"mca:0@sha256:{'2' * 64}"]},
    "admins": {
        "users": ['a"b', "back\\slash", "o'brien", "{{ .Release.Name }}", "käthe: #1", "two  gaps"],
        "groups": ["<ops>&co", "on", "12"],
    },
    "controllers": ["system:serviceaccount:mca-access:home", 'a"b', "{{ .Release.Name }}"],
    "audiences": ["vault", "https://sts.example.com/a b", "'#"],
    "memberAudiences": ["eu.example.com", "https://us.example.com/a"],
    "profileNamespaces": ["fleet", "on"],
    "webhook": {
        "replicas": 7,
        "resources": {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": 2}},
        "priorityClassName": "mine",
        "nodeSelector": {"kubernetes.io/os": "linux", "yes": "no"},
        "tolerations": [{"key": "a", "operator": "Exists"}, {"key": "b", "value": "on"}],
    },
    "controller": {
        "replicas": 5,
        "resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    },
    "sidecar": {
        "logLevel": "debug", "cpuRequest": "none", "memoryRequest": "1.5Gi", "cpuLimit": "2",
        "memoryLimit": "none",
    },
    "networkPolicy": {"apiServerPorts": [16443, 443, 65535]},
    "certManager": {"enabled": True},
    "serviceMonitor": {"enabled": True},
    "dashboard": {"enabled": True},
}  # fmt: skip


def build(values: dict[str, Any], namespace: str = "mca-system") -> dict[Any, Any]:
    """The same by the source. The namespace is left to Helm."""
    objects = build_objects(read_values(values, namespace))
    return {identify(each): each for each in objects if each["kind"] != "Namespace"}


def change(values: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(values)
    *parents, name = path.split(".")
    node = made
    for parent in parents:
        node = node.setdefault(parent, {})
    node[name] = value
    return made


def list_odd() -> list[tuple[str, Any]]:
    """Each odd value by itself."""
    found = []
    for name, value in ODD.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        found += [(f"{name}.{key}".rstrip("."), each) for key, each in inner]
    return found


def test_by_default_it_is_the_plain_file(helm: Helm) -> None:
    text = (ROOT / "manifests" / "install.yaml").read_text()
    plain = {identify(each): each for each in yaml.safe_load_all(text)}
    del plain["Namespace", "", "mca-system"]
    images = {"image": {"sidecar": SIDECAR_IMAGE, "control": CONTROL_IMAGE}}
    assert helm.template(images) == plain


def test_with_odd_values_it_is_what_the_source_builds(helm: Helm) -> None:
    assert helm.template(ODD, "other") == build(ODD, "other")


@pytest.mark.parametrize(("path", "value"), list_odd(), ids=lambda each: str(each)[:24])
def test_with_each_odd_value_alone(helm: Helm, path: str, value: Any) -> None:
    values = change(IMAGES, path, value)
    assert helm.template(values) == build(values)
    if not path.startswith("image.s") and path != "image.control":
        assert build(values) != build(IMAGES)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("webhook.priorityClassName", ""),
        ("webhook.resources", {}),
        ("webhook.resources", {"limits": None}),
        ("admins.groups", []),
        ("certManager.enabled", False),
        ("serviceMonitor.enabled", False),
        ("webhook.tolerations", []),
    ],
)
def test_odd_but_for_one(helm: Helm, path: str, value: Any) -> None:
    """Empty ones leave nothing behind."""
    values = change(ODD, path, value)
    assert helm.template(values) == build(values)


def test_packed_it_is_the_same(helm: Helm, tmp_path: Path) -> None:
    told = helm.run("package", str(CHART), "--destination", str(tmp_path))
    package = told.strip().rpartition(" ")[2]
    packed = helm.run("template", "mca", package, "--namespace", "mca-system", values=IMAGES)
    assert packed == helm.run(
        "template", "mca", str(CHART), "--namespace", "mca-system", values=IMAGES
    )


def test_the_yaml_explains_every_right(helm: Helm) -> None:
    text = helm.run("template", "mca", str(CHART), "--namespace", "mca-system", values=IMAGES)
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if line == "rules:"]
    explained = [number for number in rules if lines[number + 1].startswith("  # ")]
    # The roles of both accounts, in the cluster and in its namespace: others are given the rest.
    assert len(explained) == 4


def test_lint_finds_nothing(helm: Helm) -> None:
    for values in (IMAGES, ODD):
        told = helm.run("lint", "--strict", str(CHART), values=values)
        assert "[WARNING]" not in told
        assert "[ERROR]" not in told


WRONG: list[tuple[str, Any, list[str]]] = [
    ("image.sidecar", "mca:latest", ["/image/sidecar", "@sha256:"]),
    ("image.control", f"mca@sha256:{'A' * 64}", ["/image/control"]),
    ("image.previousSidecars", ["mca:1"], ["/image/previousSidecars/0"]),
    ("webhook.replicas", 0, ["/webhook/replicas", "minimum"]),
    ("webhook.resources", {"request": {}}, ["/webhook/resources", "'request'"]),
    ("webhook.priorityClassName", "High!", ["/webhook/priorityClassName"]),
    ("image.pullSecrets", ["_"], ["/image/pullSecrets/0"]),
    ("admins", {"users": [], "groups": []}, ["/admins", "anyOf"]),
    ("admins.groups", ["system:authenticated"], ["/admins/groups/0"]),
    ("admins.groups", ["system:nodes"], ["/admins/groups/0"]),
    ("admins.groups", ["system:serviceaccounts:team-a"], ["/admins/groups/0"]),
    ("admins.users", ["system:anonymous"], ["/admins/users/0"]),
    ("audiences", ["https://kubernetes.default.svc.cluster.local"], ["/audiences/0"]),
    ("admins.users", ["a\nb"], ["/admins/users/0"]),
    ("admins.users", ["a\u2028b"], ["/admins/users/0"]),
    ("admins.users", ["a" * 1025], ["/admins/users/0"]),
    ("admins.users", [""], ["/admins/users/0"]),
    ("audiences", ["mca.io/broker"], ["/audiences/0"]),
    ("memberAudiences", ["mca.io/cluster/1"], ["/memberAudiences/0"]),
    ("memberAudiences", ["https://kubernetes.default.svc"], ["/memberAudiences/0"]),
    ("memberAudiences", ["a,b"], ["/memberAudiences/0"]),
    ("profileNamespaces", ["Fleet"], ["/profileNamespaces/0"]),
    ("controllers", ["a\nb"], ["/controllers/0"]),
    ("controllers", ["system:anonymous"], ["/controllers/0"]),
    ("controller.replicas", 0, ["/controller/replicas"]),
    ("image.earlierSidecars", ["mca:1"], ["/image/earlierSidecars/0"]),
    ("audiences", ["a,b"], ["/audiences/0"]),
    ("audiences", ["none"], ["/audiences/0"]),
    ("audiences", [" a"], ["/audiences/0"]),
    ("sidecar.logLevel", "loud", ["/sidecar/logLevel", "'warning'"]),
    ("sidecar.memoryLimit", "much", ["/sidecar/memoryLimit"]),
    ("networkPolicy.apiServerPorts", [], ["/networkPolicy/apiServerPorts"]),
    ("networkPolicy.apiServerPorts", [0], ["/networkPolicy/apiServerPorts/0"]),
]
# What only the chart's types and names forbid.
UNKNOWN: list[tuple[str, Any, list[str]]] = [
    ("image", {}, ["/image", "'sidecar'", "'control'"]),
    ("image.tag", "v1", ["/image", "'tag' not allowed"]),
    ("webhok.replicas", 3, ["'webhok' not allowed"]),
    ("webhook.replicas", "2", ["/webhook/replicas", "want integer"]),
    ("webhook.replicas", None, ["/webhook", "'replicas'"]),
    ("webhook.tolerations", [{"name": "a"}], ["/webhook/tolerations/0"]),
]


@pytest.mark.parametrize(("path", "value", "told"), [*WRONG, *UNKNOWN])
def test_what_is_wrong_is_refused_with_its_place(
    helm: Helm, path: str, value: Any, told: list[str]
) -> None:
    done = helm.try_run("template", "mca", str(CHART), values=change(IMAGES, path, value))
    assert done.returncode != 0
    for words in told:
        assert words in done.stderr, done.stderr


@pytest.mark.parametrize(("path", "value", "_told"), WRONG)
def test_the_source_refuses_the_same(path: str, value: Any, _told: list[str]) -> None:
    with pytest.raises(ValueError, match=r"^[a-z_.]+: "):
        build(change(IMAGES, path, value))


def test_it_asks_for_a_cluster_that_has_what_it_needs(helm: Helm) -> None:
    done = helm.try_run("template", "mca", str(CHART), "--kube-version", "1.29.9", values=IMAGES)
    assert done.returncode != 0
    assert "kubeVersion: >=1.30.0-0" in done.stderr


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-any"])
def test_into_no_namespace_of_kubernetes(helm: Helm, name: str) -> None:
    """As `mca install`: its guards would trust what is there as MCA's own."""
    done = helm.try_run("template", "mca", str(CHART), "--namespace", name, values=IMAGES)
    assert done.returncode != 0
    assert f"namespace: {name} is not MCA's alone; name another: --namespace NAME" in done.stderr
    with pytest.raises(ValueError, match=f"^namespace: {name} is not MCA's alone"):
        build(IMAGES, name)


def test_as_a_part_of_another_chart(helm: Helm, tmp_path: Path) -> None:
    """Helm then adds a value of its own, `global`."""
    parent = tmp_path / "parent"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts" / "mca").symlink_to(CHART)
    (parent / "Chart.yaml").write_text(
        json.dumps({"apiVersion": "v2", "name": "parent", "version": "1.0.0"})
    )
    values = {"mca": IMAGES, "global": {"any": "thing"}}
    told = helm.run("template", "it", str(parent), "--namespace", "mca-system", values=values)
    assert "mca-webhook" in told
