"""Owns what is left to do after a registration, as commands. Must not talk to a cluster."""

import shlex
from collections.abc import Iterator

from webhook.cli.cluster.identity import ACCESS_NAMESPACE


def describe_next(name: str, context: str, tenant: str, account: str) -> Iterator[str]:
    """With a tenant its pods have one account there, else each its own."""
    where = f"--context {shlex.quote(context)}"
    yield "Next:"
    if not tenant:
        yield f"  add {name} to spec.clusters of a Tenant"
        yield f"  mca cluster allow {name} {where} --tenant TENANT -n NAMESPACE --role edit"
        return
    yield f"  add {name} to spec.clusters of the Tenant {tenant}"
    yield f"  whatever its pods may do on {name} is for {account} to be given, in each namespace:"
    yield (
        f"  kubectl create rolebinding {tenant} {where} -n NAMESPACE --clusterrole edit "
        f"--serviceaccount {ACCESS_NAMESPACE}:{account}"
    )
