"""What a search knows from other tasks: sources that are read once, and kept with the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from naopt.errors import InputError
from naopt.latent.belief_files import read_beliefs
from naopt.latent.beliefs import Belief, Beliefs
from naopt.problem import Objective, Problem
from naopt.run.config import RunConfig
from naopt.run.names import BELIEFS
from naopt.run.priors import check_informed
from naopt.spaces import SearchSpace
from naopt.store.history import read_scores
from naopt.store.sources import Source


def with_beliefs(config: RunConfig, problem: Problem, space: SearchSpace, directory: Path | None) -> Problem:
    """The problem with what the configuration's sources of other tasks make one expect, beside its priors.

    Args:
        config: with ``history``.
        problem: what is wanted.
        space: of the search.
        directory: of the run; what it keeps is taken, so the sources are needed when a search begins and no more.

    Raises:
        InputError: as ``read_scores`` and ``read_beliefs``, or a searcher that takes no prior knowledge.
    """
    kept = None if directory is None else directory / BELIEFS
    if kept is not None and _is_there(kept):
        return replace(problem, priors=Beliefs(read_beliefs(kept, space), problem.priors))
    sources = [source for source in map(Source.parse, config.history) if not source.own]
    if not sources:
        return problem
    check_informed(config.searcher)
    return replace(problem, priors=Beliefs(beliefs_of(sources, space, problem.objective), problem.priors))


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # Whoever opens the run says why it cannot be read.
        return False


def other_beliefs(history: Sequence[str], space: SearchSpace, objective: Objective) -> list[Belief]:
    """Of sources none of which has measurements of the search itself. Raises ``InputError`` as ``beliefs_of``."""
    sources = [Source.parse(text) for text in history]
    for source in sources:
        if source.own:
            rule = f"is told to no search here; as knowledge from another task it is {source}:METRIC"
            raise InputError("history", str(source), rule)
    return beliefs_of(sources, space, objective)


def beliefs_of(sources: Sequence[Source], space: SearchSpace, objective: Objective | None = None) -> list[Belief]:
    """Fits what measurements say, and reads what was fitted before; names are told apart.

    Args:
        sources: of other tasks or metrics, and files of beliefs.
        space: of the architectures.
        objective: of the search.

    Raises:
        InputError: as ``read_scores`` and ``read_beliefs``, or a file of beliefs with a metric.
    """
    found: list[Belief] = []
    for source in sources:
        if source.fitted:
            if source.named is not None:
                raise InputError("history", str(source), "holds what was fitted, which has its metric; leave that out")
            found += read_beliefs(source.place, space)
        else:
            scores = read_scores(source, space, objective)
            found.append(Belief.fit(scores.name, space, scores.values, metric=scores.metric, task=scores.task))
    seen: Counter[str] = Counter()
    for belief in found:
        seen[belief.name] += 1
        if seen[belief.name] > 1:
            belief.name += f" ({seen[belief.name]})"
    return found
