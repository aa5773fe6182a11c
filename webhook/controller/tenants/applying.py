"""Owns the writes of a plan: each done or told why not, others' objects left alone.

Must not choose what is written. Ended at any point, all that was written is marked as ours, so that
the next plan goes on from there.
"""

import time
from collections.abc import Callable, Collection, Iterable
from http import HTTPStatus
from typing import Final, NamedTuple

from webhook.controller.tenants.contents import render_content
from webhook.controller.tenants.ending import Leave
from webhook.controller.tenants.kinds import ACCOUNT, BINDING, MANAGER, Place, Step
from webhook.controller.tenants.namespaces import describe_namespace
from webhook.controller.tenants.planning import not_ours
from webhook.controller.tenants.refusals import explain_failure
from webhook.controller.tenants.steps import Apply, Create, Plan, Problem, Remove, Write
from webhook.kube import NOT_LEADING, Kube, KubeError, RawDocument
from webhook.resources.meta import read_meta
from webhook.resources.names import CREATED_BY, LABEL_TENANT, NAMESPACES_PATH

# Others' service accounts are not watched: whether they are still there is looked at again then.
_BORROWED_S: Final = 600.0
# Access first, then all else; the last only looks.
_ROUNDS: Final = 3


class Memory(NamedTuple):
    """As `View` has it."""

    settled: dict[Place, tuple[str, str]]
    borrowed: frozenset[Place]


class Applier:
    """Writes at one cluster. What the server made of it is remembered, to tell it from drift."""

    def __init__(self, kube: Kube, clock: Callable[[], float] = time.monotonic) -> None:
        self._kube = kube
        self._clock = clock
        self._settled: dict[Place, tuple[str, str]] = {}
        self._borrowed: dict[Place, float] = {}

    def recall(self, names: Collection[str]) -> Memory:
        """What planning should know of these namespaces."""
        since = self._clock() - _BORROWED_S
        settled = [item for item in list(self._settled.items()) if item[0].namespace in names]
        borrowed = [
            place
            for place, then in list(self._borrowed.items())
            if place.namespace in names and then > since
        ]
        return Memory(dict(settled), frozenset(borrowed))

    def forget(self, namespaces: Collection[str]) -> None:
        """Of these nothing is known any more, because they are gone."""
        for known in (self._settled, self._borrowed):
            for place in [place for place in list(known) if place.namespace in namespaces]:
                known.pop(place, None)

    def run(self, plan: Plan) -> list[Problem]:
        """Do it all, in order; what is wrong, with what planning found."""
        problems = list(plan.problems)
        for write in plan.writes:
            problem = _hold_back(write, problems) or self.attempt(write)
            if problem is not None:
                problems.append(problem)
        return problems

    def attempt(self, write: Write) -> Problem | None:
        """One write; KubeError only when another replica leads."""
        try:
            match write:
                case Create():
                    self._create(write)
                case Apply():
                    return self._apply(write)
                case Remove():
                    self._remove(write)
        except KubeError as error:
            if error.reason == NOT_LEADING:
                raise
            return explain_failure(write.place, error, abroad=self._kube.is_foreign)
        return None

    def take_back(self, plan: Callable[[], Leave]) -> tuple[tuple[str, ...], list[Problem]]:
        """Delete what `plan` finds, looking again after each round; what stays, what is wrong."""
        leave = plan()
        for _ in range(_ROUNDS):
            found = [self.attempt(write) for write in leave.writes]
            problems = [problem for problem in found if problem is not None]
            if problems or not leave.writes:
                return leave.waits, problems
            leave = plan()
        return leave.waits, []

    def _create(self, write: Create) -> None:
        kind, namespace = write.place.kind, write.place.namespace
        path = NAMESPACES_PATH if kind is None else kind.path(namespace)
        try:
            self._kube.request("POST", path, write.body, query={"fieldManager": MANAGER})
        except KubeError as error:
            if error.reason != "AlreadyExists" or kind != ACCOUNT:
                raise
            self._meet(write)

    def _meet(self, write: Create) -> None:
        """A service account was there: somebody else's will do, ours has lost its label."""
        there = read_meta(self._kube.request("GET", write.place.path).document)
        if there.annotations.get(CREATED_BY) == write.body["metadata"]["annotations"][CREATED_BY]:
            self._kube.apply(write.place.path, write.body, MANAGER)
        else:
            self._borrowed[write.place] = self._clock()

    def _apply(self, write: Apply) -> Problem | None:
        if write.vacant and self._is_taken(write):
            return not_ours(write.place)
        answer = self._kube.apply(write.place.path, write.body, MANAGER, force=write.force)
        found = _describe(write, answer.document)
        if found == write.content:
            self._settled.pop(write.place, None)
        else:
            self._settled[write.place] = (write.content, found)
        return None

    def _is_taken(self, write: Apply) -> bool:
        """By something that no Tenant has made; what only has our mark makes room.

        Ours have the label, too: they were not seen as yet. Of a forged one its other fields stay.
        """
        try:
            there = read_meta(self._kube.request("GET", write.place.path).document)
        except KubeError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        if not there.annotations.get(CREATED_BY):
            return True
        stated = read_meta(write.body)
        if any(
            known.get(key) != wished.get(key)
            for key, known, wished in (
                (CREATED_BY, there.annotations, stated.annotations),
                (LABEL_TENANT, there.labels, stated.labels),
            )
        ):
            self._remove(Remove(write.place, there.uid))
        return False

    def _remove(self, write: Remove) -> None:
        self._settled.pop(write.place, None)
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": write.uid},
            "propagationPolicy": "Background",
        }
        try:
            self._kube.request("DELETE", write.place.path, options)
        except KubeError as error:
            # It is gone, or what stands there now is another.
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                raise


def _describe(write: Apply, answer: RawDocument) -> str:
    if write.place.kind is None:
        return describe_namespace(read_meta(answer), write.content)
    return render_content(answer)


def _hold_back(write: Write, problems: list[Problem]) -> Problem | None:
    """Nobody gets access where what bounds it does not stand."""
    place = write.place
    if place.kind != BINDING or isinstance(write, Remove):
        return None
    if isinstance(write, Apply) and write.narrows:
        return None
    lacking = {
        problem.step
        for problem in problems
        if problem.namespace == place.namespace and problem.step is not Step.ACCESS
    }
    if not lacking:
        return None
    told = ", ".join(sorted(lacking))
    return Problem(Step.ACCESS, place.namespace, "Waiting", f"{place.shown} waits for {told}")


def ask_again(problems: Iterable[Problem]) -> None:
    """KubeError where another attempt may help: soon, and later each time."""
    for problem in problems:
        if problem.passing:
            raise KubeError(0, problem.reason, problem.message)
