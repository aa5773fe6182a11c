"""The guards hold from the first moment of an API server that starts again."""

import threading
from collections.abc import Callable

from tests.controlplane import ControlPlane
from tests.manifests.scene import Guarded

BARE = {"metadata": {"name": "bare"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
PODS = "/api/v1/namespaces/team/pods?dryRun=All"


def test_no_pod_slips_in_while_policies_are_read(
    make_control_plane: Callable[..., ControlPlane],
) -> None:
    plane = make_control_plane()
    guarded = Guarded(plane)
    done = threading.Event()
    answers: list[tuple[int, str]] = []

    def try_on() -> None:
        while not done.is_set():
            try:
                answer = plane.request("POST", PODS, BARE)
            except OSError:
                continue  # it is not up
            answers.append((answer.status, answer.body.decode(errors="replace")))

    assert guarded.plane.request("POST", PODS, BARE).status == 403
    plane.kill_api_server()
    attacker = threading.Thread(target=try_on)
    attacker.start()
    try:
        plane.start_api_server()
        plane.request("POST", PODS, BARE)
    finally:
        done.set()
        attacker.join()
    assert answers
    assert not [status for status, _ in answers if status < 400]
    assert "mca-final-pods" in plane.request("POST", PODS, BARE).body.decode()
