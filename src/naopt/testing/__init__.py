"""Conformance suites for those who extend naopt: every built-in passes them, and an outside author can run them.

In one line, or as a pytest class::

    from naopt.testing import SpaceSuite, check_space

    check_space(MySpace())

    class TestMySpace(SpaceSuite):
        @pytest.fixture
        def space(self):
            return MySpace()
"""

from naopt.testing.evaluators import EvaluatorSuite, check_evaluator
from naopt.testing.one_shot import OneShotCase, OneShotSuite, check_one_shot
from naopt.testing.searchers import SearcherCase, SearcherSuite, check_searcher
from naopt.testing.spaces import SpaceSuite, check_space
from naopt.testing.tasks import TaskSuite, check_task

__all__ = [
    "EvaluatorSuite",
    "OneShotCase",
    "OneShotSuite",
    "SearcherCase",
    "SearcherSuite",
    "SpaceSuite",
    "TaskSuite",
    "check_evaluator",
    "check_one_shot",
    "check_searcher",
    "check_space",
    "check_task",
]
