import io

import pytest

from webhook.cli.demo.story import Story, wants_colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("out", "env", "colour"),
    [
        (Terminal(), {}, True),
        (Terminal(), {"NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_those_who_want_them(
    out: io.StringIO, env: dict[str, str], colour: bool
) -> None:
    assert wants_colour(out, env) is colour


def tell(story: Story) -> None:
    story.title("One")
    story.say("It begins.")
    story.command("app", "ls")
    story.output("a\nb\x1b[2J")
    story.check(True, "it is so")
    story.title("Two")
    story.check(False, "it is not")


def test_a_story_in_plain_text() -> None:
    out = io.StringIO()
    story = Story(out)
    tell(story)
    assert out.getvalue() == (
        "\n1. One\n   It begins.\n        app $ ls\n            a\n            b?[2J\n"
        "   ok: it is so\n\n2. Two\n   FAILED: it is not\n"
    )
    assert story.failures == ["it is not"]


def test_a_story_in_colours_is_the_same_story() -> None:
    plain, coloured = io.StringIO(), io.StringIO()
    tell(Story(plain, colour=False))
    tell(Story(coloured, colour=True))
    text = coloured.getvalue()
    for code in ("1", "2", "31", "32", "36", "0"):
        assert f"\x1b[{code}m" in text
        text = text.replace(f"\x1b[{code}m", "")
    assert text == plain.getvalue()
