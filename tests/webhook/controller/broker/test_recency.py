"""A snapshot that was just replaced counts for a moment."""

from webhook.controller.broker.recency import Recency


def test_what_was_replaced_counts_for_a_moment() -> None:
    now, revision = [100.0], ["one"]
    recency = Recency(lambda _: revision[0], lambda: now[0], 30)
    assert set(recency.find("a")) == {"one"}
    now[0], revision[0] = 200, "two"
    assert set(recency.find("a")) == {"two"}  # nobody had asked for long
    now[0], revision[0] = 210, "three"
    assert set(recency.find("a")) == {"two", "three"}
    now[0] = 229
    assert set(recency.find("a")) == {"two", "three"}
    now[0] = 231
    assert set(recency.find("a")) == {"three"}
    recency.keep_only(["b"])
    assert recency._seen == {}
    revision[0] = ""
    assert recency.find("a") == ()
    revision[0] = "four"
    assert set(recency.find("a")) == {"four"}
