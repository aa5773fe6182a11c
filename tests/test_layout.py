"""The rules of the house that no linter knows; CONTRIBUTING.md says why each is there.

Each rule is a function from a parsed module to its violations, so that the rules are tested too.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sidecar", "webhook")
MAX_LINES = 400

# Pure things only: nothing here does I/O, tells the time or keeps state.
POLICY_STDLIB = frozenset(
    {
        "__future__", "base64", "binascii", "bisect", "collections", "dataclasses", "enum",
        "functools", "hashlib", "ipaddress", "json", "re", "typing",
    }
)  # fmt: skip
SIDECAR_THIRD_PARTY: frozenset[str] = frozenset()
# Each costs a start 5 to 60 ms, and there is a light way to do what the sidecar needs of it.
SIDECAR_TOO_HEAVY = frozenset(
    {
        "argparse", "concurrent.futures.process", "email", "http", "importlib.metadata", "inspect",
        "logging.config", "multiprocessing", "pathlib", "secrets", "subprocess", "tempfile",
        "unittest", "urllib", "urllib.parse", "urllib.request", "uuid", "xml",
    }
)  # fmt: skip
# asyncio itself imports subprocess, and through it what these import.
UNAVOIDABLE = frozenset({"subprocess", "inspect"})
NEVER_LOADED = (
    "webhook",
    "kubernetes",
    "aiohttp",
    "yaml",
    "mcp",
    "cryptography",
    "prometheus_client",
)
# What the control plane may use of the sidecar, beside its policy.
SHARED_LEAVES = (
    "sidecar.policy", "sidecar.log", "sidecar.metrics", "sidecar.secret", "sidecar.status",
)  # fmt: skip
FRONT_DOORS = ("admission", "controller", "agents")
SAYS_NOTHING = frozenset(
    {"utils", "util", "common", "helpers", "helper", "manager", "core", "misc"}
)
PERMIT_KEY = "_PERMIT_KEY"


@dataclass(frozen=True, slots=True)
class Module:
    """One source file of ours, parsed."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    def imports(self) -> Iterator[str]:
        """What it imports at run time, wherever in the file: `from a import b` is `a` and `a.b`."""
        only_for_types = {
            id(inner)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            for statement in node.body
            for inner in ast.walk(statement)
        }
        for node in ast.walk(self.tree):
            if id(node) in only_for_types:
                continue
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield "." * node.level + (node.module or "")
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parse_module(name: str, text: str, path: Path = Path()) -> Module:
    return Module(name, path, text, ast.parse(text))


def list_modules() -> list[Module]:
    modules = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            modules.append(parse_module(name, path.read_text(), path))
    return modules


MODULES = list_modules()
every_module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)


def is_within(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def top(name: str) -> str:
    return name.partition(".")[0]


# Rules: each yields what a module breaks.


def check_policy_is_pure(module: Module) -> Iterator[str]:
    if is_within(module.name, "sidecar.policy"):
        for name in module.imports():
            if top(name) not in POLICY_STDLIB and not is_within(name, "sidecar.policy", "sidecar"):
                yield f"{name} is not on the list of what the policy core may import"
            elif (
                name != "sidecar"
                and top(name) == "sidecar"
                and not is_within(name, "sidecar.policy")
            ):
                yield f"{name} is outside the policy core"


def check_sidecar_is_small(module: Module) -> Iterator[str]:
    if not is_within(module.name, "sidecar"):
        return
    allowed = SIDECAR_THIRD_PARTY | {"sidecar"}
    if module.name == "sidecar.mint":
        allowed |= {"cryptography"}
    for name in module.imports():
        if top(name) not in allowed and top(name) not in sys.stdlib_module_names:
            yield f"{name} does not belong into the sidecar"
        elif name in SIDECAR_TOO_HEAVY and module.name != "sidecar.mint":
            yield f"{name} is too heavy to import in every pod"


def check_webhook_uses_only_policy_and_leaves(module: Module) -> Iterator[str]:
    # webhook.cli is the entry point of every process, the sidecar's too.
    if is_within(module.name, "webhook") and not is_within(module.name, "webhook.cli"):
        for name in module.imports():
            if name != "sidecar" and top(name) == "sidecar" and not is_within(name, *SHARED_LEAVES):
                yield f"{name} is the data plane's own: use sidecar.policy or a shared leaf"


def check_front_doors_are_apart(module: Module) -> Iterator[str]:
    for door in FRONT_DOORS:
        if is_within(module.name, f"webhook.{door}"):
            others = [f"webhook.{other}" for other in FRONT_DOORS if other != door]
            yield from (
                f"{name} is another door" for name in module.imports() if is_within(name, *others)
            )


def check_one_importer_of_kubernetes(module: Module) -> Iterator[str]:
    if module.name != "webhook.kube":
        for name in module.imports():
            if is_within(name, "kubernetes"):
                yield f"{name}: only webhook/kube.py imports kubernetes"


def check_only_decide_makes_permits(module: Module) -> Iterator[str]:
    if module.name in ("sidecar.policy.decide", "sidecar.policy.verdict"):
        return
    for node in ast.walk(module.tree):
        named = {
            ast.Name: "id", ast.Attribute: "attr", ast.alias: "name", ast.Constant: "value",
        }.get(type(node))  # fmt: skip
        if named and getattr(node, named) == PERMIT_KEY:
            line = getattr(node, "lineno", "?")
            yield f"line {line} names {PERMIT_KEY}: only decide makes a Permit"
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Permit":
            yield f"line {node.lineno} calls Permit(): only decide makes one"


def check_documented(module: Module) -> Iterator[str]:
    if not ast.get_docstring(module.tree):
        yield "has no docstring: say what it owns and what it must not do"


def check_absolute_imports(module: Module) -> Iterator[str]:
    yield from (f"{name} is relative" for name in module.imports() if name.startswith("."))


def check_named_for_what_it_is(module: Module) -> Iterator[str]:
    yield from (f"`{part}` says nothing" for part in module.name.split(".") if part in SAYS_NOTHING)


def check_size(module: Module) -> Iterator[str]:
    lines = len(module.text.splitlines())
    said = re.search(r"\blines?\b|\blong\b|\bsplit", ast.get_docstring(module.tree) or "")
    if lines > MAX_LINES and not said:
        yield f"has {lines} lines, and its docstring does not say why it is not split"


RULES = {
    rule.__name__.removeprefix("check_"): rule
    for rule in (
        check_policy_is_pure,
        check_sidecar_is_small,
        check_webhook_uses_only_policy_and_leaves,
        check_front_doors_are_apart,
        check_one_importer_of_kubernetes,
        check_only_decide_makes_permits,
        check_documented,
        check_absolute_imports,
        check_named_for_what_it_is,
        check_size,
    )
}


@every_module
def test_module_keeps_the_rules(module: Module) -> None:
    broken = [f"{name}: {told}" for name, rule in RULES.items() for told in rule(module)]
    assert not broken


DOC = '"""Owns a thing."""\n'


@pytest.mark.parametrize(
    ("rule", "name", "text"),
    [
        ("policy_is_pure", "sidecar.policy.a", "import os"),
        ("policy_is_pure", "sidecar.policy.a", "def f():\n    import time"),
        ("policy_is_pure", "sidecar.policy.a", "from sidecar.log import log_event"),
        ("policy_is_pure", "sidecar.policy.a", "from sidecar import log"),
        ("sidecar_is_small", "sidecar.a", "import aiohttp"),
        ("sidecar_is_small", "sidecar.a", "from cryptography import x509"),
        ("sidecar_is_small", "sidecar.a", "from webhook import cli"),
        ("sidecar_is_small", "sidecar.a", "from urllib.parse import unquote"),
        ("sidecar_is_small", "sidecar.a", "from urllib import parse"),
        ("webhook_uses_only_policy_and_leaves", "webhook.agents.a", "import sidecar.server"),
        ("webhook_uses_only_policy_and_leaves", "webhook.a", "from sidecar import upstream"),
        ("front_doors_are_apart", "webhook.agents.a", "from webhook.admission import b"),
        ("front_doors_are_apart", "webhook.controller", "from webhook import agents"),
        ("one_importer_of_kubernetes", "webhook.a", "def f():\n    from kubernetes import client"),
        ("only_decide_makes_permits", "sidecar.a", f"from a.verdict import {PERMIT_KEY}"),
        ("only_decide_makes_permits", "sidecar.a", f"import v\nv.Permit(v.{PERMIT_KEY})"),
        ("only_decide_makes_permits", "sidecar.a", f"getattr(v, '{PERMIT_KEY}')"),
        ("only_decide_makes_permits", "webhook.a", "Permit(None, None, '')"),
        ("documented", "sidecar.a", "import os"),
        ("absolute_imports", "sidecar.a", "from . import b"),
        ("absolute_imports", "sidecar.a", "from .b import c"),
        ("named_for_what_it_is", "sidecar.utils", ""),
        ("named_for_what_it_is", "webhook.common.a", ""),
        ("size", "sidecar.a", DOC + "x = 1\n" * MAX_LINES),
    ],
)  # fmt: skip
def test_each_rule_can_fail(rule: str, name: str, text: str) -> None:
    assert list(RULES[rule](parse_module(name, text)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sidecar.policy.a", "import json\nfrom sidecar.policy import verdict"),
        ("sidecar.a", "import asyncio\nfrom sidecar.log import log_event"),
        ("sidecar.a", "if TYPE_CHECKING:\n    from pathlib import Path"),
        ("sidecar.mint", "from cryptography import x509"),
        ("webhook.agents.a", "from sidecar.policy.decide import decide\nfrom sidecar import log"),
        ("webhook.cli.a", "import sidecar.server"),
        ("webhook.kube", "from kubernetes import client"),
        ("sidecar.a", "isinstance(verdict, Permit)"),
        ("sidecar.a", '"""Owns a thing; not split: 3 % of a request."""\n' + "x = 1\n" * MAX_LINES),
    ],
)
def test_no_rule_forbids_what_is_right(name: str, text: str) -> None:
    module = parse_module(name, text if text.startswith('"""') else DOC + text)
    assert not [told for rule in RULES.values() for told in rule(module)]


def list_uses(modules: list[Module], package: str) -> dict[str, set[str]]:
    """Which of a package's own packages import which others of them."""
    inside = [m.name.partition(f"{package}.")[2] for m in modules if is_within(m.name, package)]
    parts = {name.partition(".")[0] for name in inside if "." in name}
    uses: dict[str, set[str]] = {part: set() for part in parts}
    for part in parts:
        others = {f"{package}.{other}": other for other in parts - {part}}
        for module in modules:
            if is_within(module.name, f"{package}.{part}"):
                uses[part] |= {
                    other
                    for name in module.imports()
                    for path, other in others.items()
                    if is_within(name, path)
                }
    return uses


def find_cycle(uses: dict[str, set[str]]) -> set[str]:
    """Those that need each other, and whoever needs one of them."""
    left = dict(uses)
    while free := [name for name, used in left.items() if not used & left.keys()]:
        for name in free:
            del left[name]
    return set(left)


def test_packages_of_the_controller_do_not_need_each_other() -> None:
    uses = list_uses(MODULES, "webhook.controller")
    assert uses["policies"] >= {"compiling", "engine"}
    assert not find_cycle(uses)


def test_a_cycle_is_found() -> None:
    modules = [
        parse_module("a.b.c", "from a.x import y"),
        parse_module("a.x.y", "def f():\n    from a.z import w"),
        parse_module("a.z.w", "import a.b.c"),
        parse_module("a.all", "from a import b, x"),
        parse_module("a.q.r", "import os"),
    ]
    uses = list_uses(modules, "a")
    assert uses == {"b": {"x"}, "x": {"z"}, "z": {"b"}, "q": set()}
    assert find_cycle(uses) == {"b", "x", "z"}


def test_policy_modules_have_their_own_tests() -> None:
    names = [path.stem for path in (ROOT / "sidecar" / "policy").glob("*.py")]
    tested = {path.stem for path in (ROOT / "tests" / "sidecar" / "policy").glob("test_*.py")}
    assert names
    assert not [name for name in names if name != "__init__" and f"test_{name}" not in tested]


def test_tests_mirror_the_source() -> None:
    """Test modules of several source modules are named after what they show, in the same tree."""
    for package in PACKAGES:
        for path in (ROOT / "tests" / package).rglob("test_*.py"):
            folder = ROOT / path.parent.relative_to(ROOT / "tests")
            assert folder.is_dir(), f"{path}: there is no {folder}"


def test_what_the_running_sidecar_has_loaded() -> None:
    """Of every module but the mint, which only a short-lived child imports."""
    names = [module.name for module in MODULES if is_within(module.name, "sidecar")]
    names = [name for name in names if name not in ("sidecar.mint", "sidecar.__main__")]
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        f"for name in {names!r}: __import__(name)\n"
        "print('\\n'.join(set(sys.modules) - before))\n"
    )
    environment = {key: text for key, text in os.environ.items() if not key.startswith("COVERAGE")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "sidecar.policy.decide" in loaded
    assert not [name for name in loaded if is_within(name, *NEVER_LOADED)]
    assert not [name for name in loaded if name in SIDECAR_TOO_HEAVY - UNAVOIDABLE]


@pytest.mark.parametrize(
    "lock", sorted((ROOT / "requirements").glob("*.lock")), ids=lambda p: p.name
)
def test_lock_files_hold_hashes_and_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pinned = re.findall(
        r"^([a-z0-9-]+)==\S+.*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE
    )
    entries = [line for line in text.splitlines() if line and line[0] not in " #"]
    assert len(pinned) == len(entries) > 0


def test_lock_files_agree_on_versions() -> None:
    """What is shipped and what is measured is what is tested."""
    versions: dict[str, set[str]] = {}
    for lock in (ROOT / "requirements").glob("*.lock"):
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock.read_text(), re.MULTILINE):
            versions.setdefault(name, set()).add(version)
    assert not {name: found for name, found in versions.items() if len(found) > 1}


def test_no_other_lock_file_holds_a_registry() -> None:
    for lock in ROOT.glob("tests/**/package-lock.json"):
        if "node_modules" not in lock.parts:
            assert '"resolved"' not in lock.read_text(), lock
