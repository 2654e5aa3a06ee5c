"""Searchers of both kinds by one set of names."""

from __future__ import annotations

import pytest

from naopt.errors import UnknownNameError
from naopt.one_shot import ENASSearcher, one_shot
from naopt.one_shot.enas import ENASSettings
from naopt.one_shot.kinds import searcher_kind, searcher_names, searcher_settings, shares_weights
from naopt.searchers import NAOSearcher, searchers


def test_no_name_is_in_both_registries() -> None:
    assert not set(searchers.names()) & set(one_shot.names())
    assert searcher_names() == sorted([*searchers.names(), *one_shot.names()])


def test_classes_and_settings() -> None:
    assert searcher_kind("nao") is NAOSearcher
    assert searcher_kind("enas") is ENASSearcher
    assert searcher_settings("enas") is ENASSettings
    assert {name for name in searcher_names() if shares_weights(name)} == set(one_shot.names())


@pytest.mark.parametrize(("name", "nearest"), [("enaz", "enas"), ("randon", "random"), ("nao_ws", "nao-ws")])
def test_the_nearest_name_of_both(name: str, nearest: str) -> None:
    with pytest.raises(UnknownNameError, match=f"searcher '{name}': unknown; did you mean '{nearest}'"):
        searcher_kind(name)
