import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import InputError
from naopt.metrics import hamming_distance


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_hamming_distance_counts_differences(pairs: list[tuple[int, int]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    assert hamming_distance(first, second) == len([1 for a, b in pairs if a != b])
    assert hamming_distance(first, first) == 0


def test_sequences_of_other_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="equally long"):
        hamming_distance([1], [1, 2])
