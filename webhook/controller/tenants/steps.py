"""Owns the vocabulary of a plan: writes, problems, and the conditions that follow from them. Pure.

Must not choose what is written.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from webhook.controller.tenants.kinds import Place, Step
from webhook.resources.conditions import Condition
from webhook.resources.meta import RawDocument

MEMBERS: Final = "Members"
READY: Final = "Ready"
# Reasons of conditions, by which what was found is looked for again.
OTHERS_TOO: Final = "OthersToo"
OTHERS_LET_THROUGH: Final = "OthersLetThrough"
_SHOWN: Final = 5


class Create(NamedTuple):
    """POST it: refused if something of that name is there."""

    place: Place
    body: RawDocument


class Apply(NamedTuple):
    """State its fields. `vacant`: nothing of ours was seen there, so look first whose it is.

    `force` takes over fields that somebody else has set otherwise. `narrows`: nobody gets what they
    did not have.
    """

    place: Place
    body: RawDocument
    content: str
    force: bool = True
    vacant: bool = False
    narrows: bool = False


class Remove(NamedTuple):
    """Delete this very object, not a later one of its name."""

    place: Place
    uid: str


Write = Create | Apply | Remove


class Problem(NamedTuple):
    """Why a step is not done in a namespace. `passing`: trying again soon may help."""

    step: Step
    namespace: str
    reason: str
    message: str
    passing: bool = False


class Note(NamedTuple):
    """What is worth saying of a step that stands."""

    message: str
    reason: str = "Provisioned"


class Plan(NamedTuple):
    """What is to be written, in this order, and what cannot be.

    `unfinished`: there is more to come, once these writes are seen. `wished`: what is to stand.
    """

    writes: tuple[Write, ...] = ()
    problems: tuple[Problem, ...] = ()
    held: tuple[str, ...] = ()
    unfinished: bool = False
    wished: frozenset[Place] = frozenset()


def judge_steps(
    asked: Collection[Step],
    problems: Sequence[Problem],
    generation: int,
    notes: Mapping[Step, Note],
) -> list[Condition]:
    """A condition for each step."""
    found = []
    for step in Step:
        failed = [problem for problem in problems if problem.step is step]
        if failed:
            found.append(Condition(step, False, failed[0].reason, _join(failed), generation))
        elif step in notes:
            note = notes[step]
            found.append(Condition(step, True, note.reason, note.message, generation))
        elif step in asked:
            found.append(Condition(step, True, "Provisioned", "", generation))
        else:
            found.append(Condition(step, True, "NothingAsked", "", generation))
    return found


def judge_members(names: Sequence[str], problems: Sequence[Problem], generation: int) -> Condition:
    """What is so on the members where the tenant is provisioned."""
    if problems:
        return Condition(MEMBERS, False, problems[0].reason, _join(problems), generation)
    if not names:
        return Condition(MEMBERS, True, "NothingAsked", "", generation)
    return Condition(MEMBERS, True, "Provisioned", f"on {', '.join(names)}", generation)


def judge_ready(conditions: Iterable[Condition], generation: int) -> Condition:
    """All together."""
    lacking = [condition.type for condition in conditions if condition.status is not True]
    if not lacking:
        return Condition(READY, True, "Provisioned", "", generation)
    message = f"not as stated: {', '.join(lacking)}; their conditions say why"
    return Condition(READY, False, lacking[0], message, generation)


def note_people(people: Sequence[str]) -> Note:
    """Who has access beside those whom the Tenant names."""
    told = shorten(people)
    message = f"others have access too, by RoleBindings that are not this Tenant's: {told}"
    return Note(message, OTHERS_TOO)


def _join(problems: Sequence[Problem]) -> str:
    return shorten(list(dict.fromkeys(problem.message for problem in problems)))


def shorten(told: Sequence[str]) -> str:
    """The first of many, and how many more there are."""
    more = len(told) - _SHOWN
    return "; ".join([*told[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
