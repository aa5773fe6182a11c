"""Attacks 56, 57, 60 and 62: pods as they would be stored, judged after every webhook.

Each case is a good pod with one thing changed, sent without the webhook, as if it were the work of
one that came later. Nothing is stored: pods are sent as dry runs.
"""

import json
from typing import Any

import pytest

from tests.manifests.pods import (
    BROKER,
    POLICY as TOLD,
    Change,
    RawPod,
    app,
    by_home_alone,
    client_mount,
    mount,
    security,
    setup,
    sidecar,
    spec,
    spoil,
    tell,
    token_source,
    volume,
    with_member,
)
from tests.manifests.scene import (
    IMAGE,
    PREVIOUS,
    SETTINGS,
    Guarded,
    assert_passed,
    assert_refused,
    wait_until,
)
from webhook.admission.injection import inject
from webhook.admission.names import VARIABLE_FIELDS
from webhook.admission.outcome import Injected
from webhook.admission.registration import MODES
from webhook.admission.settings import InjectionSettings

pytestmark = pytest.mark.apiserver
POLICY = "mca-final-pods"
DRY = "/api/v1/namespaces/{}/pods?dryRun=All"
OTHER_IMAGE = f"registry.example.com/mca@sha256:{'6' * 64}"
EU = f'[{{"name":"eu-1","server":"https://eu-1.example.com:6443","ca":"{"a" * 64}"}}]'
COMMAND = {"exec": {"command": ["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"]}}


def reorder(pod: Any) -> None:
    pod["spec"]["initContainers"].reverse()


def second_sidecar(name: str) -> Change:
    return lambda pod: pod["spec"]["containers"].append({"name": name, "image": "evil"})


def no_sidecar(pod: Any) -> None:
    del pod["spec"]["initContainers"]
    pod["spec"]["volumes"] = []
    pod["spec"]["containers"] = [{"name": "app", "image": "app"}]


def replace_volume(name: str, **fields: Any) -> Change:
    def change(pod: Any) -> None:
        volumes = pod["spec"]["volumes"]
        volumes[:] = [{"name": name} | fields if each["name"] == name else each for each in volumes]

    return change


CASES: dict[str, tuple[str, list[Change]]] = {
    # 56 and 57: the sidecar
    "none at all": ("first init container is not", [no_sidecar]),
    "not the first": ("first init container is not", [reorder]),
    "another container mca-2": ("choose another name", [second_sidecar("mca-2")]),
    "another image": (OTHER_IMAGE, [sidecar(image=OTHER_IMAGE)]),
    "a tag": ("image is not the one", [sidecar(image="registry.example.com/mca:1")]),
    "a command": ("command", [sidecar(command=["sh"])]),
    "arguments": ("command", [sidecar(args=["-x"])]),
    "a hook": ("command", [sidecar(lifecycle={"postStart": COMMAND})]),
    "an exec probe": ("probes", [sidecar(livenessProbe=COMMAND)]),
    "an exec startup probe": ("probes", [sidecar(startupProbe=COMMAND)]),
    "an exec readiness probe": ("probes", [sidecar(readinessProbe=COMMAND)]),
    "a stop hook": ("command", [sidecar(lifecycle={"preStop": COMMAND})]),
    "another folder": ("command", [sidecar(workingDir="/work")]),
    "an open input": ("command", [sidecar(stdin=True)]),
    "a terminal": ("command", [sidecar(tty=True)]),
    "a device": (
        "mounts",
        [
            volume(persistentVolumeClaim={"claimName": "a"}),
            sidecar(volumeDevices=[{"name": "extra", "devicePath": "/dev/a"}]),
        ],
    ),
    "a code path": ("environment", [sidecar(env=[{"name": "PYTHONPATH", "value": "/tmp"}])]),
    "envFrom": ("environment", [sidecar(envFrom=[{"configMapRef": {"name": "a"}}])]),
    "a mount of the tenant's": (
        "mounts",
        [sidecar(volumeMounts=[{"name": "work", "mountPath": "/usr/lib/python3"}])],
    ),
    "no sidecar but a step": ("restart policy", [sidecar(restartPolicy=None, startupProbe=None)]),
    "another user": ("security context", [security(runAsUser=1000)]),
    "a writable root": ("security context", [security(readOnlyRootFilesystem=False)]),
    "perhaps root": ("security context", [security(runAsNonRoot=False)]),
    "no security context": ("security context", [sidecar(securityContext=None)]),
    "a privileged sidecar": (
        "security context",
        [security(privileged=True, allowPrivilegeEscalation=True)],
    ),
    "escalation": ("security context", [security(allowPrivilegeEscalation=True)]),
    "a capability kept": ("security context", [security(capabilities={"drop": ["CHOWN"]})]),
    "a capability added": (
        "security context",
        [security(capabilities={"drop": ["ALL"], "add": ["CHOWN"]})],
    ),
    # 57: what it is told
    "a snapshot of the tenant's": (
        "environment",
        [sidecar(env=[{"name": "MCA_SNAPSHOT", "value": "/var/run/mca/clients/app/a"}])],
    ),
    "an API for all": (
        "environment",
        [sidecar(env=[{"name": "MCA_API_LISTEN", "value": "127.0.0.1:6443,0.0.0.0:6443"}])],
    ),
    "an admin's page at one place": (
        "environment",
        [sidecar(env=[{"name": "MCA_ADMIN_LISTEN", "value": "[::]:6444\n"}])],
    ),
    "another's namespace": (
        "environment",
        [sidecar(env=[{"name": "MCA_NAMESPACE", "value": "kube-system"}])],
    ),
    "containers by a field": (
        "environment",
        [
            sidecar(
                env=[
                    {
                        "name": "MCA_CONTAINERS",
                        "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                    }
                ]
            )
        ],
    ),
    "folders exchanged": (
        "mounts",
        [sidecar(volumeMounts=[{"name": "mca-clients", "mountPath": "/var/run/mca/identity"}])],
    ),
    "a part of a folder": (
        "mounts",
        [
            sidecar(
                volumeMounts=[
                    {
                        "name": "mca-clients",
                        "mountPath": "/var/run/mca/clients",
                        "subPath": "app",
                    }
                ]
            )
        ],
    ),
    "certificates of the tenant's": (
        "is not what MCA puts in",
        [replace_volume("mca-token", projected={"sources": [{"configMap": {"name": "a"}}]})],
    ),
    "another file of the cluster's": (
        "is not what MCA puts in",
        [
            replace_volume(
                "mca-token",
                projected={
                    "sources": [
                        {
                            "configMap": {
                                "name": "kube-root-ca.crt",
                                "items": [{"key": "ca.crt", "path": "token"}],
                            }
                        }
                    ]
                },
            )
        ],
    ),
    "certificates of an annotation": (
        "is not what MCA puts in",
        [
            replace_volume(
                "mca-token",
                projected={
                    "sources": [
                        {
                            "downwardAPI": {
                                "items": [
                                    {
                                        "path": "ca.crt",
                                        "fieldRef": {"fieldPath": "metadata.annotations['a']"},
                                    }
                                ]
                            }
                        }
                    ]
                },
            )
        ],
    ),
    "a Secret among its token": (
        "is not what MCA puts in",
        [replace_volume("mca-token", projected={"sources": [{"secret": {"name": "a"}}]})],
    ),
    "its token for another": (
        "is not what MCA puts in",
        [replace_volume("mca-token", projected={"sources": [token_source("vault")]})],
    ),
    # 57: the policy that it lives by
    "no policy": ("no policy to live by", [by_home_alone]),
    "a policy that is not mounted": (
        "no policy to live by",
        [lambda pod: pod["spec"]["initContainers"][0]["volumeMounts"].pop(-2)],
    ),
    "another policy to follow": ("environment", [tell(MCA_SNAPSHOT_WATCH="team-policy")]),
    "no policy to follow": ("environment", [tell(MCA_SNAPSHOT_WATCH="")]),
    "a broker elsewhere": ("environment", [tell(MCA_BROKER="https://broker.team.svc:8444")]),
    "another's token for the broker": (
        "environment",
        [tell(MCA_BROKER_TOKEN="/var/run/mca/members/eu-1/token")],
    ),
    "a member with a file": (
        "environment",
        [tell(MCA_MEMBERS=EU.replace('"ca"', '"tokenFile":"/a","ca"'))],
    ),
    "a member without a CA": ("environment", [tell(MCA_MEMBERS=EU.replace("a" * 64, ""))]),
    "a member by http": ("environment", [tell(MCA_MEMBERS=EU.replace("https", "http"))]),
    "a policy of the tenant's": (
        "is not what MCA puts in",
        [replace_volume("mca-policy", configMap={"name": "team-policy"})],
    ),
    "a policy on a claim": (
        "is not what MCA puts in",
        [replace_volume("mca-policy", persistentVolumeClaim={"claimName": "a"})],
    ),
    "the API's token for the broker": (
        "is not what MCA puts in",
        [replace_volume("mca-broker", projected={"sources": [token_source()]})],
    ),
    "the broker's token in another file": (
        "is not what MCA puts in",
        [replace_volume("mca-broker", projected={"sources": [token_source(BROKER, "a")]})],
    ),
    "a member's token for the API": ("is not what MCA puts in", [with_member(audience="")]),
    "a member's token for the API by its name": (
        "is not what MCA puts in",
        [with_member(audience="https://kubernetes.default.svc.cluster.local")],
    ),
    "a member's token for the broker": ("is not what MCA puts in", [with_member(audience=BROKER)]),
    "a member's token in another file": (
        "is not what MCA puts in",
        [with_member(path="eu-1/snapshot.v1.json")],
    ),
    "members' tokens elsewhere": (
        "mounts",
        [
            with_member(),
            lambda pod: pod["spec"]["initContainers"][0]["volumeMounts"][-1].update(
                mountPath="/var/run/mca/policy/a"
            ),
        ],
    ),
    "the broker's token mounted": ("leave the mount out", [app(**mount(name="mca-broker"))]),
    "members' tokens mounted": (
        "leave the mount out",
        [with_member(), app(**mount(name="mca-members"))],
    ),
    "the broker's audience": ("audience", [volume(projected={"sources": [token_source(BROKER)]})]),
    # 56: its volumes
    "identity mounted": ("leave the mount out", [app(**mount(name="mca-identity"))]),
    "token mounted": ("found: app", [app(**mount(name="mca-token"))]),
    "token mounted early": (
        "found: setup",
        [setup(volumeMounts=[{"name": "mca-token", "mountPath": "/extra"}])],
    ),
    "all clients": ("own folder", [app(**mount(name="mca-clients", readOnly=True))]),
    "another's folder": ("own folder", [app(volumeMounts=[client_mount("setup")])]),
    "its folder writable": (
        "own folder",
        [app(volumeMounts=[client_mount("app") | {"readOnly": False}])],
    ),
    "a volume key as variable": (
        "env and envFrom",
        [
            app(
                env=[
                    {
                        "name": "A",
                        "valueFrom": {
                            "fileKeyRef": {
                                "volumeName": "mca-identity",
                                "path": "a",
                                "key": "A",
                            }
                        },
                    }
                ]
            )
        ],
    ),
    "identity on disk": ("is not what MCA puts in", [replace_volume("mca-identity", emptyDir={})]),
    "identity on a claim": (
        "is not what MCA puts in",
        [replace_volume("mca-identity", persistentVolumeClaim={"claimName": "a"})],
    ),
    "a volume mca-more": ("is not what MCA puts in", [volume(name="mca-more", emptyDir={})]),
    # 60
    "hostNetwork": ("hostNetwork", [spec(hostNetwork=True)]),
    "hostPID": ("hostPID", [spec(hostPID=True)]),
    "hostIPC": ("hostIPC", [spec(hostIPC=True)]),
    "shared processes": ("shareProcessNamespace", [spec(shareProcessNamespace=True)]),
    "privileged": ("privileged", [app(securityContext={"privileged": True})]),
    "privileged setup": ("found: setup", [setup(securityContext={"privileged": True})]),
    "an unmasked /proc": (
        "found: app",
        [app(securityContext={"procMount": "Unmasked"}), spec(hostUsers=False)],
    ),
    "ptrace": ("capabilities", [app(securityContext={"capabilities": {"add": ["SYS_PTRACE"]}})]),
    "all capabilities": ("capabilities", [app(securityContext={"capabilities": {"add": ["ALL"]}})]),
    "the sidecar's user": ("is the sidecar's", [app(securityContext={"runAsUser": SETTINGS.uid})]),
    "all as the sidecar's user": (
        "is the sidecar's",
        [spec(securityContext={"runAsUser": SETTINGS.uid})],
    ),
    "the node": ("PersistentVolumeClaim", [volume(hostPath={"path": "/var/lib/kubelet"})]),
    "Windows": ("Linux only", [no_sidecar, spec(os={"name": "windows"})]),
    # 62
    "an API token": ("the sidecar answers", [volume(projected={"sources": [token_source()]})]),
    "an API token called otherwise": (
        "found: kube-api-access-x",
        [volume(name="kube-api-access-x", projected={"sources": [token_source()]})],
    ),
    "a token for another service": (
        "audience",
        [volume(projected={"sources": [token_source("unlisted")]})],
    ),
    "one of two tokens": (
        "audience",
        [
            volume(
                projected={
                    "sources": [
                        token_source("vault"),
                        {"serviceAccountToken": {"path": "b", "audience": "unlisted"}},
                    ]
                }
            )
        ],
    ),
    "automount": ("automountServiceAccountToken", [spec(automountServiceAccountToken=True)]),
    "automount left open": (
        "automountServiceAccountToken",
        [spec(automountServiceAccountToken=None)],
    ),
    "our Secret": ("Secret of your own", [volume(secret={"secretName": "mca-tls"})]),
    "our Secret projected": (
        "Secret of your own",
        [volume(projected={"sources": [{"secret": {"name": "mca-tls"}}]})],
    ),
    "our Secret by envFrom": (
        "env and envFrom",
        [app(envFrom=[{"secretRef": {"name": "mca-tls"}}])],
    ),
    "our Secret as variable": (
        "env and envFrom",
        [
            setup(
                env=[
                    {
                        "name": "A",
                        "valueFrom": {"secretKeyRef": {"name": "mca-tls", "key": "a"}},
                    }
                ]
            )
        ],
    ),
    "CSI": ("found: extra", [volume(csi={"driver": "secrets-store.csi.k8s.io"})]),
    "an image volume": ("found: extra", [volume(image={"reference": "a"})]),
    "NFS": ("found: extra", [volume(nfs={"server": "a", "path": "/"})]),
    "an expanded path": (
        "use subPath",
        [app(**mount(name="work", subPathExpr="$(A)"), env=[{"name": "A", "value": "b"}])],
    ),
    "a certificate for the API": (
        "token or certificate",
        [
            volume(
                projected={
                    "sources": [
                        {
                            "podCertificate": {
                                "signerName": "kubernetes.io/kube-apiserver-client-pod",
                                "keyType": "ED25519",
                                "credentialBundlePath": "a",
                            }
                        }
                    ]
                }
            )
        ],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(guarded: Guarded, case: str) -> None:
    told, changes = CASES[case]
    answer = guarded.call("POST", DRY.format("lax"), spoil(*changes), namespace="lax")
    assert_refused(answer, POLICY, told)


def test_admins_are_not_spared(guarded: Guarded) -> None:
    admin = guarded.plane.tokens["admin"]
    answer = guarded.call("POST", DRY.format("lax"), spoil(no_sidecar), token=admin)
    assert_refused(answer, POLICY, "MCA's webhook")


@pytest.mark.parametrize("name", ["system-node-critical", "system-cluster-critical"])
def test_no_pod_pushes_the_webhook_off_its_node(guarded: Guarded, name: str) -> None:
    pod = spoil(spec(priorityClassName=name))
    assert_refused(guarded.call("POST", DRY.format("team"), pod), POLICY, "priority class", name)


def test_near_miss_a_high_priority(guarded: Guarded) -> None:
    highest = {"metadata": {"name": "highest"}, "value": 1_000_000_000}
    guarded.make("/apis/scheduling.k8s.io/v1/priorityclasses", highest)
    pod = spoil(spec(priorityClassName="highest"))
    wait_until(lambda: guarded.call("POST", DRY.format("team"), pod).status == 201)


NEAR_MISSES: dict[str, list[Change]] = {
    "as it is": [],
    "no container has the API": [app(volumeMounts=[]), setup(volumeMounts=[])],
    "own volumes": [
        volume(configMap={"name": "mca-policy"}),
        app(**mount(name="work", subPath="a")),
    ],
    "a Secret of its own": [
        volume(secret={"secretName": "mcafee"}),
        app(envFrom=[{"secretRef": {"name": "mine"}}]),
    ],
    "a listed audience": [volume(projected={"sources": [token_source("vault")]})],
    "a claim": [volume(persistentVolumeClaim={"claimName": "a"}), app(**mount(name="extra"))],
    "baseline capabilities": [
        app(securityContext={"capabilities": {"add": ["CHOWN"], "drop": ["ALL"]}})
    ],
    "root, not the sidecar's user": [app(securityContext={"runAsUser": 0})],
    "another sidecar": [setup(restartPolicy="Always"), setup(name="istio-proxy", volumeMounts=[])],
    "Linux": [spec(os={"name": "linux"})],
    "the image before an upgrade": [sidecar(image=PREVIOUS)],
    "home alone before an upgrade": [sidecar(image=PREVIOUS), by_home_alone],
    "a member": [with_member(), tell(MCA_MEMBERS=EU)],
    "a member by another name": [
        with_member(),
        tell(MCA_MEMBERS=EU.replace("}", ',"tlsServerName":"kubernetes.default.svc"}')),
    ],
    "two members": [with_member(), tell(MCA_MEMBERS=f"{EU[:-1]},{EU[1:]}")],
    "all that it may be told": [
        sidecar(
            env=[
                {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
                for name, path in VARIABLE_FIELDS.items()
            ]
            + [
                {"name": "MCA_CONTAINERS", "value": "setup,app"},
                {"name": "MCA_API_LISTEN", "value": "127.0.0.1:7443,[::1]:7443,[::1]:443"},
                {"name": "MCA_ADMIN_LISTEN", "value": "[::]:7444"},
                {"name": "MCA_LOG_LEVEL", "value": "debug"},
            ]
            + [{"name": name, "value": text} for name, text in TOLD.items()]
        )
    ],
    "what defaults and limits add": [
        sidecar(
            imagePullPolicy="Always",
            resources={"requests": {"cpu": "10m"}, "limits": {"memory": "64Mi"}},
        )
    ],
    "hooks and probes of its own": [app(lifecycle={"preStop": COMMAND}, livenessProbe=COMMAND)],
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_miss(guarded: Guarded, case: str) -> None:
    pod = spoil(*NEAR_MISSES[case])
    assert_passed(guarded.call("POST", DRY.format("team"), pod))


def test_near_miss_elsewhere_pods_are_free(guarded: Guarded) -> None:
    pod = spoil(no_sidecar, spec(hostPID=True))
    assert_passed(guarded.call("POST", DRY.format("plain"), pod, namespace="plain"))


def test_pod_security_stands_beside_it(guarded: Guarded) -> None:
    answer = guarded.call("POST", DRY.format("team"), spoil(spec(hostPID=True)))
    assert answer.status == 403
    assert "violates PodSecurity" in answer.json()["message"]


# Injection judges pods as they arrive, this guard as they are stored.

INJECTION = InjectionSettings(
    image=IMAGE, audiences=frozenset(SETTINGS.audiences), policy="controller"
)


def as_injected(pod: RawPod) -> RawPod | None:
    outcome = inject(pod, MODES["enforced"], INJECTION, offline=True)
    return outcome.pod if isinstance(outcome, Injected) else None


@pytest.mark.parametrize("case", sorted(CASES))
def test_what_injection_lets_in_is_whole(guarded: Guarded, case: str) -> None:
    """It refuses what this guard refuses, or makes it good."""
    pod = as_injected(spoil(*CASES[case][1]))
    if pod is not None:
        answer = guarded.call("POST", DRY.format("lax"), pod, namespace="lax")
        assert_passed(answer)


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_near_misses_pass_injection_and_guard(guarded: Guarded, case: str) -> None:
    pod = as_injected(spoil(*NEAR_MISSES[case]))
    assert pod is not None
    assert_passed(guarded.call("POST", DRY.format("team"), pod))


def test_near_miss_a_pod_of_a_megabyte(guarded: Guarded) -> None:
    """CEL has a budget for each request; a pod that used it up would be refused without a cause."""
    volumes = [{"name": f"v{i}", "configMap": {"name": "a"}} for i in range(60)]
    secret = {"secretKeyRef": {"name": "some-secret", "key": "a"}}
    containers = [
        {
            "name": f"c{i}",
            "image": "a",
            "env": [{"name": f"VARIABLE_{j}", "valueFrom": secret} for j in range(200)],
            "volumeMounts": [{"name": f"v{j}", "mountPath": f"/m/{j}"} for j in range(60)],
        }
        for i in range(60)
    ]
    pod = spoil(spec(containers=containers))
    pod["spec"]["volumes"] += volumes
    assert len(json.dumps(pod)) > 1 << 20
    assert_passed(guarded.call("POST", DRY.format("team"), pod))
