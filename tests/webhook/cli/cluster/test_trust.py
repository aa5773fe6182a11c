"""What an admin of a member is told to write: home's issuer, and rules for who is let in."""

from tests.controlplane import ControlPlane
from webhook.cli.cluster.trust import describe_trust
from webhook.kube import open_server


def test_mca_is_let_in_from_wherever_it_is(control_plane: ControlPlane) -> None:
    kube = open_server(control_plane.url, control_plane.ca_pem, token=control_plane.tokens["admin"])
    told = "\n".join(describe_trust(kube, kube, "https://eu-1.example.com", "home:", "mca-prod"))
    kube.close()
    assert "apiserver.config.k8s.io/v1\n" in told
    assert "      - https://eu-1.example.com\n" in told
    assert "  home:system:serviceaccount:NAMESPACE:NAME\n" in told
    rule = 'claims.sub.startsWith("system:serviceaccount:" + n + ":")'
    assert told.endswith(f"""'["mca-prod", "NAMESPACE"].exists(n, {rule})'""")
