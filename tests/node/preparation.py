"""What a node needs before it starts, made where there is a network: outside of its namespaces.

Owns the list of it. Must not start a node.
"""

from tests.controlplane import find_binary
from tests.controlplane.binaries import NODE_RECIPES, RECIPES
from tests.node.host import prepare_host
from tests.node.images import build_application, build_clients, build_pause
from tests.node.product import PRODUCTS, build_dependencies


def prepare(*, applications: bool = True) -> None:
    """Packages, binaries and images; the tests' applications only if asked for."""
    prepare_host()
    for name in (*RECIPES, *NODE_RECIPES):
        find_binary(name)
    build_pause()
    if applications:
        build_application()
        build_clients()
    for product in PRODUCTS:
        build_dependencies(product)
