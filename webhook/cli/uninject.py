"""Owns `mca uninject`: manifests in, the same without the sidecar out, without a cluster.

Must not know what a sidecar is made of: webhook/admission/removal.py does.
"""

import sys

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra

_USAGE = "mca uninject -f FILE [-f FILE ...]"
_DESCRIPTION = """\
Takes out of Pods and pod templates what `mca inject` or the webhook has put in, and prints the
manifests. Other documents are printed as they are.

What injection replaced does not come back: another value of KUBERNETES_SERVICE_HOST and _PORT, a
volume that was mounted where the service account's token is."""
_EPILOG = """\
exit codes: 0 printed, 64 a bad argument or file.

examples:
  mca uninject -f injected.yaml >plain.yaml
  kubectl get deployment web -o yaml | mca uninject -f - | kubectl apply -f -"""


def main(arguments: list[str]) -> int:
    """Take the sidecar out of the files; the exit code."""
    parser = Parser(prog="mca uninject", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "-f", dest="files", metavar="FILE", action="append", required=True,
        help="a manifest; - is standard input; may be given again",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if lacks_extra("uninject", "yaml"):
        return EXIT_USAGE
    from webhook.admission.outcome import RawObject
    from webhook.admission.pod_shape import find_problem
    from webhook.admission.removal import remove_sidecar
    from webhook.cli.inject.documents import DocumentError
    from webhook.cli.inject.files import rewrite_files

    def rewrite(name: str, pod: RawObject) -> RawObject:
        if problem := find_problem(pod):
            raise ValueError(f"{name}: {problem}")
        return remove_sidecar(pod)

    try:
        text = rewrite_files(given.files, rewrite)
    except DocumentError as error:
        complain(str(error))
        return EXIT_USAGE
    sys.stdout.write(text)
    return 0
