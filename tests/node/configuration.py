"""What the parts of a node are told. Owns their configuration documents, and starts nothing."""

import json
from pathlib import Path
from typing import Any, NamedTuple

NODE_NAME = "node"
BRIDGE = "mca0"
# The API server is advertised here and the kubelet listens here; pods have it as their gateway.
ADDRESS = "10.244.0.1"
POD_NETWORK = "10.244.0.0/24"
SERVICE_NETWORK = "10.0.0.0/24"  # as tests.controlplane tells the API server
SOCKET = "/run/containerd/containerd.sock"
CNI_PLUGINS = "/usr/lib/cni"
PAUSE_IMAGE = "mca.test/pause:1"


class Files(NamedTuple):
    """Where the documents are."""

    containerd: Path
    kubelet: Path
    proxy: Path


class Credentials(NamedTuple):
    """What the kubelet and kube-proxy are given, as files."""

    authority: Path
    certificate: Path
    key: Path
    proxy_kubeconfig: Path


def write_documents(folder: Path, credentials: Credentials, cgroup: str) -> Files:
    """All of them, and the description of the pods' network."""
    network = folder / "cni"
    network.mkdir()
    (network / "10-pods.conflist").write_text(json.dumps(_describe_network()))
    resolv = folder / "resolv.conf"
    resolv.write_text("")
    files = Files(folder / "containerd.toml", folder / "kubelet.json", folder / "proxy.json")
    files.containerd.write_text(_configure_containerd(network))
    files.kubelet.write_text(json.dumps(_configure_kubelet(credentials, resolv, cgroup)))
    files.proxy.write_text(json.dumps(_configure_proxy(credentials.proxy_kubeconfig)))
    return files


def _describe_network() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": POD_NETWORK, "gateway": ADDRESS}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}


def _configure_containerd(network: Path) -> str:
    # Without the right to lower a process's OOM score, which containers of VMs often lack, pods
    # start only with restrict_oom_score_adj. The opt plugin would make /opt/containerd.
    return f"""\
version = 3
[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = '{PAUSE_IMAGE}'
[plugins.'io.containerd.cri.v1.runtime']
restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ['{CNI_PLUGINS}']
conf_dir = '{network}'
[plugins.'io.containerd.internal.v1.opt']
path = '/var/lib/containerd/opt'
"""


def _configure_kubelet(credentials: Credentials, resolv: Path, cgroup: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "resolvConf": str(resolv),
        "clusterDomain": "cluster.local",
        "tlsCertFile": str(credentials.certificate),
        "tlsPrivateKeyFile": str(credentials.key),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(credentials.authority)},
        },
        "authorization": {"mode": "Webhook"},
    }


def _configure_proxy(kubeconfig: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        "hostnameOverride": NODE_NAME,
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "oomScoreAdj": 0,
        # These belong to the machine, not to our namespaces.
        "conntrack": {"maxPerCore": 0, "min": 0},
    }
