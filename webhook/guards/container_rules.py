"""Owns what no container of an application may do, whichever of a pod's lists it stands in.

Each function takes CEL for the list of containers. Must not know when they are judged.
"""

from webhook.admission.boundary import BASELINE_CAPABILITIES
from webhook.admission.names import CLIENTS_VOLUME, SERVICE_ACCOUNT_PATH
from webhook.guards.policy import Validation
from webhook.guards.settings import GuardSettings, write_string, write_strings

_ALLOWED_CAPABILITIES = write_strings(sorted(BASELINE_CAPABILITIES))


def is_ours(name: str) -> str:
    """CEL: whether a container or volume is called as MCA calls its own."""
    return f"({name} == 'mca' || {name}.startsWith('mca-'))"


def opens_token(volume: str, settings: GuardSettings) -> str:
    """CEL: whether a volume holds a credential of the API server, whatever the volume is called.

    A leftover kube-api-access-* does; so does a certificate of a signer that the server trusts.
    """
    return (
        f"{volume}.?projected.?sources.orValue([]).exists(source, "
        "(has(source.serviceAccountToken) && "
        "!(source.serviceAccountToken.?audience.orValue('') in "
        f"{write_strings(settings.audiences)})) || "
        "source.?podCertificate.?signerName.orValue('').startsWith('kubernetes.io/'))"
    )


def holds_our_secret(volume: str) -> str:
    """CEL: whether a volume shows a Secret of MCA's."""
    return (
        f"({volume}.?secret.?secretName.orValue('').startsWith('mca-') || "
        f"{volume}.?projected.?sources.orValue([]).exists(source, "
        "source.?secret.?name.orValue('').startsWith('mca-')))"
    )


def forbid_our_names(containers: str) -> Validation:
    """Who is called as we are would be taken for us by whoever reads the name."""
    return Validation(
        f"!{containers}.exists(c, {is_ours('c.name')})",
        "containers called mca or mca-... are MCA's own: choose another name",
    )


def forbid_environment(containers: str) -> Validation:
    """Our Secrets by `env` and `envFrom`, our volumes by `fileKeyRef`."""
    return Validation(
        f"""
        !{containers}.exists(c,
          c.?envFrom.orValue([]).exists(e, e.?secretRef.?name.orValue('').startsWith('mca-')) ||
          c.?env.orValue([]).exists(e,
            e.?valueFrom.?secretKeyRef.?name.orValue('').startsWith('mca-') ||
            {is_ours("e.?valueFrom.?fileKeyRef.?volumeName.orValue('')")}))
        """,
        "env and envFrom may not read Secrets or volumes called mca-..., they are MCA's own: "
        "take the values from objects of your own",
    )


def forbid_uid(containers: str, settings: GuardSettings) -> Validation:
    """Files and processes of the sidecar are guarded by its user id."""
    return Validation(
        f"!{containers}.exists(c, c.?securityContext.?runAsUser.orValue(0) == {settings.uid})",
        f"user id {settings.uid} is the sidecar's: run as another user (securityContext.runAsUser)",
    )


def forbid_privileges(containers: str) -> Validation:
    """What reaches the node, and by it every container on it."""
    wrong = f"""
        c.?securityContext.?privileged.orValue(false) ||
        c.?securityContext.?procMount.orValue('Default') != 'Default' ||
        c.?securityContext.?capabilities.?add.orValue([]).exists(capability,
          !(capability in {_ALLOWED_CAPABILITIES}))
        """
    return Validation(
        f"!{containers}.exists(c, {wrong})",
        "privileged containers, an unmasked /proc and capabilities beyond Pod Security baseline "
        "reach the sidecar's credentials and are not allowed here: leave them out of "
        "securityContext",
        found=_names(containers, wrong),
    )


def forbid_mounts(containers: str, closed: str) -> Validation:
    """Volumes whose names the CEL list `closed` has, mounted or as devices."""
    mounts = (
        f"(c.?volumeMounts.orValue([]).exists(m, m.name in {closed}) || "
        f"c.?volumeDevices.orValue([]).exists(d, d.name in {closed}))"
    )
    return Validation(
        f"!{containers}.exists(c, {mounts})",
        "this container may not mount volumes that hold a token of the API server, belong to MCA "
        "(mca-...) or show the node: leave the mount out",
        found=f"{closed}.join(', ')",
    )


def allow_own_client_folder(containers: str) -> Validation:
    """Of our volumes each container sees its own folder of `mca-clients`, and cannot change it."""
    clients = write_string(CLIENTS_VOLUME)
    path = write_string(SERVICE_ACCOUNT_PATH)
    wrong = f"""
        c.?volumeMounts.orValue([]).exists(m, {is_ours("m.name")} &&
            !(m.name == {clients} && m.mountPath == {path} &&
              m.?readOnly.orValue(false) && m.?subPath.orValue('') == c.name)) ||
          c.?volumeDevices.orValue([]).exists(d, {is_ours("d.name")})
        """
    return Validation(
        f"!{containers}.exists(c, {wrong})",
        "volumes called mca-... are MCA's own, and a container may mount none but its own folder "
        "of mca-clients as injection does it: leave the mount out",
        found=_names(containers, wrong),
    )


def forbid_expanded_paths(containers: str) -> Validation:
    """What a mount shows must be known before the container runs."""
    return Validation(
        f"""
        !{containers}.exists(c, c.?volumeMounts.orValue([]).exists(m,
          m.?subPathExpr.orValue('') != ''))
        """,
        "subPathExpr is not allowed here, what it mounts is decided only on the node: use subPath",
    )


def _names(containers: str, wrong: str) -> str:
    return f"{containers}.filter(c, {wrong}).map(c, c.name).join(', ')"
