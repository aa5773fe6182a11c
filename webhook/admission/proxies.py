"""Owns the variables that name a proxy: what must be added so that loopback is not sent to it.

Must not change which proxy anything else takes. The Python client fails without (Go does not).
"""

from typing import Final

from webhook.admission.outcome import RawObject

DIRECT: Final = ("127.0.0.1", "localhost", "::1", "kubernetes.default.svc")
# Where names are captured: the others of them.
DIRECT_BY_NAME: Final = (*DIRECT, "kubernetes.default", "kubernetes.default.svc.cluster.local")
_PROXY: Final = "_proxy"
_PROXIES: Final = frozenset({"http_proxy", "https_proxy", "all_proxy"})
# Programs read the one or the other, and most the lower one first.
EXCEPTIONS: Final = ("NO_PROXY", "no_proxy")
_LONGEST: Final = 4096
_ENDS: Final = (",".join(DIRECT_BY_NAME), ",".join(DIRECT))


def add_exceptions(env: list[RawObject], direct: tuple[str, ...] = DIRECT) -> list[RawObject]:
    """The variables, with ours among the exceptions wherever a proxy is set."""
    # Nearly no container sets one: all names are looked at in one go first.
    if _PROXY not in (names := "\n".join([item["name"] for item in env]).lower()):
        return env
    if _PROXIES.isdisjoint(names.split("\n")):
        return env
    given = {item["name"]: item for item in env if item["name"] in EXCEPTIONS}
    if any(item.get("valueFrom") is not None for item in given.values()):
        return env  # find_warning tells: nobody here knows the text
    if any(len(item.get("value") or "") > _LONGEST for item in given.values()):
        return env  # find_warning tells, too: it would come back twice
    base = next((item.get("value") or "" for item in given.values()), "")
    wanted = {
        name: _extend((given.get(name) or {"value": base}).get("value"), direct)
        for name in EXCEPTIONS
    }
    changed = [
        {**item, "value": wanted[item["name"]]}
        if item["name"] in wanted and item.get("value") != wanted[item["name"]]
        else item
        for item in env
    ]
    return changed + [
        {"name": name, "value": wanted[name]} for name in EXCEPTIONS if name not in given
    ]


def remove_exceptions(env: list[RawObject]) -> list[RawObject]:
    """The variables without what `add_exceptions` put at their end."""
    kept = []
    for item in env:
        text = item.get("value") or ""
        ours = next((end for end in _ENDS if text.endswith(end)), "")
        if item["name"] in EXCEPTIONS and ours:
            text = text.removesuffix(ours).removesuffix(",")
            if not text:
                continue
            item = {**item, "value": text}  # noqa: PLW2901 - the one that is kept
        kept.append(item)
    return kept


def find_warning(container: RawObject, direct: tuple[str, ...] = DIRECT) -> str:
    """What only whoever wrote the container can do."""
    env = container.get("env") or []
    name = container["name"]
    exceptions = [item for item in env if item["name"] in EXCEPTIONS]
    if any(item.get("valueFrom") is not None for item in exceptions):
        return (
            f"container {name}: NO_PROXY comes by valueFrom and is left alone;"
            f" let it name {','.join(direct)} if the container sets a proxy"
        )
    if any(len(item.get("value") or "") > _LONGEST for item in exceptions):
        return (
            f"container {name}: NO_PROXY is longer than {_LONGEST} and is left alone;"
            f" let it name {','.join(direct)} if the container sets a proxy"
        )
    if container.get("envFrom") and not exceptions:
        return (
            f"container {name}: if its envFrom sets a proxy,"
            f" let its NO_PROXY name {','.join(direct)}"
        )
    return ""


def _extend(text: str | None, direct: tuple[str, ...]) -> str:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    missing = [name for name in direct if name not in names]
    if not missing or "*" in names:
        return text or ""
    return ",".join([*([text] if text else []), *missing])
