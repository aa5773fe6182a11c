"""The way back from an injected pod."""

from tests.webhook.admission.scene import SETTINGS, make_container, make_pod
from webhook.admission.injection import inject
from webhook.admission.outcome import Injected, RawObject
from webhook.admission.registration import MODES
from webhook.admission.removal import remove_sidecar


def put_in(pod: RawObject) -> RawObject:
    outcome = inject(pod, MODES["standard"], SETTINGS, offline=True)
    assert isinstance(outcome, Injected)
    return outcome.pod


def test_a_pod_without_one_stays_as_it_is() -> None:
    pod = make_pod(initContainers=[make_container("i")])
    assert remove_sidecar(pod) is pod


def test_all_of_it_goes_and_nothing_else() -> None:
    data = {"name": "data", "emptyDir": {}}
    mounts = [{"name": "data", "mountPath": "/data"}]
    full = make_pod(
        make_container(env=[{"name": "A", "value": "1"}], volumeMounts=mounts),
        initContainers=[make_container("i")],
        volumes=[data],
    )
    for pod in (make_pod(), full):
        assert remove_sidecar(put_in(pod)) == pod


def test_names_that_were_captured_are_free_again() -> None:
    alias = {"ip": "127.0.0.1", "hostnames": ["me"]}
    pod = make_pod(annotations={"mca.io/capture": "env,dns"}, hostAliases=[alias])
    assert "kubernetes.default.svc" in str(put_in(pod)["spec"]["hostAliases"])
    assert remove_sidecar(put_in(pod)) == pod


def test_who_had_asked_for_no_token_gets_none() -> None:
    pod = make_pod(
        make_container(),
        make_container("b", env=[{"name": "KUBERNETES_SERVICE_HOST", "value": "x"}]),
        annotations={"mca.io/containers": "app"},
        automountServiceAccountToken=False,
    )
    assert remove_sidecar(put_in(pod)) == pod
