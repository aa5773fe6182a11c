"""Owns what `mca` says about itself: its help, its version, and what is no command of it.

Must not run a command, nor import one.
"""

from webhook.cli.arguments import Parser

_DESCRIPTION = "Gives every program its own Kubernetes API, which holds the credentials for it."
_COMMANDS = """\
commands:
  sidecar     serve the API for the containers of a pod, as `python -m sidecar` does
  run         run one command at this terminal with an API of its own
  explain     tell what the sidecar would do with a call, and why
  policy      check a policy, or replay recorded calls against it
  install     install MCA into a cluster, or upgrade it
  check       tell what is wrong with an installation and its namespaces
  status      tell how clusters, tenants, routes and sidecars are
  cluster     register clusters, allow tenants' accounts there, list, remove
  tenant      list tenants, or show one with its namespaces and routes
  route       test which cluster would serve a call
  uninstall   delete what install made
  inject      put the sidecar into the pods of manifests
  uninject    take it out again
  webhook     serve the admission webhook that gives pods their sidecar
  controller  make Clusters, Routes and Tenants so, and hand out credentials
  demo        see the main job done on two real clusters

`mca COMMAND --help` tells more.

examples:
  mca run -- kubectl get pods
  mca run --context staging -- python report.py
  mca explain --pod team-a/web-0 create pods/web-0 --subresource exec
  mca policy check policy.json
  mca install --sidecar-image IMAGE@DIGEST --control-image IMAGE@DIGEST
  mca check -n team-a
  mca inject -f deployment.yaml --image IMAGE@DIGEST | kubectl apply -f -
  mca demo
"""


def main(arguments: list[str]) -> int:
    """Answer `mca --help`, `mca --version`, `mca`; refuse what is no command."""
    parser = Parser(
        prog="mca", description=_DESCRIPTION, epilog=_COMMANDS, usage="mca COMMAND [ARGUMENT ...]"
    )
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("command", nargs="?", help="one of those below")
    given, unknown = parser.parse_known_args(arguments)
    if given.command is not None:
        parser.refuse(f"{given.command!r} is no command; `mca --help` lists them")
    if unknown:
        parser.refuse(f"{unknown[0]!r} is no option of `mca`; `mca --help` lists them")
    if given.version:
        print(f"mca {_find_version()}")
    else:
        parser.print_help()
    return 0


def _find_version() -> str:
    from importlib.metadata import version

    return version("multi-cluster-adapter")
