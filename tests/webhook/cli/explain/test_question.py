import pytest

from sidecar.policy.verdict import Denial
from webhook.cli.explain.question import Place, Question, QuestionError, read_question
from webhook.cli.policy.kinds import Kinds

OWN = Place("", "team-a")


def read(verb: str, target: str, place: Place = OWN, *hints: str) -> Question:
    found = read_question(verb, target, place, Kinds(hints))
    assert isinstance(found, Question), found
    return found


@pytest.mark.parametrize(
    ("verb", "target", "place", "request_line"),
    [
        ("list", "pods", OWN, "GET /api/v1/namespaces/team-a/pods"),
        ("get", "po", OWN, "GET /api/v1/namespaces/team-a/pods"),
        ("get", "po/x", Place("b", "team-a"), "GET /api/v1/namespaces/b/pods/x"),
        ("get", "pods.v1./x", OWN, "GET /api/v1/namespaces/team-a/pods/x"),
        ("list", "pods", Place("", "a", everywhere=True), "GET /api/v1/pods"),
        ("watch", "pods", OWN, "GET /api/v1/namespaces/team-a/pods?watch=true"),
        ("HEAD", "pods/x", OWN, "HEAD /api/v1/namespaces/team-a/pods/x"),
        ("create", "deploy/x", OWN, "POST /apis/apps/v1/namespaces/team-a/deployments"),
        ("update", "deploy/x", OWN, "PUT /apis/apps/v1/namespaces/team-a/deployments/x"),
        ("patch", "no/x", Place("b", "a"), "PATCH /api/v1/nodes/x"),
        ("delete", "ns/x", OWN, "DELETE /api/v1/namespaces/x"),
        ("deletecollection", "jobs", OWN, "DELETE /apis/batch/v1/namespaces/team-a/jobs"),
        (
            "create",
            "pods/x",
            Place("", "a", subresource="exec"),
            "POST /api/v1/namespaces/a/pods/x/exec",
        ),
        ("get", "widgets.x.com/y", OWN, "GET /apis/x.com/v1/namespaces/team-a/widgets/y"),
        ("get", "clusterroles/system:node", OWN,
         "GET /apis/rbac.authorization.k8s.io/v1/clusterroles/system:node"),
        ("get", "/api/v1/pods?limit=5", OWN, "GET /api/v1/pods?limit=5"),
        ("watch", "/api/v1/pods?limit=5", OWN, "GET /api/v1/pods?limit=5&watch=true"),
        ("watch", "/api/v1/pods?watch=1", OWN, "GET /api/v1/pods?watch=1"),
        ("watch", "/api/v1/watch/pods", OWN, "GET /api/v1/watch/pods"),
        ("get", "/healthz", OWN, "GET /healthz"),
        ("create", "/apis", OWN, "POST /apis"),
    ],
)  # fmt: skip
def test_what_a_client_would_send(verb: str, target: str, place: Place, request_line: str) -> None:
    found = read(verb, target, place)
    assert f"{found.method} {found.target}" == request_line


def test_hints_count() -> None:
    found = read("list", "widgets.x.com", OWN, "widgets.x.com=cluster")
    assert found.target == "/apis/x.com/v1/widgets"


def test_the_name_of_what_is_made_stands_in_the_body() -> None:
    assert read("create", "pods/x").body == b'{"metadata": {"name": "x"}}'
    assert read("create", "pods").body == b"{}"
    assert read("create", "pods/x", OWN._replace(subresource="exec")).body == b"{}"


def test_what_was_assumed_is_told() -> None:
    own = "namespace 'team-a', the pod's own: -n names another, -A all"
    assert read("get", "pods/x").assumed == (own,)
    assert read("get", "pods/x", Place("b", "a")).assumed == ()
    assert read("get", "pods").assumed == (own, "get of what names no object is a list")
    (exec_told,) = read("get", "pods/exec", Place("b", "a")).assumed
    assert exec_told.endswith("--subresource exec would name the subresource")


@pytest.mark.parametrize(
    ("verb", "target", "place", "said"),
    [
        ("look", "pods", OWN, r"'look' is no verb: give one of get, .*, or an HTTP method"),
        ("list", "pods/x", OWN, r"list is about many objects: leave out /x"),
        ("update", "pods", OWN, r"update is about one object: give pods/NAME"),
        ("delete", "pods", OWN, r"give pods/NAME, or ask for deletecollection"),
        ("get", "pods", OWN._replace(subresource="log"), r"--subresource needs a name: pods/NAME"),
        ("get", "widgets", OWN, r"'widgets' is no kind built into Kubernetes"),
        ("get", "/api/v1/pods", Place("b", "a"), r"a path says all by itself"),
        ("list", "/api/v1/namespaces/a/pods/x", OWN, r"is a get, not a list: correct one"),
        ("create", "/api/v1/pods?x=\u00e9", OWN, r"percent-encode what is not ASCII"),
    ],
)
def test_what_makes_no_request(verb: str, target: str, place: Place, said: str) -> None:
    with pytest.raises(QuestionError, match=said):
        read_question(verb, target, place, Kinds())


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        ("get", "pods/.."),
        ("get", "pods/a/b%"),
        ("get", "/api/v1/../x"),
        ("watch", "/api/v1/pods?limit=1&limit=2"),
    ],
)
def test_what_the_sidecar_refuses_unread(verb: str, target: str) -> None:
    found = read_question(verb, target, OWN, Kinds())
    assert isinstance(found, Denial)
    assert found.rule == "target/canonical"
