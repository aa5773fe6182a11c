"""Owns the last look at a new pod, after every webhook: attacks 56, 57, 60 and 62.

Injection strips and rebuilds what is ours; this guard only sees whether that came out whole. Must
not look at updates: a new release of the image would hold every older pod back.
"""

from webhook.admission.boundary import HIGHEST_PRIORITY
from webhook.admission.names import (
    BROKER_VARIABLE,
    BROKER_VOLUME,
    CLIENTS_VOLUME,
    IDENTITY_VOLUME,
    MEMBERS_VOLUME,
    POLICY_VARIABLES,
    POLICY_VOLUME,
    ROOT_CA,
    SIDECAR_MOUNTS,
    TOKEN_VOLUME,
    VARIABLE_FIELDS,
    VARIABLE_PATTERNS,
)
from webhook.admission.settings import find_broker
from webhook.guards.container_rules import (
    allow_own_client_folder,
    forbid_environment,
    forbid_expanded_paths,
    forbid_our_names,
    forbid_privileges,
    forbid_uid,
    holds_our_secret,
    is_ours,
    opens_token,
)
from webhook.guards.policy import Guard, Rule, Validation
from webhook.guards.settings import API_SERVER, GuardSettings, write_string, write_strings
from webhook.resources.names import BROKER_AUDIENCE, POLICY

# Pod Security restricted's list without csi, whose drivers may hand out anything.
_VOLUME_TYPES = (
    "configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected",
    "secret",
)  # fmt: skip
_REMEDY = (
    "pods get it from MCA's webhook, so take out of the pod what you set of it yourself; if you "
    "did not, ask an admin whether the webhook is registered and whether another changes its work"
)


def guard_final_pods(settings: GuardSettings) -> Guard:
    """Every pod in an enforced namespace has the sidecar; nothing else there reaches it."""
    others = "variables.others"
    return Guard(
        name="mca-final-pods",
        rules=(Rule(("CREATE",), ("pods",)),),
        variables={
            "init": "object.spec.?initContainers.orValue([])",
            "hasSidecar": "variables.init.size() > 0 && variables.init[0].name == 'mca'",
            "others": (
                "(variables.init + object.spec.containers + "
                "object.spec.?ephemeralContainers.orValue([])).filter(c, c.name != 'mca')"
            ),
            "volumes": "object.spec.?volumes.orValue([])",
            "appVolumes": f"variables.volumes.filter(v, !{is_ours('v.name')})",
            "opening": (
                f"variables.appVolumes.filter(v, {opens_token('v', settings)}).map(v, v.name)"
            ),
        },
        validations=(
            Validation(
                "object.spec.?os.?name.orValue('linux') == 'linux'",
                "the sidecar runs on Linux only: run the pod in a namespace that is not enforced",
            ),
            Validation(
                "variables.hasSidecar",
                f"the first init container is not MCA's sidecar: {_REMEDY}",
            ),
            *_judge_sidecar(settings),
            *_judge_policy(settings),
            *_judge_pod(settings),
            *_judge_volumes(),
            forbid_our_names(others),
            allow_own_client_folder(others),
            forbid_environment(others),
            forbid_expanded_paths(others),
            forbid_privileges(others),
            forbid_uid(others, settings),
        ),
    )


def _judge_sidecar(settings: GuardSettings) -> tuple[Validation, ...]:
    """What another webhook could have changed in it after ours."""
    image = "variables.init[0].image"
    return (
        Validation(
            f"""
            !variables.hasSidecar || {image} == {write_string(settings.image)} ||
            {image} in {write_strings(settings.previous_images)}
            """,
            f"the sidecar's image is not the one that MCA puts in: {_REMEDY}",
            found=image,
        ),
        Validation(
            f"""
            !variables.hasSidecar || [variables.init[0]].all(c,
              c.?restartPolicy.orValue('') == 'Always' &&
              !has(c.command) && !has(c.args) && !has(c.lifecycle) && !has(c.envFrom) &&
              !has(c.workingDir) && !has(c.volumeDevices) &&
              !c.?stdin.orValue(false) && !c.?tty.orValue(false) &&
              !c.?startupProbe.?exec.hasValue() && !c.?readinessProbe.?exec.hasValue() &&
              !c.?livenessProbe.?exec.hasValue() &&
              c.?env.orValue([]).all(e, {_allow_variable(settings)}) &&
              c.?volumeMounts.orValue([]).all(m, {_allow_mount()}))
            """,
            "the sidecar's command, environment, probes, mounts or restart policy are not what "
            f"MCA puts in: {_REMEDY}",
        ),
        Validation(
            f"""
            !variables.hasSidecar || [variables.init[0].?securityContext.orValue({{}})].all(s,
              s.?runAsUser.orValue(0) == {settings.uid} &&
              s.?runAsNonRoot.orValue(false) &&
              s.?readOnlyRootFilesystem.orValue(false) &&
              !s.?allowPrivilegeEscalation.orValue(true) &&
              !s.?privileged.orValue(false) &&
              s.?capabilities.?drop.orValue([]).exists(capability, capability == 'ALL') &&
              s.?capabilities.?add.orValue([]).size() == 0)
            """,
            f"the sidecar's security context is not what MCA puts in: {_REMEDY}",
        ),
    )


def _judge_policy(settings: GuardSettings) -> tuple[Validation, ...]:
    """Without these a sidecar would take its own cluster, whole, for all that it may do.

    Sidecars of an earlier release are as that made them.
    """
    if settings.policy == "home":
        return ()
    names, mounts = write_strings(POLICY_VARIABLES), write_strings((POLICY_VOLUME, BROKER_VOLUME))
    return (
        Validation(
            f"""
            !variables.hasSidecar || variables.init[0].image != {write_string(settings.image)} ||
            [variables.init[0]].all(c,
              {names}.all(name, c.?env.orValue([]).exists(e, e.name == name)) &&
              {mounts}.all(name, c.?volumeMounts.orValue([]).exists(m, m.name == name)))
            """,
            f"the sidecar has no policy to live by: {_REMEDY}",
        ),
    )


def _allow_variable(settings: GuardSettings) -> str:
    """CEL: each by its name, from where its value comes, and what it may say."""
    fields = [
        f"e.name == {write_string(name)} && "
        f"e.?valueFrom.?fieldRef.?fieldPath.orValue('') == {write_string(path)}"
        for name, path in VARIABLE_FIELDS.items()
    ]
    texts = [
        f"e.name == {write_string(name)} && !has(e.valueFrom) && "
        f"e.?value.orValue('').matches({write_string(pattern)})"
        for name, pattern in VARIABLE_PATTERNS.items()
    ]
    broker = (
        f"e.name == {write_string(BROKER_VARIABLE)} && !has(e.valueFrom) && "
        f"e.?value.orValue('') == {write_string(find_broker(settings.system_namespace))}"
    )
    return " || ".join(f"({allowed})" for allowed in [*fields, *texts, broker])


def _allow_mount() -> str:
    """CEL: each volume whole, and where it belongs."""
    return " || ".join(
        f"(m.name == {write_string(name)} && m.mountPath == {write_string(path)} && "
        "m.?subPath.orValue('') == '')"
        for name, path in SIDECAR_MOUNTS.items()
    )


def _allow_source() -> str:
    """CEL: a token for the API server, its certificate and the namespace, each as one file."""
    return f"""
        (has(s.serviceAccountToken) && s.serviceAccountToken.?audience.orValue('') == '' &&
         s.serviceAccountToken.path == 'token') ||
        (s.?configMap.?name.orValue('') == {write_string(ROOT_CA)} &&
         s.configMap.?items.orValue([]).all(i, i.path == 'ca.crt')) ||
        (has(s.downwardAPI) && s.downwardAPI.?items.orValue([]).all(i,
         i.path == 'namespace' &&
         i.?fieldRef.?fieldPath.orValue('') == 'metadata.namespace'))
        """


def _allow_member_token() -> str:
    """CEL: a token that is neither this cluster's own nor the broker's."""
    return f"""
        has(s.serviceAccountToken) &&
        !(s.serviceAccountToken.?audience.orValue('') in {write_strings(("", BROKER_AUDIENCE))}) &&
        !s.serviceAccountToken.audience.startsWith({write_string(API_SERVER)}) &&
        s.serviceAccountToken.path.endsWith('/token')
        """


def _judge_pod(settings: GuardSettings) -> tuple[Validation, ...]:
    return (
        Validation(
            """
            !object.spec.?hostNetwork.orValue(false) && !object.spec.?hostPID.orValue(false) &&
            !object.spec.?hostIPC.orValue(false) &&
            !object.spec.?shareProcessNamespace.orValue(false)
            """,
            "hostNetwork, hostPID, hostIPC and shareProcessNamespace reach the sidecar and are not "
            "allowed here: leave them out, or run the pod in a namespace that is not enforced",
        ),
        Validation(
            f"object.spec.?priority.orValue(0) <= {HIGHEST_PRIORITY}",
            "a priority class of system-… could push MCA's webhook off its node: name another, or "
            "run the pod in a namespace that is not enforced",
            found="object.spec.?priorityClassName.orValue('')",
        ),
        Validation(
            "!object.spec.?automountServiceAccountToken.orValue(true)",
            f"automountServiceAccountToken is not false: {_REMEDY}",
        ),
        Validation(
            f"object.spec.?securityContext.?runAsUser.orValue(0) != {settings.uid}",
            f"user id {settings.uid} is the sidecar's: run as another user, "
            "securityContext.runAsUser",
        ),
    )


def _judge_volumes() -> tuple[Validation, ...]:
    types = " && ".join(f"!has(v.{kind})" for kind in _VOLUME_TYPES)
    secret = holds_our_secret("v")
    memory = write_strings((IDENTITY_VOLUME, CLIENTS_VOLUME))
    return (
        Validation(
            f"""
            !variables.hasSidecar || variables.volumes.all(v, !{is_ours("v.name")} ||
              (v.name in {memory} &&
               v.?emptyDir.?medium.orValue('') == 'Memory') ||
              (v.name == {write_string(TOKEN_VOLUME)} && has(v.projected) &&
               v.projected.?sources.orValue([]).all(s, {_allow_source()})) ||
              (v.name == {write_string(POLICY_VOLUME)} &&
               v.?configMap.?name.orValue('') == {write_string(POLICY)}) ||
              (v.name == {write_string(BROKER_VOLUME)} && has(v.projected) &&
               v.projected.?sources.orValue([]).all(s,
                s.?serviceAccountToken.?audience.orValue('') == {write_string(BROKER_AUDIENCE)} &&
                s.serviceAccountToken.path == 'token')) ||
              (v.name == {write_string(MEMBERS_VOLUME)} && has(v.projected) &&
               v.projected.?sources.orValue([]).all(s, {_allow_member_token()})))
            """,
            f"a volume called mca-... is not what MCA puts in: {_REMEDY}",
        ),
        Validation(
            f"!variables.appVolumes.exists(v, {types})",
            f"only volumes of the types {', '.join(_VOLUME_TYPES)} are allowed here, others may "
            "show the node or a credential: use a PersistentVolumeClaim",
            found=f"variables.appVolumes.filter(v, {types}).map(v, v.name).join(', ')",
        ),
        Validation(
            "variables.opening.size() == 0",
            "volumes with a token or certificate for the API server are not allowed here: leave "
            "them out, the sidecar answers for it; tokens for other services need an audience "
            "that MCA's guards list",
            found="variables.opening.join(', ')",
        ),
        Validation(
            f"!variables.appVolumes.exists(v, {secret})",
            "Secrets called mca-... are MCA's own and not to be mounted: use a Secret of your own",
            found=f"variables.appVolumes.filter(v, {secret}).map(v, v.name).join(', ')",
        ),
    )
