"""What can be rehearsed here: with root, namespaces and iproute2 all, else nothing."""

from __future__ import annotations

import os
import subprocess
from shutil import which


def _has_namespaces() -> bool:
    if os.geteuid() or not all(which(tool) for tool in ("unshare", "nsenter", "ip")):
        return False
    made = "ip link add v1 type veth peer name v2 && ip rule add pref 9 lookup main"
    words = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork"]
    tried = [*words, "sh", "-c", made]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


# `make rehearsal` then says that there is nothing to collect.
collect_ignore = [] if _has_namespaces() else ["test_rehearsal.py"]
