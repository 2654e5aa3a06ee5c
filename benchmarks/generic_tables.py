"""Two tables of design choices without a graph, measured here on data that scikit-learn brings along.

``python -m benchmarks.generic_tables --out DIR``
``naopt bench --table DIR/boosting.csv --metric valid --report-metric test ...``

``boosting.csv``: boosted trees on the diabetes data (442 patients), all six positions ordered numbers, 18,000 rows;
``valid`` and ``test`` are shares of variance explained, in percent. ``pipelines.csv``: classifiers of digits (400
images to learn from), 10,368 rows of five positions, four of them words; what the fifth, a level from 1 to 8, means
depends on the classifier, so the best rows of two classifiers share little; ``valid`` and ``test`` are accuracies in
percent. Nothing in either is random; they take minutes of one core.
"""

from __future__ import annotations

import argparse
import csv
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import FeatureAgglomeration
from sklearn.datasets import load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingRegressor
from sklearn.feature_selection import SelectKBest
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, Normalizer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from benchmarks.output import note
from naopt.files import whole_file

Row = dict[str, object]
Parts = tuple[NDArray[np.float64], ...]

_RATES, _ITERATIONS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4), (10, 20, 40, 80, 160)
_LEAVES, _IN_LEAF, _L2, _FEATURES = (2, 3, 5, 9, 17, 33), (1, 3, 9, 27, 81), (0, 0.1, 1, 10, 100), (0.2, 0.4, 0.7, 1.0)

_BENT: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "none": lambda x: x,
    "sqrt": np.sqrt,
    "binary": lambda x: (x > 7).astype(np.float64),
}
_SCALED: dict[str, Callable[[], Any]] = {
    "none": FunctionTransformer,
    "standard": StandardScaler,
    "range": MinMaxScaler,
    "length": Normalizer,
    "normal": lambda: QuantileTransformer(n_quantiles=100, output_distribution="normal", random_state=0),
    "centred": lambda: StandardScaler(with_std=False),
}
_REDUCED: dict[str, Callable[[], Any]] = {
    "none": FunctionTransformer,
    "pca-6": lambda: PCA(6, svd_solver="full"),
    "pca-12": lambda: PCA(12, svd_solver="full"),
    "pca-24": lambda: PCA(24, svd_solver="full"),
    "best-12": lambda: SelectKBest(k=12),
    "best-32": lambda: SelectKBest(k=32),
    "merged-16": lambda: FeatureAgglomeration(16),
    "whitened-16": lambda: PCA(16, svd_solver="full", whiten=True),
}
_CLASSIFIERS: dict[str, Callable[[int], BaseEstimator]] = {
    "neighbours": lambda level: KNeighborsClassifier(2 * level - 1),
    "near-weighted": lambda level: KNeighborsClassifier(4 * level, weights="distance"),
    "svm-rbf": lambda level: SVC(C=4.0 ** (level - 4)),
    "svm-cubic": lambda level: SVC(kernel="poly", C=4.0 ** (level - 4)),
    "svm-linear": lambda level: SVC(kernel="linear", C=4.0 ** (level - 6), max_iter=20_000),
    "tree": lambda level: DecisionTreeClassifier(max_depth=2 * level, random_state=0),
    "extra-trees": lambda level: ExtraTreesClassifier(20, min_samples_leaf=level, random_state=0),
    "lda": lambda level: LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.5**level),
    "bayes": lambda level: GaussianNB(var_smoothing=4.0**-level),
}


def split(load: Callable[..., Any], learn: int, seed: int = 0) -> Parts:
    """Data and targets to learn from, to validate on and to test, the last two alike in number."""
    data, targets = load(return_X_y=True)
    x, other, y, wanted = train_test_split(data, targets, train_size=learn, random_state=seed)
    valid_x, test_x, valid_y, test_y = train_test_split(other, wanted, train_size=0.5, random_state=seed)
    return x, y, valid_x, valid_y, test_x, test_y


def boosting() -> Iterator[Row]:
    """Boosted trees; what stands at an iteration is read from the same fit."""
    x, y, valid_x, valid_y, test_x, test_y = split(load_diabetes, 200)
    for rate, leaves, in_leaf, l2, features in product(_RATES, _LEAVES, _IN_LEAF, _L2, _FEATURES):
        model = HistGradientBoostingRegressor(
            learning_rate=rate, max_iter=max(_ITERATIONS), max_leaf_nodes=leaves, min_samples_leaf=in_leaf,
            l2_regularization=l2, max_features=features, early_stopping=False, random_state=0,
        ).fit(x, y)  # fmt: skip
        stages = zip(model.staged_predict(valid_x), model.staged_predict(test_x), strict=True)
        for iteration, (valid, test) in enumerate(stages, start=1):
            if iteration in _ITERATIONS:
                yield {
                    "learning_rate": rate, "iterations": iteration, "leaves": leaves, "in_leaf": in_leaf, "l2": l2,
                    "features": features, "valid": 100 * r2_score(valid_y, valid), "test": 100 * r2_score(test_y, test),
                }  # fmt: skip


def pipelines() -> Iterator[Row]:
    """Classifiers behind what is done to pixels."""
    x, y, valid_x, valid_y, test_x, test_y = split(load_digits, 400)
    for bent, scaled, reduced in product(_BENT, _SCALED, _REDUCED):
        steps = make_pipeline(FunctionTransformer(_BENT[bent]), _SCALED[scaled](), _REDUCED[reduced]())
        seen = steps.fit_transform(x, y)
        valid_seen, test_seen = steps.transform(valid_x), steps.transform(test_x)
        for classifier, level in product(_CLASSIFIERS, range(1, 9)):
            model: Any = _CLASSIFIERS[classifier](level)
            model.fit(seen, y)
            yield {
                "bent": bent, "scaled": scaled, "reduced": reduced, "classifier": classifier, "level": level,
                "valid": 100 * model.score(valid_seen, valid_y), "test": 100 * model.score(test_seen, test_y),
            }  # fmt: skip


TABLES: dict[str, Callable[[], Iterator[Row]]] = {"boosting": boosting, "pipelines": pipelines}


def write(path: Path, rows: Iterator[Row]) -> int:
    """Writes a CSV file, whole or not at all, and says how many rows it has."""
    number = 0
    with whole_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        for number, row in enumerate(rows, start=1):
            cells = {key: f"{value:.4f}" if key in {"valid", "test"} else value for key, value in row.items()}
            if number == 1:
                lines = csv.DictWriter(file, list(cells))
                lines.writeheader()
            lines.writerow(cells)
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the tables that are not there yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--tables", nargs="+", choices=sorted(TABLES), default=sorted(TABLES))
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.tables:
        path = options.out / f"{name}.csv"
        if path.exists():
            note(f"{path} is there")
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # constant features, iterations that end: part of what is measured
            note(f"{path}: {write(path, TABLES[name]())} rows")


if __name__ == "__main__":
    main()
