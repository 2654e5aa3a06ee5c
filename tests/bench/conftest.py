import pytest

from naopt.searchers import searchers
from tests.bench.stubs import BrokenSearcher, FrontSearcher, LineSearcher


@pytest.fixture
def stub_searchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``line``, ``front`` and ``broken``, in this process."""
    known = searchers._objects
    monkeypatch.setattr(
        searchers, "_objects", {**known, "line": LineSearcher, "front": FrontSearcher, "broken": BrokenSearcher}
    )
