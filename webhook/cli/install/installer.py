"""Owns the question who installs: somebody whom the guards will let label namespaces, or not.

Must not decide what then; the course of the installation does.
"""

from webhook.guards.settings import DEFAULT_ADMIN_GROUPS
from webhook.install.settings import InstallSettings
from webhook.kube import Kube, KubeError

_REVIEWS = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def explain_exclusion(kube: Kube, settings: InstallSettings) -> str:
    """What is wrong if they will not; empty if they will, or if nobody can say.

    Who names admins has chosen them: an installer need not be one.
    """
    if settings.admin_users or settings.admin_groups != DEFAULT_ADMIN_GROUPS:
        return ""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = kube.request("POST", _REVIEWS, review).document
    except KubeError:
        return ""
    found = answer.get("status", {}).get("userInfo") or {}
    user, groups = str(found.get("username") or ""), frozenset(found.get("groups") or ())
    if not user or groups.intersection(settings.admin_groups):
        return ""
    return (
        f"you are {user}, in none of the groups {', '.join(settings.admin_groups)}: "
        "nobody but their members could label namespaces\n"
        f"  name the admins: --admin-user {user}, or --admin-group with a group in place of these"
    )
