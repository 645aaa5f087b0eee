"""The import rules hold, and importing has no effect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.architecture.contracts import ROOT, config

WATCHED = """
import sys, os, pkgutil, importlib
sys.path.insert(0, {root!r})
bad = []
def hook(event, args):
    if event == "socket.bind" and args[1] == ("::1", 0):
        return  # urllib3 asks once whether this machine speaks IPv6
    if event in ("socket.connect", "socket.bind", "sqlite3.connect",
                 "subprocess.Popen", "os.system"):
        bad.append((event, str(args)[:200]))
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        bad.append((event, str(args)[:200]))
class Watched(dict):
    def _seen(self, key):
        if str(key).startswith("LETTERLOCK"):
            bad.append(("environ", key))
    def __getitem__(self, key):
        self._seen(key)
        return dict.__getitem__(self, key)
    def get(self, key, default=None):
        self._seen(key)
        return dict.get(self, key, default)
os.environ = Watched(os.environ)
sys.addaudithook(hook)
import services, shared
for package in (services, shared):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(bad)
sys.exit(bool(bad))
"""


def test_every_import_contract_holds(tmp_path: Path) -> None:
    chosen = tmp_path / "contracts.ini"
    chosen.write_text(config())
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run(
        [linter, chosen, "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
    assert "0 broken" in told.stdout


def test_importing_every_module_opens_nothing() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WATCHED.format(root=str(ROOT))],
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout + told.stderr
