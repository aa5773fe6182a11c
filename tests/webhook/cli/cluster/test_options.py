"""Names that the commands take: what can be called so, and stand in a path as it is."""

import argparse

import pytest

from webhook.cli.cluster.options import (
    add_home_options,
    parse_account,
    parse_cluster_name,
    parse_label,
    parse_role,
)


def test_a_context_is_homes_where_no_member_is_asked_for() -> None:
    for option in ("--context", "--home-context"):
        parser = argparse.ArgumentParser()
        add_home_options(parser)
        assert parser.parse_args([option, "a"]).home_context == "a"
    parser = argparse.ArgumentParser()
    add_home_options(parser, member=True).add_argument("--context")
    given = parser.parse_args(["--context", "eu", "--home-context", "a"])
    assert (given.context, given.home_context) == ("eu", "a")


def test_names() -> None:
    assert parse_cluster_name("eu-1") == "eu-1"
    assert parse_account("build.bot") == "build.bot"
    assert parse_role("system:aggregate-to-view") == "system:aggregate-to-view"
    assert parse_label("example.com/region=eu") == ("example.com/region", "eu")
    assert parse_label("region=") == ("region", "")


@pytest.mark.parametrize("text", ["home", "mca-x", "Eu", "a.b", "a/b", "", "-x"])
def test_no_names_of_clusters(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        parse_cluster_name(text)


@pytest.mark.parametrize("text", ["a/b", "..", "", "A b", "a?b"])
def test_no_other_names(text: str) -> None:
    for parse in (parse_account, parse_role, parse_label):
        with pytest.raises(argparse.ArgumentTypeError):
            parse(text)
