"""What uninstalling waits for is told shortly; the rest of it is tried in install/."""

from webhook.cli.uninstall import name_some


def test_what_is_waited_for_is_named_shortly() -> None:
    assert name_some(["a"]) == "a"
    assert name_some(list("abcde")) == "a, b, c, d, e"
    assert name_some(list("abcdefg")) == "a, b, c, d, e, and 2 more"
