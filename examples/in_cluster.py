"""A program as it runs in any pod: it lists ConfigMaps, waits for a change, and asks for too much.

It knows nothing of MCA: the official client's in-cluster configuration is all it does to log in.
"""

import json
import sys

from kubernetes import client, config, watch

try:
    config.load_incluster_config()
except config.ConfigException:
    config.load_kube_config()
api = client.CoreV1Api()
namespace = sys.argv[1]

found = api.list_namespaced_config_map(namespace)
for item in found.items:
    print(f"listed {item.metadata.name}: {item.data}", flush=True)

print("watching", flush=True)
version = found.metadata.resource_version
changes = watch.Watch().stream(
    api.list_namespaced_config_map, namespace, resource_version=version, timeout_seconds=30
)
for change in changes:
    print(f"{change['type'].lower()} {change['object'].metadata.name}: {change['object'].data}")
    break

request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
try:
    api.create_namespaced_service_account_token("app", namespace, request)
except client.ApiException as refusal:
    print(f"refused {refusal.status}: {json.loads(refusal.body)['message']}")
else:
    sys.exit("got a real token")
