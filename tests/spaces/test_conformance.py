"""Every space passes the suite that ships with the package."""

from __future__ import annotations

import pytest

from naopt.spaces import SearchSpace, create_space, spaces
from naopt.testing import SpaceSuite
from tests.spaces.examples import SPACES


class TestSpaces(SpaceSuite):
    @pytest.fixture(params=list(SPACES))
    def space(self, request: pytest.FixtureRequest) -> SearchSpace:
        return SPACES[request.param]


def test_every_registered_space_is_among_the_examples() -> None:
    assert set(map(type, SPACES.values())) >= {spaces.get(name) for name in spaces.names()}


@pytest.mark.parametrize("name", ["paper", "enas-5-1", "custom-2", "nasbench201"])
def test_a_spaces_name_creates_it(name: str) -> None:
    space = SPACES[name]
    again = create_space(space.name)
    assert (again.name, again.positions, again.size) == (space.name, space.positions, space.size)
