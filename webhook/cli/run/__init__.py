"""Owns `mca run`: one command at a terminal, with a Kubernetes API of its own.

Must not do what its parts do: here they are put together, and taken apart whatever happens.
"""

from webhook.cli.arguments import Parser, lacks_extra

_USAGE = "mca run [--context NAME] [--kubeconfig PATH] [--audit FILE] [--] COMMAND [ARGUMENT ...]"
_DESCRIPTION = """\
Runs COMMAND with a Kubernetes API of its own: a sidecar on a loopback port that holds the
credentials of your kubeconfig, decides what may be done, and sends each call to your cluster.
COMMAND itself gets none of them, but an environment as in a pod (KUBERNETES_SERVICE_HOST, _PORT)
and a KUBECONFIG with a token that opens nothing but this sidecar, as long as it runs."""
_EPILOG = """\
The kubeconfig is found as kubectl finds it: --kubeconfig, else the files of KUBECONFIG, else
~/.kube/config. Tokens, client certificates and exec plugins are supported; a plugin is run again
before what it issued expires, and when the cluster refuses it. Refused, each with the field's name:
insecure-skip-tls-verify, proxy-url, auth-provider, username and password, impersonation, http.

Programs that know nothing but /var/run/secrets/kubernetes.io/serviceaccount, and do not look at
KUBECONFIG, need to be pointed to that kubeconfig.

This spares COMMAND the credentials; it is no sandbox. COMMAND runs as you and could read the
files that you can read.

exit codes: that of COMMAND, 128+n if signal n ended it, 127 if it was not found, 126 if it cannot
be run, 64 for a bad argument or kubeconfig, 69 if no port was free.

examples:
  mca run -- kubectl get pods
  mca run --context staging -- helm list
  mca run --audit calls.jsonl -- python report.py
  mca run bash"""


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    parser = Parser(prog="mca run", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--context", metavar="NAME", help="instead of the current context")
    parser.add_argument("--kubeconfig", metavar="PATH", help="instead of KUBECONFIG")
    parser.add_argument(
        "--audit", metavar="FILE", help="append one JSON line for each call to this file"
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="tell which contexts the sidecar knows, and how",
    )
    # Everything from the first word that is no option of ours.
    parser.add_argument("command", metavar="COMMAND", nargs="...", help="what to run")
    given = parser.parse_args(arguments)
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    if not command:
        parser.refuse("no COMMAND is given, as in: mca run -- kubectl get pods")
    if lacks_extra("run", "yaml"):
        return 64
    from webhook.cli.run.session import Options, run

    return run(Options(command, given.context, given.kubeconfig, given.audit, given.verbose))
