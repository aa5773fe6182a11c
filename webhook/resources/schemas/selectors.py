"""Owns the lists by which permissions, routes and limits select calls, as schemas.

The sidecar's own grammar (sidecar.policy.selector_lists) as far as the API server's patterns can
say it; what they let through is judged again when it is read. Must not know who uses which list.
"""

from typing import Final

from sidecar.policy.globs import MAX_GLOB, MAX_STARS
from webhook.resources.meta import RawDocument
from webhook.resources.schemas.forms import array, choice, fields, label, rule, text, unique, whole

VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
METHODS: Final = ("get", "head", "post", "put", "patch", "delete")
MAX_RESOURCES: Final = 64
MAX_GLOBS: Final = 64
_PATH: Final = "!-)+-~"

_KIND: Final = "[a-z0-9]([a-z0-9_.:-]*[a-z0-9])?"
_RESOURCE: Final = rf"^(\*|{_KIND}(/(\*|{_KIND}))?|\*/{_KIND})$"
_GROUP: Final = r"^(\*|[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)?$"
_LONGEST: Final = 253


def verbs(description: str, words: tuple[str, ...] = VERBS, **more: object) -> RawDocument:
    items = choice("A verb, or * for every one.", "*", *dict.fromkeys(words))
    return array(description, items, len(items["enum"]), least=1, **more)


def groups() -> RawDocument:
    items = text(
        'An API group, "" for the core group, * for every one.', most=_LONGEST, pattern=_GROUP
    )
    return array("API groups, of which one must be the call's.", items, 64, least=1)


def resources() -> RawDocument:
    items = text(
        "A plural in lower case, kind/subresource, kind/*, */subresource, or * for everything.",
        most=_LONGEST,
        pattern=_RESOURCE,
    )
    return array(
        "Resources, of which one must be the call's. pods does not cover pods/log: name both.",
        items,
        MAX_RESOURCES,
        least=1,
    )


def callers() -> dict[str, RawDocument]:
    """Lists that select by who calls."""
    return {
        "containers": _globs("Containers of the pod that call; all if left out.", "a-z0-9-"),
        "serviceAccounts": _globs(
            "Service accounts of pods that call; all if left out.", "a-z0-9.-"
        ),
    }


def objects() -> dict[str, RawDocument]:
    """Lists that select by what is called for."""
    return {
        "namespaces": _globs("Namespaces that are called for; all if left out.", "a-z0-9-"),
        "names": _globs("Names of objects that are called for; all if left out.", "!-$&-)+-.0-~"),
    }


def slices(description: str) -> RawDocument:
    """What a route takes: entries of which one must match, and in it every list."""
    match = fields(
        "A slice of the API. Every list that is given must match.",
        {
            "groups": groups(),
            "resources": resources(),
            "verbs": verbs("Verbs, of which one must be the call's; all if left out."),
            **objects(),
            **callers(),
        },
        ("groups", "resources"),
        _whole_leases(),
        _whole_events(),
    )
    return array(description, match, 32, least=1)


def destinations() -> RawDocument:
    """Where a route leads."""
    cluster = label("A Cluster's name, or home.")
    member = fields(
        "A cluster, and its share.",
        {"cluster": cluster, "weight": whole("Its share, beside the others'.", 1, 1_000_000)},
        ("cluster",),
    )
    return fields(
        "Which cluster serves the calls.",
        {
            "members": array(
                "The cluster that serves them; one, in this version.", member, 16, least=1
            ),
            "standIns": unique(
                "Clusters that are read from, in this order, while the member is down. "
                "Nothing is copied to them.",
                cluster,
                16,
            ),
        },
        ("members",),
        rule(
            "self.members.size() == 1",
            "a route over several members is served by a later version of the sidecar: name one",
            path=".members",
        ),
        rule(
            "!has(self.standIns) || self.standIns.all(s, self.members.all(m, m.cluster != s))",
            "a member cannot stand in for itself: remove it",
            path=".standIns",
        ),
    )


def leases_without_stand_ins() -> RawDocument:
    """For an object with `match` and `to`."""
    return rule(
        "!has(self.to.standIns) || self.to.standIns.size() == 0 || "
        "self.match.all(m, !('leases' in m.resources && 'coordination.k8s.io' in m.groups))",
        "would split locks: leases have no standIns",
        path=".to.standIns",
    )


def paths() -> RawDocument:
    """Paths that are no resources."""
    rest = _glob(_PATH, MAX_STARS - 1)
    items = text(
        f"A path, or a pattern with at most {MAX_STARS} *.",
        most=MAX_GLOB,
        pattern=rf"^(/{_glob(_PATH, MAX_STARS)}|\*{rest})$",
    )
    return array("Paths that are no resources.", items, MAX_GLOBS, least=1)


def _globs(description: str, characters: str) -> RawDocument:
    items = text(
        f"A name, or a pattern with at most {MAX_STARS} *.",
        most=MAX_GLOB,
        minLength=1,
        pattern=f"^{_glob(characters, MAX_STARS)}$",
    )
    return array(description, items, MAX_GLOBS, least=1)


def _glob(characters: str, stars: int) -> str:
    return rf"[{characters}]*(\*[{characters}]*){{0,{stars}}}"


def _whole_leases() -> RawDocument:
    whole_lists = " && ".join(
        f"(!has(self.{key}) || self.{key} == ['*'])"
        for key in ("verbs", "names", "containers", "serviceAccounts")
    )
    return rule(
        f"""!({_names("leases")} && self.groups.exists(g, g in ['coordination.k8s.io', '*'])) ||
        (self.groups == ['coordination.k8s.io'] && self.resources == ['leases'] &&
        {whole_lists})""",
        "would split locks: leases go alone, with groups [coordination.k8s.io], resources "
        "[leases], and every verb, name, container and service account",
    )


def _whole_events() -> RawDocument:
    return rule(
        f"""!({_names("events")} && self.groups.exists(g, g in ['', 'events.k8s.io', '*'])) ||
        (self.resources == ['events'] && self.groups.size() == 2 && '' in self.groups &&
        'events.k8s.io' in self.groups)""",
        'would split events: they go alone, with groups ["", events.k8s.io]',
    )


def _names(kind: str) -> str:
    return f"self.resources.exists(r, r == '{kind}' || r.startsWith('{kind}/'))"
