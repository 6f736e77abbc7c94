"""The cluster that the environment variable TF_CONFIG describes, checked before TensorFlow reads it."""

import json

from dotnn_runtime.script.errors import DataError


def leads_cluster(config: str | None) -> bool:
    """Return whether this process is the chief of the cluster in `config`, the text of TF_CONFIG.

    The chief is the task "chief", or worker 0 where there is none. Raises DataError where the
    text is missing, no JSON, or does not say which of the cluster's workers this process is.
    """
    hosts, task, index = read_cluster(config)
    if task not in hosts or type(index) is not int or not 0 <= index < len(hosts[task]):
        known = ", ".join(f"{role} {i}" for role, group in hosts.items() for i in range(len(group)))
        raise DataError(
            f"TF_CONFIG says that this is {task} {index}, but the cluster has: {known or 'nobody'}"
        )
    return index == 0 and (task == "chief" or not hosts["chief"])


def read_cluster(config: str | None) -> tuple[dict[str, list[str]], str, int]:
    """Return the hosts of each role in the text of TF_CONFIG, and the task and the
    index of this process, as they stand there. Raises DataError where it is no cluster.
    """
    workers = '"cluster": {"worker": ["first-host:2222", "second-host:2222"]}'
    task = '"task": {"type": "worker", "index": 0}'
    example = f"it must read {{{workers}, {task}}}, the index counting the workers"
    if not config:
        raise DataError(
            "TF_CONFIG is not set in the environment, so this worker knows no other", help=example
        )
    try:
        stored = json.loads(config)
        cluster, task, index = stored["cluster"], stored["task"]["type"], stored["task"]["index"]
        hosts = {role: list(cluster.get(role, [])) for role in ("chief", "worker")}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(
            "TF_CONFIG does not describe a cluster and the task of this process", help=example
        ) from None
    if unknown := set(cluster) - hosts.keys():
        raise DataError(
            f"TF_CONFIG names tasks that take no part in this training: {', '.join(sorted(unknown))}"
        )
    if not all(isinstance(host, str) and ":" in host for group in hosts.values() for host in group):
        raise DataError("TF_CONFIG must name every worker as host:port", help=example)
    return hosts, task, index
