"""Owns the guards on pods that run already: exec, attach, changes, ephemeral containers.

Attacks 58 and 59. Must not judge new pods; `final_pods` does.
"""

from webhook.guards.container_rules import (
    forbid_environment,
    forbid_mounts,
    forbid_our_names,
    forbid_privileges,
    forbid_uid,
    holds_our_secret,
    is_ours,
    opens_token,
)
from webhook.guards.policy import Guard, Rule, Validation, is_admin
from webhook.guards.settings import GuardSettings


def guard_exec(settings: GuardSettings) -> Guard:
    """`kubectl cp` is an exec. Who names no container gets none of `initContainers`."""
    return Guard(
        name="mca-exec",
        rules=(Rule(("CONNECT",), ("pods/exec", "pods/attach")),),
        conditions={"no-admin": f"!({is_admin(settings)})"},
        validations=(
            Validation(
                f"!has(object.container) || !{is_ours('object.container')}",
                "exec and attach into the sidecar are for admins: name another container with -c; "
                "`kubectl logs -c mca` shows what the sidecar says",
            ),
        ),
    )


def guard_pod_updates(settings: GuardSettings) -> Guard:
    """Old is compared with new: pods of an earlier release keep what they have."""
    ours = f"?initContainers.orValue([]).filter(c, {is_ours('c.name')})"
    return Guard(
        name="mca-pod-updates",
        rules=(Rule(("UPDATE",), ("pods", "pods/resize")),),
        conditions={"no-admin": f"!({is_admin(settings)})"},
        validations=(
            Validation(
                f"object.spec.{ours} == oldObject.spec.{ours}",
                "the sidecar of a running pod is not changed, neither its image nor its "
                "resources: annotations mca.io/... of the pod's template tune it, and new pods "
                "get the image that MCA's webhook puts in",
            ),
        ),
    )


def guard_ephemeral_containers(settings: GuardSettings) -> Guard:
    """`kubectl debug`. Volumes are judged by what they hold: pods may be older than the guards."""
    containers = "variables.containers"
    return Guard(
        name="mca-ephemeral-containers",
        rules=(Rule(("UPDATE",), ("pods/ephemeralcontainers",)),),
        variables={
            "containers": "object.spec.?ephemeralContainers.orValue([])",
            "closed": f"""
                object.spec.?volumes.orValue([]).filter(v,
                  {is_ours("v.name")} || has(v.hostPath) || has(v.csi) ||
                  {opens_token("v", settings)} || {holds_our_secret("v")}).map(v, v.name)
                """,
        },
        validations=(
            forbid_our_names(containers),
            Validation(
                f"""
                !{containers}.exists(c, {is_ours("c.?targetContainerName.orValue('')")})
                """,
                "an ephemeral container that targets the sidecar sees its processes and files: "
                "name another container with --target",
            ),
            Validation(
                f"{containers}.size() == 0 || "
                "!(object.spec.?shareProcessNamespace.orValue(false) || "
                "object.spec.?hostPID.orValue(false))",
                "this pod shares its processes, so an ephemeral container would see the sidecar's: "
                "make the pod without shareProcessNamespace and hostPID",
            ),
            forbid_mounts(containers, "variables.closed"),
            forbid_environment(containers),
            forbid_privileges(containers),
            forbid_uid(containers, settings),
        ),
    )
