"""Owns `mca inject`: manifests in, the same with the sidecar in every pod out, without a cluster.

Must not decide about a pod: webhook/admission does, as for the webhook.
"""

import argparse
import os
import sys

from webhook.cli import EXIT_USAGE
from webhook.cli.arguments import Parser, complain, lacks_extra
from webhook.resources.names import SYSTEM_NAMESPACE

EXIT_REFUSED = 1
_IMAGE_VARIABLE = "MCA_SIDECAR_IMAGE"
_USAGE = "mca inject -f FILE [-f FILE ...] --image IMAGE@DIGEST [OPTION ...]"
_DESCRIPTION = """\
Puts the sidecar into Pods and into the pod templates of Deployments, StatefulSets, DaemonSets,
ReplicaSets, ReplicationControllers, PodTemplates, Jobs and CronJobs, and prints the manifests.
Other documents are printed as they are. What the webhook does to pods as they are created is done
here to a file; doing it again changes nothing."""
_EPILOG = """\
A file does not say whether its service account asks for no token (automountServiceAccountToken):
where the pod does not say so itself, its containers get the API.

exit codes: 0 printed, 1 a pod is refused and nothing is printed, 64 a bad argument or file.

examples:
  mca inject -f deployment.yaml --image registry.example.com/mca@sha256:... | kubectl apply -f -
  helm template ./chart | mca inject -f - --enforced >all.yaml"""


def main(arguments: list[str]) -> int:
    """Inject into the files; the exit code."""
    parser = Parser(prog="mca inject", usage=_USAGE, description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument(
        "-f", dest="files", metavar="FILE", action="append", required=True,
        help="a manifest; - is standard input; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--image",
        metavar="IMAGE@DIGEST",
        default=os.environ.get(_IMAGE_VARIABLE),
        help=f"the sidecar's image; else that of {_IMAGE_VARIABLE}",
    )
    parser.add_argument(
        "--enforced", action="store_true", help="refuse what an enforced namespace refuses"
    )
    parser.add_argument(
        "--audience",
        metavar="AUDIENCE",
        action="append",
        default=[],
        help="with --enforced: tokens for it may be in containers; may be given again",
    )
    parser.add_argument(
        "--policy", choices=["home", "controller"], default="home",
        help="what sidecars live by: home alone (%(default)s), or what the controller writes; a "
        "file gets no tokens for members, the webhook adds those",
    )  # fmt: skip
    parser.add_argument(
        "--system-namespace", metavar="NAME", default=SYSTEM_NAMESPACE,
        help="with --policy controller: where MCA is (%(default)s)",
    )  # fmt: skip
    given = parser.parse_args(arguments)
    if lacks_extra("inject", "yaml"):
        return EXIT_USAGE
    return _inject(parser, given)


def _inject(parser: Parser, given: argparse.Namespace) -> int:
    from webhook.admission.injection import inject
    from webhook.admission.outcome import Injected, Namespace, RawObject, Refusal
    from webhook.admission.settings import InjectionSettings, find_broker
    from webhook.cli.inject.documents import DocumentError
    from webhook.cli.inject.files import rewrite_files
    from webhook.serving.setting_values import parse_image

    if given.image is None:
        parser.refuse(f"--image is missing: name the sidecar's image, or set {_IMAGE_VARIABLE}")
    try:
        settings = InjectionSettings(
            image=parse_image(given.image),
            audiences=frozenset(given.audience),
            policy=given.policy,
            broker=find_broker(given.system_namespace),
        )
    except ValueError as error:
        parser.refuse(f"--image: {error}")
    # Whoever runs this decides for the namespace: a pod may opt out.
    namespace = Namespace(enabled=True, enforced=given.enforced, opt_out=not given.enforced)
    refused: list[str] = []

    def rewrite(name: str, pod: RawObject) -> RawObject:
        outcome = inject(pod, namespace, settings, offline=True)
        if isinstance(outcome, Injected):
            for warning in outcome.warnings:
                complain(f"{name}: {warning}")
            return pod if outcome.pod == pod else outcome.pod
        complain(f"{name}: {outcome.code}: {outcome.reason}")
        if isinstance(outcome, Refusal):
            refused.append(name)
        return pod

    try:
        text = rewrite_files(given.files, rewrite)
    except DocumentError as error:
        complain(str(error))
        return EXIT_USAGE
    if refused:
        complain(f"nothing is printed: refused are {', '.join(refused)}")
        return EXIT_REFUSED
    sys.stdout.write(text)
    return 0
