"""Makes one of the project's virtual environments: `python3 tools/make_venv.py --help`.

Runs on whatever python3 the machine has, so it uses the standard library of Python 3.8 only.
It chooses the interpreter, and works where ensurepip is missing (Debian without python3-venv).
With --fastest it takes the interpreter that does the sidecar's own work (tools/calibration.py) in
the least CPU time. Builds of one release differ: Debian's and the official images' are made with
profile-guided optimization, pyenv's are not by default, and that is worth 13 to 30 % of the
interpreted part. No build says so reliably (Debian's does not show it in sysconfig), but measuring
does, within 3 % even on a busy machine. A benchmark of ours says little unless it uses the kind of
build that images ship.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
CALIBRATION = ROOT / "tools" / "calibration.py"
ROUNDS = 3  # in turns: a moment in which the machine is busy does not decide
PROBE = """
import json, sys, sysconfig
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "usual": sys.version_info[3] == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "path": getattr(sys, "_base_executable", sys.executable),
}))
"""


def say(line: str) -> None:
    """Progress goes to standard error: what was asked for goes to standard output."""
    print(line, file=sys.stderr, flush=True)


def ask(python: Path, *options: str) -> Any:
    """What the interpreter, run with these options, prints as JSON; None if it is none."""
    try:
        answer = subprocess.run(
            [str(python), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=30,
            check=True,
        )
        return json.loads(answer.stdout.decode())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


def list_candidates() -> Iterator[Path]:
    """Every python3 of PATH and of pyenv, nearest first."""
    name = re.compile(r"python3(\.\d+)?$")
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders += sorted(pyenv.glob("versions/*/bin"))
    yield Path(sys.executable)
    for folder in folders:
        if folder.is_dir():
            yield from sorted(path for path in folder.iterdir() if name.match(path.name))


def choose_interpreter(fastest: bool) -> dict[str, Any]:
    """$PYTHON if set; else the first that is new enough, or the one that measures fastest."""
    wanted = os.environ.get("PYTHON")
    paths = [Path(shutil.which(wanted) or wanted)] if wanted else list_candidates()
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        facts = ask(path, "-I", "-S", "-c", PROBE)
        if facts and facts["usual"] and tuple(facts["version"]) >= OLDEST:
            found.setdefault(os.path.realpath(facts["path"]), facts)
            if not fastest:
                break
    if not found:
        named = f" ($PYTHON is {wanted})" if wanted else ""
        sys.exit(f"Python 3.11 or newer is needed{named}: install it, or set PYTHON to one.")
    if not fastest:
        return next(iter(found.values()))
    for facts in list(found.values()) * ROUNDS:
        cost = ask(Path(facts["path"]), "-I", "-S", str(CALIBRATION)) or float("inf")
        facts["cost"] = min(cost, facts.get("cost", cost))
    for facts in found.values():
        version = ".".join(map(str, facts["version"]))
        say(f"  {facts['cost']:.2f} ms of CPU for the same work: {facts['path']} ({version})")
    return min(found.values(), key=lambda facts: facts["cost"])


def find_pip() -> list[str]:
    """A command that can install into another environment, for interpreters without ensurepip."""
    for path in list_candidates():
        command = [str(path), "-m", "pip"]
        try:
            shown = subprocess.run(
                [*command, "--version"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=True,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        major_minor = re.match(r"pip (\d+)\.(\d+)", shown.stdout.decode())
        if major_minor and tuple(map(int, major_minor.groups())) >= (
            22,
            3,
        ):  # the first with --python
            return command
    sys.exit(
        "No pip was found to fill the virtual environment: install one "
        "(Debian: apt-get install python3-venv python3-pip)."
    )


def create(folder: Path, interpreter: str) -> list[str]:
    """An empty environment; returns the command of the pip that fills it."""
    if folder.exists():
        shutil.rmtree(folder)
    python = folder / "bin" / "python"
    with_pip = subprocess.run(
        [interpreter, "-m", "venv", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if with_pip.returncode == 0:
        return [str(python), "-m", "pip"]
    if folder.exists():
        shutil.rmtree(folder)
    bare = subprocess.run([interpreter, "-m", "venv", "--without-pip", str(folder)], check=False)
    if bare.returncode != 0:
        sys.exit(
            f"{interpreter} cannot make a virtual environment (its message is above): install its "
            "venv module (Debian: apt-get install python3-venv), or set PYTHON to another one."
        )
    return [*find_pip(), "--python", str(python)]


def digest(*sources: object) -> str:
    """Changes when what an environment is made from changes."""
    total = hashlib.sha256()
    for source in sources:
        total.update(source.read_bytes() if isinstance(source, Path) else repr(source).encode())
    return total.hexdigest()


def install(pip: list[str], what: list[str], named: str) -> None:
    """By pip, quietly; its errors are its own."""
    quiet = ["install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if subprocess.run([*pip, *quiet, *what], check=False).returncode != 0:
        sys.exit(f"{named} could not be installed; pip's message is above.")


def make(folder: Path, lock: Path, fastest: bool) -> None:
    """Nothing to do is the usual case: two stamps hold hashes of what it was made from."""
    made_from = digest(lock, Path(__file__), CALIBRATION, fastest, os.environ.get("PYTHON"))
    stamp = folder / "made-from"
    if not stamp.exists() or stamp.read_text() != made_from:
        facts = choose_interpreter(fastest)
        version = ".".join(map(str, facts["version"]))
        say(f"making {folder} with {facts['path']} ({version}); about a minute, once")
        pip = create(folder, facts["path"])
        say(f"installing {lock}")
        install(pip, ["--require-hashes", "-r", str(lock)], str(lock))
        stamp.write_text(made_from)
    described_by = digest(ROOT / "pyproject.toml", str(ROOT))
    own_stamp = folder / "described-by"
    if not own_stamp.exists() or own_stamp.read_text() != described_by:
        python = folder / "bin" / "python"
        pip = [str(python), "-m", "pip"]
        if ask(python, "-I", "-c", "import pip; print(1)") is None:
            pip = [*find_pip(), "--python", str(python)]
        install(pip, ["--no-build-isolation", "--editable", str(ROOT)], "the project itself")
        own_stamp.write_text(described_by)


def main() -> None:
    """Two at once wait for each other."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="the environment's folder, such as .venv")
    parser.add_argument("--lock", type=Path, required=True, help="pinned and hashed requirements")
    parser.add_argument(
        "--fastest", action="store_true", help="take the interpreter that measures fastest"
    )
    arguments = parser.parse_args()
    with open(__file__, "rb") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)
        make(arguments.folder, arguments.lock, arguments.fastest)


if __name__ == "__main__":
    main()
