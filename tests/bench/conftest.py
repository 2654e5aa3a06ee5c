import pytest

from naopt.searchers import searchers
from tests.bench.stubs import BrokenSearcher, LineSearcher


@pytest.fixture
def stub_searchers(monkeypatch: pytest.MonkeyPatch) -> None:
    """``line`` and ``broken``, in this process."""
    known = searchers._objects
    monkeypatch.setattr(searchers, "_objects", {**known, "line": LineSearcher, "broken": BrokenSearcher})
