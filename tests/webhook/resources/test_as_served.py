"""The definitions on a real API server: what it takes, refuses, defaults, explains and shows."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings, strategies as st

from tests.controlplane import Answer, ControlPlane
from tests.webhook.controller.compiling.scene import compile_case
from tests.webhook.resources.generated import values
from tests.webhook.resources.objects import (
    EVERYTHING,
    make_cluster,
    make_match,
    make_route,
    make_tenant,
)
from tests.webhook.resources.test_examples import ROOT
from webhook.resources.clusters import Cluster, parse_cluster
from webhook.resources.conditions import Condition, apply_status, read_conditions
from webhook.resources.definitions import build_definitions
from webhook.resources.meta import read_meta
from webhook.resources.names import (
    CLUSTERS_PATH,
    POLICY_KEY,
    ROOT as API,
    TENANTS_PATH,
    object_path,
)
from webhook.resources.routes import Route, parse_route
from webhook.resources.tenants import Tenant, parse_tenant

pytestmark = pytest.mark.apiserver

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ROUTES = f"{API}/namespaces/team-a/routes"
PATHS = {"Cluster": CLUSTERS_PATH, "Tenant": TENANTS_PATH, "Route": ROUTES}
STRICT = "fieldValidation=Strict"
PODS = {"name": "p", "effect": "allow", "verbs": ["get"], "groups": [""], "resources": ["pods"]}
LEASES = ("coordination.k8s.io",)
EVENTS = ("", "events.k8s.io")
MINUTES = {"key": "mca.io/tier", "operator": "In", "values": ["a"]}


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with ControlPlane() as plane:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": build_definitions()})
        told = plane.kubectl("apply", "--server-side", "-f", "-", input=text)
        assert "Warning" not in told.stderr
        names = [f"crd/{each['metadata']['name']}" for each in build_definitions()]
        plane.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
        plane.kubectl("create", "namespace", "team-a")
        yield plane


def send(plane: ControlPlane, method: str, path: str, body: Any, kind: str = "json") -> Answer:
    headers = {"Content-Type": f"application/{kind}"}
    return plane.request(method, path, json.dumps(body).encode(), headers=headers)


def try_it(plane: ControlPlane, document: Any) -> Answer:
    """As a create that is not kept."""
    return send(plane, "POST", f"{PATHS[document['kind']]}?dryRun=All&{STRICT}", document)


def make(plane: ControlPlane, document: Any) -> Any:
    answer = send(plane, "POST", f"{PATHS[document['kind']]}?{STRICT}", document)
    assert answer.status == 201, answer.body
    return answer.json()


def cluster(**spec: Any) -> Any:
    document = make_cluster(**spec)
    del document["metadata"]["uid"], document["status"]
    return document


def tenant(**spec: Any) -> Any:
    document = make_tenant(**spec)
    del document["metadata"]["uid"]
    return document


def route(*args: Any, to: Any = None, **more: Any) -> Any:
    document = make_route(*args, **more)
    del document["metadata"]["uid"]
    document["spec"]["to"] |= to or {}
    return document


def admin(*args: Any, name: str = "r", **more: Any) -> Any:
    return {"name": name, **route(*args, **more)["spec"]}


def secret(name: Any = "eu") -> Any:
    return {"secretRef": {"name": name}}


def test_they_are_structural(plane: ControlPlane) -> None:
    for definition in build_definitions():
        served = plane.request("GET", f"{CRDS}/{definition['metadata']['name']}").json()
        found = {each["type"]: each["status"] for each in served["status"]["conditions"]}
        assert found["Established"] == found["NamesAccepted"] == "True"
        assert "NonStructuralSchema" not in found


# 16,199 letters, as they are counted; nine of them are too much.
WIDE = make_match("a", names=[f"{number:03}{'x' * 247}" for number in range(64)])
REFUSED = [
    # Clusters
    (cluster(name="home"), "", "home is the cluster that pods run in"),
    (cluster(name="mca-closed"), "", "mca-… is for MCA itself"),
    (cluster(name="a.b"), "", "metadata.name must be a DNS label"),
    (cluster(name="a" * 64), "", "metadata.name must be a DNS label"),
    (cluster(server="http://eu-1"), "spec.server", "should match"),
    (cluster(server="https://u:p@eu-1"), "spec.server", "should match"),
    (cluster(server="https://eu-1:65536"), "spec.server", "should match"),
    (cluster(server="https://eu-1/path"), "spec.server", "should match"),
    (cluster(caBundle="!"), "spec.caBundle", "must be of type byte"),
    (cluster(caBundle="eA=="), "spec.caBundle", "must be base64 of PEM with a CERTIFICATE"),
    (cluster(caBundle="LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tIFBSSVZBVEUgS0VZ"),
     "spec.caBundle", "must not hold a private key"),
    (cluster(credentials={}), "spec.credentials", "must be exactly one of"),
    (cluster(credentials={"audience": {}, **secret()}), "spec.credentials", "exactly one"),
    (cluster(credentials={"audience": {"name": "mca.io/x"}}),
     "spec.credentials.audience.name", "leave the name out"),
    (cluster(credentials={"audience": {"name": "a b"}}),
     "spec.credentials.audience.name", "should match"),
    (cluster(credentials=secret("../x")), "spec.credentials.secretRef.name", "should match"),
    (cluster(credentials={"tokenRequest": {**secret(), "expirationSeconds": 60}}),
     "spec.credentials.tokenRequest.expirationSeconds", "greater than or equal to 600"),
    (cluster(healthCheck={"intervalSeconds": 0}), "spec.healthCheck.intervalSeconds", "to 1"),
    (cluster(limits={"maxStreams": -1}), "spec.limits.maxStreams", "to 0"),
    # Routes
    (route("a.b"), "", "metadata.name must be a DNS label"),
    (route(priority=1000), "spec.priority", "less than or equal to 999"),
    (route(priority=-1), "spec.priority", "greater than or equal to 0"),
    (route(match=[]), "spec.match", "should have at least 1 items"),
    (route(match=[make_match("Pods")]), "spec.match[0].resources[0]", "should match"),
    (route(match=[make_match("pods", verbs=["GET"])]), "spec.match[0].verbs[0]",
     "Unsupported value"),
    (route(match=[make_match("pods", names=["a b"])]), "spec.match[0].names[0]", "match"),
    (route(match=[make_match("pods", namespaces=[])]), "spec.match[0].namespaces", "at least"),
    (route(match=[make_match("leases", groups=("*",))]), "spec.match[0]", "split locks"),
    (route(match=[make_match("leases", groups=LEASES, verbs=["get"])]), "spec.match[0]",
     "split locks"),
    (route(match=[make_match("leases", "pods", groups=LEASES)]), "spec.match[0]", "locks"),
    (route(match=[make_match("leases", groups=LEASES)], stand_ins=("eu-2",)),
     "spec.to.standIns", "leases have no standIns"),
    (route(match=[make_match("events")]), "spec.match[0]", "would split events"),
    (route(match=[make_match("events/status", groups=EVENTS)]), "spec.match[0]", "events"),
    (route(match=[WIDE] * 9), "spec.match", "or make several Routes"),
    (route(to={"members": []}), "spec.to.members", "at least 1 items"),
    (route(to={"members": [{"cluster": "a"}, {"cluster": "b"}]}), "spec.to.members",
     "served by a later version of the sidecar"),
    (route(stand_ins=("eu-1",)), "spec.to.standIns", "cannot stand in for itself"),
    (route(stand_ins=("eu-2", "eu-2")), "spec.to.standIns[1]", "Duplicate value"),
    # Tenants
    (tenant(name="a.b"), "", "metadata.name must be a DNS label"),
    (tenant(namespaces={}), "spec.namespaces", "must have names or a selector"),
    (tenant(namespaces={"names": ["kube-system"]}), "spec.namespaces.names", "system"),
    (tenant(namespaces={"names": ["default"]}), "spec.namespaces.names", "system"),
    (tenant(namespaces={"names": ["a", "a"]}), "spec.namespaces.names[1]", "Duplicate"),
    (tenant(namespaces={"selector": {}}), "spec.namespaces.selector", "take every namespace"),
    (tenant(namespaces={"selector": {"matchLabels": {"team": "a"}}}),
     "spec.namespaces.selector.matchLabels", "labels of mca.io/ only"),
    (tenant(namespaces={"selector": {"matchExpressions": [{**MINUTES, "key": "team"}]}}),
     "spec.namespaces.selector.matchExpressions", "labels of mca.io/ only"),
    (tenant(namespaces={"selector": {"matchExpressions": [{**MINUTES, "values": []}]}}),
     "spec.namespaces.selector.matchExpressions[0].values", "In and NotIn have values"),
    (tenant(namespaces={"selector": {"matchLabels": {"mca.io/a": "b"}}, "create": True}),
     "spec.namespaces.create", "only namespaces in names can be made"),
    (tenant(mode="off"), "spec.mode", "Unsupported value"),
    (tenant(clusters=["home"]), "spec.clusters", "home is always there"),
    (tenant(permissions=[PODS, PODS]), "spec.permissions[1]", "Duplicate value"),
    (tenant(permissions=[{**PODS, "nonResourcePaths": ["/x"]}]), "spec.permissions[0]",
     "names either groups and resources, or nonResourcePaths"),
    (tenant(permissions=[{"name": "p", "effect": "deny", "verbs": ["get"]}]),
     "spec.permissions[0]", "names either groups and resources, or nonResourcePaths"),
    (tenant(permissions=[{**PODS, "verbs": ["post"]}]), "spec.permissions[0].verbs",
     "must be * or get, list"),
    (tenant(permissions=[{"name": "p", "effect": "deny", "verbs": ["list"],
                          "nonResourcePaths": ["/x"]}]),
     "spec.permissions[0].verbs", "with nonResourcePaths * or get, head"),
    (tenant(permissions=[{**PODS, "effect": "maybe"}]), "spec.permissions[0].effect",
     "Unsupported value"),
    (tenant(limits={"rates": [{"perSecond": 0, "burst": 1}]}),
     "spec.limits.rates[0].perSecond", "must be from 0.001 to 1000000"),
    (tenant(limits={"rates": [{"perSecond": 0.0001, "burst": 1}]}),
     "spec.limits.rates[0].perSecond", "must be from 0.001 to 1000000"),
    (tenant(clusterResources=[make_match("nodes", verbs=["get"], name="n")] * 2),
     "spec.clusterResources", "names are unique"),
    (tenant(clusterResources=[make_match("nodes", verbs=["get"], name="0")]),
     "spec.clusterResources[0].name", "should match"),
    (tenant(permissions=[{**PODS, "names": ["*" * 9]}]), "spec.permissions[0].names[0]", "match"),
    (tenant(routes=[admin(), admin()]), "spec.routes[1]", "Duplicate value"),
    (tenant(routes=[admin(name="a.b")]), "spec.routes[0].name", "should match"),
    (tenant(routes=[admin(match=[make_match("leases", groups=("*",))])]),
     "spec.routes[0].match[0]", "split locks"),
    (tenant(profile="custom"), "spec.roles", "profile custom needs roles"),
    (tenant(roles=["view"]), "spec.roles", "profile custom needs roles"),
    (tenant(owners=[{"kind": "User", "name": "jo", "namespace": "x"}]),
     "spec.owners[0].namespace", "only a ServiceAccount has a namespace"),
    (tenant(owners=[{"kind": "Robot", "name": "r"}]), "spec.owners[0].kind", "Unsupported"),
    (tenant(quota={"pods": "many"}), "spec.quota.pods", "should match"),
    (tenant(containerLimits=[{"type": "Node"}]), "spec.containerLimits[0].type", "Unsupp"),
    (tenant(network={"allow": {"ingress": [{"from": [
        {"ipBlock": {"cidr": "10.0.0.0/8"}, "podSelector": {}}]}]}}),
     "spec.network.allow.ingress[0].from[0]", "names either ipBlock or selectors"),
]  # fmt: skip


UNCHANGED = (
    "the form of credentials cannot be changed: register another Cluster",
    "the audience cannot be changed: register another Cluster",
)


def find_rules(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (each["message"] for each in schema.get("x-kubernetes-validations", ()))
        for inner in schema.values():
            yield from find_rules(inner)


def test_every_rule_has_a_case() -> None:
    told = [case[2] for case in REFUSED]
    rules = {
        message
        for definition in build_definitions()
        for message in find_rules(definition["spec"]["versions"][0]["schema"])
    }
    assert len(rules) > 20
    assert not [rule for rule in rules - {*UNCHANGED} if not any(part in rule for part in told)]


@pytest.mark.parametrize(("document", "field", "told"), REFUSED)
def test_refused_with_the_field_and_the_reason(
    plane: ControlPlane, document: Any, field: str, told: str
) -> None:
    answer = try_it(plane, document)
    assert answer.status == 422, answer.body
    causes = answer.json()["details"]["causes"]
    found = [cause for cause in causes if told in cause["message"]]
    assert found, causes
    assert field in (found[0].get("field", ""), ""), causes


PARSERS: Any = {"Cluster": parse_cluster, "Tenant": parse_tenant, "Route": parse_route}
GOOD = [
    cluster(server="https://10.0.0.1"),
    cluster(server="https://[fd00::1]:6443", tlsServerName="kubernetes.default"),
    cluster(credentials={"audience": {"name": "https://kube.example.com/x"}}),
    cluster(credentials={"tokenRequest": secret()}),
    cluster(credentials=secret("eu.cluster"), healthCheck={}, limits={}),
    route(match=[make_match("leases", groups=LEASES)]),
    route(match=[make_match("leases", groups=LEASES, verbs=["*"], names=["*"])]),
    route(match=[make_match("events", groups=EVENTS)]),
    route(match=[make_match("*", groups=("*",))], stand_ins=("eu-2", "eu-3")),
    route(match=[make_match("pods", "pods/*", "*/scale", verbs=["get", "*"], names=["a*b:c"],
                            namespaces=["a-*"], containers=["*"], serviceAccounts=["x.y*"])]),
    route(cluster="home", priority=999),
    route(match=[WIDE] * 8),
    tenant(namespaces={"names": ["team-a", "kubernetes"], "create": True, "reclaim": "delete"}),
    tenant(namespaces={"selector": {"matchExpressions": [MINUTES]}}),
    tenant(mode="audit", boundary="none", clusters=["eu-1"], onMembers=True),
    tenant(permissions=[PODS, {"name": "m", "effect": "allow", "verbs": ["get", "head"],
                               "nonResourcePaths": ["/metrics", "*"]}]),
    tenant(permissions=[EVERYTHING], clusterResources=[make_match("nodes", verbs=["get"]),
                                                       make_match("nodes", verbs=["list"])]),
    tenant(limits={"rates": [{"perSecond": 0.5, "burst": 1}, {**make_match("pods"),
                             "verbs": ["create"], "perSecond": 1, "burst": 2}], "watches": 0}),
    tenant(routes=[admin(), admin(name="other", priority=5, stand_ins=("eu-2",))]),
    tenant(profile="custom", roles=["view"], owners=[
        {"kind": "ServiceAccount", "name": "a", "namespace": "b"},
        {"kind": "Group", "name": "oidc:team a"}], serviceAccounts=["app"]),
    tenant(quota={"pods": 10, "requests.cpu": "1.5", "limits.memory": "4Gi"}, containerLimits=[
        {"type": "Container", "default": {"cpu": "500m"}, "maxLimitRequestRatio": {"cpu": 2}}]),
    tenant(network={"isolate": True, "allow": {
        "ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}],
                     "ports": [{"port": 80}, {"port": "http", "protocol": "TCP"}]}],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}],
                    "ports": [{"port": 1000, "endPort": 2000}]}]}}),
]  # fmt: skip


@pytest.mark.parametrize("document", GOOD)
def test_taken_and_readable(plane: ControlPlane, document: Any) -> None:
    """With what the API server fills in, too."""
    answer = try_it(plane, document)
    assert answer.status == 201, answer.body
    parsed = PARSERS[document["kind"]](answer.json())
    assert isinstance(parsed, Cluster | Tenant | Route), parsed
    if isinstance(parsed, Tenant):
        assert not any(each.problems for each in parsed.routes)


def make_specs(kind: str, *fields: str) -> st.SearchStrategy[Any]:
    """Some fields of a spec; all that it requires where none are named."""
    (definition,) = (each for each in build_definitions() if each["spec"]["names"]["kind"] == kind)
    (version,) = definition["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    if fields:
        spec = {**spec, "properties": {key: spec["properties"][key] for key in fields}}
        spec["required"] = []
    return values(spec)


SPECS = {
    "server": (cluster(), make_specs("Cluster", "server", "tlsServerName", "credentials")),
    "use": (cluster(), make_specs("Cluster", "healthCheck", "limits")),
    "route": (route(), make_specs("Route")),
    "permissions": (tenant(), make_specs("Tenant", "permissions")),
    "kinds": (tenant(), make_specs("Tenant", "clusterResources", "limits")),
    "routes": (tenant(), make_specs("Tenant", "routes")),
    "choice": (tenant(), make_specs("Tenant", "namespaces", "mode", "boundary", "clusters")),
    "access": (tenant(), make_specs("Tenant", "owners", "profile", "roles", "serviceAccounts")),
}


@pytest.mark.parametrize("part", SPECS)
@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_it_takes_can_be_read(plane: ControlPlane, part: str, data: st.DataObject) -> None:
    """A Tenant that were taken and could not be read would close its namespaces."""
    document, specs = SPECS[part]
    spec = {**document["spec"], **data.draw(specs)}
    answer = try_it(plane, {**document, "spec": spec})
    assert answer.status in (201, 422), answer.body
    event(str(answer.status))
    if answer.status == 201:
        parsed = PARSERS[document["kind"]](answer.json())
        assert isinstance(parsed, Cluster | Tenant | Route), parsed
        problems = [route.problems for route in parsed.routes] if isinstance(parsed, Tenant) else []
        assert not any(problems), problems


def test_fields_that_are_not_known_are_told(plane: ControlPlane) -> None:
    answer = try_it(plane, cluster(insecureSkipTLSVerify=True))
    assert answer.status == 400
    assert 'unknown field \\"spec.insecureSkipTLSVerify\\"' in answer.body.decode()


def test_defaults(plane: ControlPlane) -> None:
    made = try_it(plane, tenant(routes=[admin()])).json()["spec"]
    assert (made["mode"], made["boundary"], made["profile"]) == ("enforce", "enforced", "standard")
    assert made["onMembers"] is False
    assert made["namespaces"] == {"names": ["team-a"], "create": False, "reclaim": "retain"}
    made = try_it(plane, cluster(healthCheck={})).json()["spec"]
    assert made["healthCheck"] == {
        "path": "/readyz", "intervalSeconds": 10, "timeoutSeconds": 2, "failureThreshold": 3,
    }  # fmt: skip
    made = try_it(plane, cluster(credentials={"tokenRequest": secret()})).json()["spec"]
    assert made["credentials"]["tokenRequest"]["expirationSeconds"] == 3600
    document = route()
    del document["spec"]["priority"]
    assert try_it(plane, document).json()["spec"]["priority"] == 0


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        (secret(), UNCHANGED[0]),
        ({"tokenRequest": secret()}, UNCHANGED[0]),
        ({"audience": {}}, UNCHANGED[1]),
        ({"audience": {"name": "other"}}, UNCHANGED[1]),
        ({"audience": {"name": "one"}}, ""),
    ],
)
def test_what_cannot_be_changed(plane: ControlPlane, credentials: Any, told: str) -> None:
    path = f"{CLUSTERS_PATH}/fixed"
    if plane.request("GET", path).status == 404:
        make(plane, cluster(name="fixed", credentials={"audience": {"name": "one"}}))
    current = plane.request("GET", path).json()
    current["spec"] |= {"credentials": credentials, "server": "https://moved.example.com"}
    answer = send(plane, "PUT", f"{path}?dryRun=All", current)
    assert answer.status == (422 if told else 200), answer.body
    assert told in answer.body.decode()


def test_a_secret_may_be_another(plane: ControlPlane) -> None:
    made = make(plane, cluster(name="rotated", credentials=secret("old")))
    made["spec"]["credentials"] = secret("new")
    assert send(plane, "PUT", f"{CLUSTERS_PATH}/rotated", made).status == 200


def test_who_writes_an_object_does_not_write_its_verdict(plane: ControlPlane) -> None:
    condition = Condition("Accepted", True, "Accepted", "", 1)
    document = cluster(name="judged")
    document["status"] = apply_status("Cluster", read_meta(document), [condition], {}, NOW)[
        "status"
    ]
    made = make(plane, document)
    assert "status" not in made
    send(plane, "PUT", f"{CLUSTERS_PATH}/judged", {**made, "status": document["status"]})
    assert "status" not in plane.request("GET", f"{CLUSTERS_PATH}/judged").json()


NOW = "2026-11-21T21:00:00Z"


def apply(plane: ControlPlane, manager: str, made: Any, *conditions: Condition) -> Answer:
    meta = read_meta(made)
    current = plane.request("GET", object_path("Cluster", meta.name)).json()
    body = apply_status("Cluster", meta, conditions, current, NOW)
    path = f"{object_path('Cluster', meta.name)}/status?fieldManager={manager}&force=true"
    return send(plane, "PATCH", path, body, "apply-patch+yaml")


def test_each_part_of_the_controller_writes_its_own_conditions(plane: ControlPlane) -> None:
    made = make(plane, cluster(name="shared"))
    accepted = Condition("Accepted", True, "Accepted", "", 1)
    ready = Condition("Ready", False, "Unreachable", "no answer", 1)
    assert apply(plane, "one", made, accepted).status == 200
    answer = apply(plane, "other", made, ready)
    assert answer.status == 200, answer.body
    assert read_conditions(answer.json()) == {"Accepted": accepted, "Ready": ready}
    # What one no longer says is gone, what the other says stays.
    answer = apply(plane, "one", made)
    assert read_conditions(answer.json()) == {"Ready": ready}


def test_the_examples_and_how_they_are_shown(plane: ControlPlane) -> None:
    files = [f"--filename={ROOT}/examples/{name}.yaml" for name in ("cluster", "tenant", "route")]
    plane.kubectl("apply", *files)
    made = plane.request("GET", f"{CLUSTERS_PATH}/eu-1").json()
    ready = Condition("Ready", True, "Answers", "", 1)
    apply(plane, "one", made, Condition("Accepted", True, "Accepted", "", 1), ready)
    shown = plane.kubectl("get", "mcl", "eu-1").stdout.splitlines()
    assert shown[0].split() == [
        "NAME", "ACCEPTED", "READY", "ENFORCED", "VERSION", "LATENCY", "MS", "AGE",
    ]  # fmt: skip
    assert shown[1].split()[:3] == ["eu-1", "True", "True"]
    wide = plane.kubectl("get", "mcl", "eu-1", "-o", "wide").stdout
    assert "https://eu-1.example.com:6443" in wide
    shown = plane.kubectl("get", "mtn", "acme").stdout.splitlines()
    assert shown[1].split()[:4] == ["acme", "enforce", "enforced", '["eu-1"]']
    shown = plane.kubectl("get", "mrt", "-n", "team-a").stdout.splitlines()
    assert shown[0].split() == ["NAME", "PRIORITY", "CLUSTER", "ACCEPTED", "REASON", "AGE"]
    assert shown[1].split()[:3] == ["config", "100", "eu-1"]
    everything = plane.kubectl("get", "mca", "-A").stdout
    for name in ("cluster.mca.io/eu-1", "tenant.mca.io/acme", "route.mca.io/config"):
        assert name in everything
    plane.kubectl("delete", *files)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("cluster.spec.credentials", "Exactly one of audience, tokenRequest and secretRef"),
        ("cluster.spec.caBundle", "no way to leave this out"),
        ("tenant.spec.namespaces", "the first claim sticks"),
        ("tenant.spec.permissions.resources", "pods does not cover pods/log"),
        ("tenant.spec.network.allow.egress.to", "Pods by their labels"),
        ("route.spec.to.standIns", "Nothing is copied to them."),
        ("route.status", "MemberNotEnforced"),
    ],
)
def test_kubectl_explains_them(plane: ControlPlane, asked: str, told: str) -> None:
    shown = " ".join(
        plane.kubectl("explain", asked, "--api-version=mca.io/v1alpha1").stdout.split()
    )
    assert told in shown
    assert "<no description>" not in shown


def test_a_large_tenant_is_judged_within_what_rules_may_cost(plane: ControlPlane) -> None:
    """The API server bounds that for each request."""
    kinds = [f"kind{number}s" for number in range(64)]
    match = make_match(*kinds, names=[f"name-{number}" for number in range(64)])
    permissions = [{**PODS, "name": f"p{number}", "resources": kinds} for number in range(250)]
    routes = [admin(name=f"r{number}", match=[match] * 4) for number in range(64)]
    answer = try_it(plane, tenant(permissions=permissions, routes=routes))
    assert answer.status == 201, answer.body[:500]


def test_the_largest_policy_fits_into_a_config_map(plane: ControlPlane) -> None:
    wide = [make_match("configmaps", names=[f"{'x' * 240}{number}" for number in range(60)])]
    compiled, _ = compile_case(*(make_route(f"r{number:02}", match=wide) for number in range(99)))
    assert {verdict.reason for verdict in compiled.routes.values()} == {"Accepted", "TooLarge"}
    document = {"metadata": {"name": "mca-policy"}, "data": {POLICY_KEY: compiled.content}}
    answer = send(plane, "POST", "/api/v1/namespaces/team-a/configmaps?dryRun=All", document)
    assert answer.status == 201, answer.body
    document["data"][POLICY_KEY] += "x" * 40_000
    answer = send(plane, "POST", "/api/v1/namespaces/team-a/configmaps?dryRun=All", document)
    assert answer.status == 422
