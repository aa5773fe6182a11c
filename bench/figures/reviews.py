"""What an admission review costs, and how long it takes, beside a bare handler on aiohttp."""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench.adapter import python_command
from bench.load import WrongAnswerError
from bench.measure import cpu_seconds
from bench.report import Goal, Section, Table
from bench.scene import Scene
from bench.spread import compare, percentile, summarize
from tests.controlplane import ServerProcess, choose_port

OURS, BARE = "mca webhook", "bare aiohttp"
SIZES = {"10 KB": 5, "1 MB": 590}  # containers in the pod
CLIENTS = 8
RATE = 100
MIN_RATIO, MIN_RATE, MAX_P99_MS = 0.5, 1000, 10.0
PATIENCE_S = 20.0
METHOD = (
    "AdmissionReviews as kube-apiserver writes them, for a pod that gets its sidecar; the bare "
    "handler parses the same body and sends it back. CPU time is the server's, with "
    f"{CLIENTS} clients that wait for each answer; a review's time is from when it was due, at "
    f"{RATE} a second on as many connections in turns. TLS 1.3, both on the same interpreter."
)
_IMAGE = "registry.example.com/mca@sha256:" + "a" * 64


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, where it takes reviews, and whether an answer is right."""

    name: str
    process: ServerProcess
    port: int
    path: str
    judge: Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Figures:
    """Of all rounds, by subject."""

    micros: Mapping[str, Mapping[str, Sequence[float]]]  # CPU of one review, by size
    p99_ms: Mapping[str, Sequence[float]]


def measure(scene: Scene, *, rounds: int, seconds: float) -> list[Section]:
    """Both in every round, in turns."""
    bodies = {size: make_review(count) for size, count in SIZES.items()}
    micros: dict[str, dict[str, list[float]]] = {size: {OURS: [], BARE: []} for size in SIZES}
    p99_ms: dict[str, list[float]] = {OURS: [], BARE: []}
    with ExitStack() as stack:
        subjects = [start(stack, scene, OURS), start(stack, scene, BARE)]
        for number in range(rounds):
            for subject in subjects[:: -1 if number % 2 else 1]:
                for size, body in bodies.items():
                    micros[size][subject.name].append(spend(scene, subject, body, seconds))
                taken = pace(scene, subject, bodies["10 KB"], seconds)
                p99_ms[subject.name].append(percentile(taken, 0.99) * 1000)
                shown = ", ".join(
                    f"{size} {micros[size][subject.name][-1]:.0f} µs" for size in SIZES
                )
                late = p99_ms[subject.name][-1]
                print(
                    f"  round {number + 1} of {rounds}, {subject.name}: {shown}, p99 {late:.1f} ms"
                )
    return [describe(Figures(micros, p99_ms))]


def start(stack: ExitStack, scene: Scene, name: str) -> Subject:
    """One that answers."""
    port = choose_port()
    pair = [str(scene.serving.certificate), str(scene.serving.key)]
    if name == OURS:
        command = python_command("from webhook.cli import main; sys.exit(main(['webhook']))")
        path, judge = "/inject/standard", is_injected
    else:
        code = (
            f"from bench.bare_webhook import main; main([{str(port)!r}, {pair[0]!r}, {pair[1]!r}])"
        )
        command = python_command(code)
        path, judge = "/", is_review
    environment = {
        "MCA_WEBHOOK_LISTEN": f"127.0.0.1:{port}",
        "MCA_WEBHOOK_CERT": pair[0],
        "MCA_WEBHOOK_KEY": pair[1],
        "MCA_SIDECAR_IMAGE": _IMAGE,
    }
    log = scene.folder / f"{name.replace(' ', '-')}.log"
    process = ServerProcess(command, log=log, environment=environment)
    stack.callback(process.kill)
    subject = Subject(name, process, port, path, judge)
    body = make_review(1)
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            send(connect(scene, subject), subject, body)
        except OSError:
            if not process.is_running() or time.monotonic() > deadline:
                raise RuntimeError(process.describe_end()) from None
            time.sleep(0.05)
        else:
            return subject


def is_injected(answer: bytes) -> bool:
    """Allowed, with a patch."""
    return b'"allowed":true' in answer and b'"patchType":"JSONPatch"' in answer


def is_review(answer: bytes) -> bool:
    """What was sent."""
    return b'"kind": "AdmissionReview"' in answer


def connect(scene: Scene, subject: Subject) -> http.client.HTTPSConnection:
    """One that is kept."""
    trust = ssl.create_default_context(cafile=str(scene.ca_file))
    return http.client.HTTPSConnection("127.0.0.1", subject.port, context=trust, timeout=30)


def send(connection: http.client.HTTPSConnection, subject: Subject, body: bytes) -> None:
    """One review, whose answer is right."""
    connection.request("POST", subject.path, body=body)
    response = connection.getresponse()
    answer = response.read()
    if response.status != http.client.OK or not subject.judge(answer):
        raise WrongAnswerError(f"{subject.name}: {response.status}: {answer[:200]!r}")


def spend(scene: Scene, subject: Subject, body: bytes, seconds: float) -> float:
    """Microseconds of CPU for each of as many as go through."""
    counts: list[int] = []
    ready = threading.Barrier(CLIENTS + 1)

    def work() -> None:
        connection = connect(scene, subject)
        send(connection, subject, body)
        ready.wait(PATIENCE_S)
        ending, count = time.monotonic() + seconds, 0
        while time.monotonic() < ending:
            send(connection, subject, body)
            count += 1
        connection.close()
        counts.append(count)

    threads = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    ready.wait(PATIENCE_S)
    before = cpu_seconds(subject.process.pid)
    for thread in threads:
        thread.join()
    spent = cpu_seconds(subject.process.pid) - before
    if len(counts) != CLIENTS:
        raise WrongAnswerError(f"{subject.name}: a client failed")
    return spent / sum(counts) * 1e6


def pace(scene: Scene, subject: Subject, body: bytes, seconds: float) -> list[float]:
    """Seconds of each review since it was due."""
    connections = [connect(scene, subject) for _ in range(CLIENTS)]
    for connection in connections:
        send(connection, subject, body)
    taken = []
    began = time.perf_counter()
    for number in range(int(RATE * seconds)):
        due = began + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        send(connections[number % CLIENTS], subject, body)
        taken.append(time.perf_counter() - due)
    for connection in connections:
        connection.close()
    return taken


def make_review(containers: int) -> bytes:
    """In the order of fields, and as tight, as the API server writes it."""
    kind = {"group": "", "version": "v1", "kind": "Pod"}
    resource = {"group": "", "version": "v1", "resource": "pods"}
    account = "/var/run/secrets/kubernetes.io/serviceaccount"
    access = {"name": "kube-api-access-x7k2p", "readOnly": True, "mountPath": account}
    pod = {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "web-0", "namespace": "team-a", "labels": {"app": "web"}},
        "spec": {
            "containers": [make_container(number, access) for number in range(containers)],
            "volumes": [
                {"name": "work", "emptyDir": {}},
                {
                    "name": access["name"],
                    "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]},
                },
            ],
            "serviceAccountName": "default",
            "securityContext": {},
        },
    }
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "name": "web-0",
        "namespace": "team-a",
        "operation": "CREATE",
        "userInfo": {"username": "system:serviceaccount:kube-system:replicaset-controller"},
        "object": pod,
        "oldObject": None,
        "dryRun": False,
    }
    document = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}
    return json.dumps(document, separators=(",", ":")).encode()


def make_container(number: int, access: Mapping[str, object]) -> dict[str, object]:
    """With about as much in it as those of real workloads."""
    env = [{"name": f"SETTING_{index}", "value": f"some value {index}"} for index in range(24)]
    mounts = [{"name": "work", "mountPath": f"/data/{index}"} for index in range(5)]
    return {
        "name": f"app-{number}",
        "image": "registry.example.com/team/app:1.2.3",
        "ports": [{"containerPort": 8080 + number % 1000, "protocol": "TCP"}],
        "env": env,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [*mounts, access],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"}},
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {"allowPrivilegeEscalation": False, "runAsNonRoot": True},
    }


def describe(figures: Figures) -> Section:
    """Ratios are of reviews for each CPU second: above 1 is better than bare."""
    rows = []
    for size, micros in figures.micros.items():
        for name in (OURS, BARE):
            waits = summarize(figures.p99_ms[name]).show(1) if size == "10 KB" else "-"
            rate = summarize([1e6 / value for value in micros[name]])
            ratio = compare(micros[BARE], micros[name])
            rows.append([f"{name}, {size}", ratio.show(), rate.show(0), waits])
    small = figures.micros["10 KB"]
    ratio = compare(small[BARE], small[OURS])
    rate = summarize([1e6 / value for value in small[OURS]])
    late = summarize(figures.p99_ms[OURS])
    goals = [
        Goal("reviews of 10 KB a CPU second, of a bare handler's", f"≥ {MIN_RATIO}",
             ratio.show(), ratio.median >= MIN_RATIO),
        Goal("reviews of 10 KB a CPU second", f"{MIN_RATE:,}", rate.show(0),
             rate.median >= MIN_RATE),
        Goal(f"p99 of a review at {RATE}/s", f"≤ {MAX_P99_MS:.0f} ms", late.show(1) + " ms",
             late.median <= MAX_P99_MS),
    ]  # fmt: skip
    header = ("", "× bare", "a CPU second", f"p99 ms at {RATE}/s")  # noqa: RUF001
    return Section("Admission reviews", METHOD, [Table(header, rows)], goals)
