"""A table of settings: read with all its errors at once, and shown."""

from webhook.serving.setting_table import Reader, Setting, describe_settings

TABLE = (
    Setting("MCA_A", "1", "the first"),
    Setting("MCA_LONGER", "", "the second"),
)


def test_what_is_not_set_has_its_default() -> None:
    read = Reader(TABLE, {"MCA_LONGER": "x"})
    assert read("MCA_A", int, 0) == 1
    assert read("MCA_LONGER", str.upper, "") == "X"
    assert read.errors == []


def test_every_error_is_kept_with_its_variable_and_something_stands_instead() -> None:
    read = Reader(TABLE, {"MCA_A": "one"})
    assert read("MCA_A", int, 7) == 7
    assert read("MCA_LONGER", int, 8) == 8, "a default may be wrong: it must be set"
    assert [error.split(":")[0] for error in read.errors] == ["MCA_A", "MCA_LONGER"]
    assert "'one'" in read.errors[0]


def test_each_has_a_line_and_all_meanings_begin_in_one_column() -> None:
    assert list(describe_settings(TABLE)) == [
        "  MCA_A      the first [1]",
        "  MCA_LONGER the second",
    ]


def test_no_line_is_wider_than_a_terminal_and_no_word_is_parted() -> None:
    path = "/a-very/long-path" * 8
    first, *rest = describe_settings([Setting("MCA_A", path, "what is told in many words " * 4)])
    assert len(first) <= 100
    assert rest[-1] == f"        [{path}]"
    assert all(line.startswith("        ") for line in rest)
