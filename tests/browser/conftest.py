"""One running demo for all browser tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.systems import System, a_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with a_system(tmp_path_factory.mktemp("demo")) as started:
        yield started
