"""bench/RESULTS.md: how figures become text. Must not measure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
LIMITS_FILE = Path(__file__).resolve().parent / "limits.md"


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the issue's list: what was to be reached, what was."""

    what: str
    wanted: str
    reached: str
    met: bool


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def render(self) -> str:
        """As Markdown; all columns but the first are figures."""
        lines = [self.header, ["---"] + ["---:"] * (len(self.header) - 1), *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Section:
    """One figure: how it was measured, what came out, which goals it answers."""

    title: str
    method: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = field(default_factory=tuple)

    def render(self) -> str:
        """Its part of the page."""
        parts = [f"## {self.title}\n", f"{self.method}\n", *(t.render() for t in self.tables)]
        return "\n".join(parts)


def render_goals(goals: Sequence[Goal]) -> str:
    """The page's first table."""
    rows = [(g.what, g.wanted, g.reached, "yes" if g.met else "**no**") for g in goals]
    return Table(("Goal", "wanted", "reached: median (least–most)", "met"), rows).render()  # noqa: RUF001


def render_page(machine: str, sections: Sequence[Section], limits: str) -> str:
    """All of bench/RESULTS.md."""
    goals = [goal for section in sections for goal in section.goals]
    head = "# The sidecar beside real proxies\n\nMade by `make bench`; the latest run.\n"
    parts = [head, machine]
    if goals:
        parts.append(render_goals(goals))
    parts += [section.render() for section in sections]
    parts.append(limits)
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)
