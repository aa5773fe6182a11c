"""What the part "policies" remembers is of one term of leading."""

from pathlib import Path

from tests.webhook.controller.policies.lands import Land
from webhook.controller.compiling.verdicts import TAKEN
from webhook.controller.policies.part import Policies, build_parts

SAID = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": ""}


def test_a_new_term_begins_with_nothing(tmp_path: Path) -> None:
    land = Land(tmp_path)
    [part] = build_parts(land.world)
    work = getattr(part.reconcile, "__self__", None)
    assert isinstance(work, Policies)
    land.__dict__["shelf"] = work.shelf
    land.route("n", "r", conditions=[SAID])
    work.status.tell("n", {"r": TAKEN})
    work.restorations.count("n")
    part.begin_term()
    assert work.restorations.count("n") == 1
    news: list[bool] = []
    work.shelf.store.listen(lambda change: news.append(work.status.concerns(change)))
    land.route("n", "r", version=2, conditions=[SAID])
    assert news == [True]
