from sidecar.policy import scopes as module
from sidecar.policy.scopes import ABSENT, Scopes

APPS = {"deployments": True, "replicasets": True}


def test_nothing_is_known_at_first() -> None:
    assert Scopes().look("home", "apps", "v1", "deployments") is None


def test_what_was_learned_of_one_member_is_its_own() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", APPS)
    scopes.learn("east", "apps", "v1", {"deployments": False})
    assert scopes.look("home", "apps", "v1", "deployments") is True
    assert scopes.look("east", "apps", "v1", "deployments") is False
    assert scopes.look("home", "apps", "v2", "deployments") is None
    assert scopes.look("home", "apps", "v1", "daemonsets") is ABSENT
    assert scopes.look("west", "apps", "v1", "deployments") is None


def test_doubt_is_about_what_was_absent() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", APPS)
    scopes.doubt("home", "apps", "v1")
    scopes.doubt("home", "batch", "v1")
    assert scopes.look("home", "apps", "v1", "deployments") is True
    assert scopes.look("home", "apps", "v1", "daemonsets") is None
    assert scopes.look("home", "batch", "v1", "jobs") is None
    scopes.learn("home", "apps", "v1", {"daemonsets": True})
    assert scopes.look("home", "apps", "v1", "daemonsets") is True
    assert scopes.look("home", "apps", "v1", "deployments") is ABSENT


def test_a_member_that_is_forgotten() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", APPS)
    scopes.learn("east", "apps", "v1", APPS)
    scopes.forget("east")
    assert scopes.look("east", "apps", "v1", "deployments") is None
    assert scopes.look("home", "apps", "v1", "deployments") is True


def test_asking_for_groups_without_end_costs_bounded_memory() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", APPS)
    for number in range(3 * module._MAX_GROUP_VERSIONS):
        scopes.learn("home", f"g{number}", "v1", {})
        assert len(scopes._told) <= module._MAX_GROUP_VERSIONS
    assert scopes.look("home", "apps", "v1", "deployments") is True


def test_so_do_groups_that_are_there() -> None:
    scopes = Scopes()
    for number in range(module._MAX_GROUP_VERSIONS + 2):
        scopes.learn("home", f"g{number}", "v1", APPS)
    assert len(scopes._told) == module._MAX_GROUP_VERSIONS
    assert scopes.look("home", "g1", "v1", "deployments") is None
    assert scopes.look("home", "g2", "v1", "deployments") is True


def test_kinds_whatever_their_version() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", {"deployments": True})
    scopes.learn("home", "apps", "v2", {"fleets": False})
    scopes.learn("east", "apps", "v1", {"cars": True})
    assert scopes.kinds_of("home") == {("apps", "deployments"): True, ("apps", "fleets"): False}


def test_a_member_that_names_kinds_without_end_costs_bounded_memory() -> None:
    scopes = Scopes()
    scopes.learn("home", "apps", "v1", APPS)
    many = {f"k{number}": True for number in range(3 * module._MAX_KINDS)}
    for number in range(5):
        scopes.learn("east", f"s{number}", "v1", APPS)
    for number in range(30):
        scopes.learn("east", f"g{number}", "v1", many)
        kept = sum(len(told.kinds) for told in scopes._told.values())
        assert kept <= module._MAX_KINDS_OF_MEMBER + len(APPS)
    assert scopes.look("east", "g29", "v1", "k0") is True
    assert scopes.look("east", "g29", "v1", f"k{module._MAX_KINDS}") is ABSENT
    assert scopes.look("east", "g0", "v1", "k0") is None
    assert scopes.look("home", "apps", "v1", "deployments") is True
    scopes.learn("east", "long", "v1", {"k" * 254: True, "cars": False})
    assert scopes.look("east", "long", "v1", "k" * 254) is ABSENT
    assert scopes.look("east", "long", "v1", "cars") is False


def test_what_is_learned_anew_takes_no_more_room() -> None:
    scopes = Scopes()
    many = {f"k{number}": True for number in range(module._MAX_KINDS)}
    scopes.learn("east", "apps", "v1", APPS)
    for _ in range(30):
        scopes.learn("east", "many", "v1", many)
    scopes.forget("east")
    scopes.learn("east", "many", "v1", many)
    scopes.learn("east", "apps", "v1", APPS)
    assert scopes._sizes == {"east": module._MAX_KINDS + len(APPS)}
