"""A controller in Python: a list, then a watch from its version, resumed wherever it ended.

A program of its own, run in a pod. Its argument says how many objects come and go before it ends.
"""

# The client's annotations are of half of it, and narrower than what it takes: a dict is a body.
# mypy: disable-error-code="no-untyped-call, arg-type, union-attr, index"

import json
import sys
from collections import Counter
from pathlib import Path

from kubernetes import client, config, watch

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text()
LABEL = "burst"
WORDS = {"ADDED": "add", "MODIFIED": "update", "DELETED": "delete"}
# Some watches end while the burst is on, so that their being resumed is seen too.
WATCH_S = 2


def main() -> None:
    wanted = int(sys.argv[1])
    config.load_incluster_config()
    core = client.CoreV1Api()
    listed = core.list_namespaced_config_map(NAMESPACE, label_selector=LABEL)
    seen: Counter[str] = Counter()
    seen.update(f"add {item.metadata.name} {item.data['round']}" for item in listed.items)
    gone: set[str] = set()
    version, watches = listed.metadata.resource_version, 0
    print(json.dumps({"ask": "burst"}), flush=True)  # noqa: T201
    while len(gone) < wanted and watches < 30:
        watches += 1
        source = watch.Watch()
        events = source.stream(
            core.list_namespaced_config_map,
            NAMESPACE,
            label_selector=LABEL,
            resource_version=version,
            timeout_seconds=WATCH_S,
        )
        for event in events:
            item = event["object"]
            version = item.metadata.resource_version
            seen[f"{WORDS[event['type']]} {item.metadata.name} {item.data['round']}"] += 1
            if event["type"] == "DELETED":
                gone.add(item.metadata.name)
                if len(gone) == wanted:
                    source.stop()
    result = {"seen": seen, "left": [], "watches": watches}
    print(json.dumps({"step": "burst", "result": result}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
