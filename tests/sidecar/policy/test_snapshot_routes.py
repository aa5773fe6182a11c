from sidecar.policy.snapshot_routes import Match, Route, RouteMember


def test_what_a_route_need_not_say() -> None:
    route = Route("builds", 1, (Match(("",), ("pods",)),), (RouteMember("east"),))
    assert route.match[0].verbs == ("*",)
    assert route.stand_ins == ()
    assert route.members[0].weight == 1
