"""What the figures were measured on, in words. Must not measure the proxies."""

import os
import platform
import ssl
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path


def describe_machine(versions: Mapping[str, str]) -> str:
    """A list for the head of the page."""
    load = os.getloadavg()[0]
    lines = [
        f"{read_cpu_name()}, {os.cpu_count()} cores, {read_memory_gb():.0f} GB, "
        f"{platform.system()} {platform.release()}; load average at the start {load:.1f}",
        f"the sidecar runs on {describe_interpreter()}",
        "peers: " + ", ".join(f"{name} {version}" for name, version in versions.items()),
        time.strftime("measured on %Y-%m-%d", time.gmtime()),
    ]
    return "".join(f"* {line}\n" for line in lines)


def describe_interpreter() -> str:
    """Version and kind of build: profile-guided optimization is worth 13 to 30 % of Python code."""
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    if "--enable-optimizations" in arguments:
        optimized = "built with --enable-optimizations (PGO)"
    elif is_distribution_build():
        optimized = (
            "the distribution's build (PGO, by `make profile-opt`, not by a configure option)"
        )
    else:
        optimized = "not a PGO build"
    return f"CPython {platform.python_version()}, {optimized}, {ssl.OPENSSL_VERSION}"


def is_distribution_build() -> bool:
    """Debian and its kin build by `make profile-opt`, which leaves no trace in CONFIG_ARGS."""
    return sys.base_prefix == "/usr" and Path("/etc/debian_version").exists()


def read_cpu_name() -> str:
    """The first processor's."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def read_memory_gb() -> float:
    """Of the whole machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
