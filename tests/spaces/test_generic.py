"""Generic spaces from code and from TOML."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naopt.errors import ArchitectureSyntaxError, InputError
from naopt.spaces import GenericSpace, Position, create_space
from tests.spaces.examples import mlp

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@given(
    st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=4, unique=True)), min_size=1, max_size=4), st.data()
)
def test_any_names_and_values_come_back(rows: list[tuple[str, list[str]]], data: st.DataObject) -> None:
    positions = list({name: Position(name, tuple(choices)) for name, choices in rows}.values())
    space = GenericSpace(positions)
    tokens = [data.draw(st.integers(0, len(position.choices) - 1)) for position in positions]
    architecture = space.architecture(tokens)
    text = space.format(architecture)
    assert text == text.strip()
    assert len(text.splitlines()) == 1
    assert space.parse(text).tokens == tuple(tokens)


def test_positions_may_come_in_any_order() -> None:
    assert mlp().parse("depth=2,width=64") == mlp().parse(' width=64,"depth"="2" ')


@pytest.mark.parametrize(
    ("text", "position", "rule"),
    [
        ("", 0, "expected a name or a value"),
        ("width", 5, "expected '='"),
        ("width=", 6, "expected a name or a value"),
        ("widht=16", 0, "'widht' is not one of width, depth"),
        ("width=17,depth=1", 6, "'17' is not one of 16, 32, 64"),
        ("width=16", 8, "'depth' is missing"),
        ("width=16,width=16", 9, "'width' stands twice"),
        ("width=16;depth=1", 6, "'16;depth' is not one of"),
        ("width=16 ,depth=1", 8, "expected ','"),
        ('width="16', 6, "unfinished quoted text"),
        ("width=16,depth=1,", 17, "expected a name or a value"),
    ],
)
def test_syntax_errors(text: str, position: int, rule: str) -> None:
    with pytest.raises(ArchitectureSyntaxError) as caught:
        mlp().parse(text)
    assert caught.value.position == position
    assert rule in str(caught.value)


def test_positions_from_code_have_rules() -> None:
    with pytest.raises(InputError, match="space 'generic': needs at least one position"):
        GenericSpace([])
    with pytest.raises(InputError, match="space 'x': position names must differ, got a, a"):
        GenericSpace([Position("a", ("1",)), Position("a", ("2",))], "x")
    with pytest.raises(InputError, match="position 'a': needs at least one choice"):
        Position("a", ())
    with pytest.raises(InputError, match="position 'a': choices must differ, got 1, 1"):
        Position("a", ("1", "1"))


def test_a_positions_kind_is_its_name_unless_given() -> None:
    assert Position("a", ("1",)).kind == "a"
    numbers = GenericSpace([Position("width", (16, 32)), Position("rate", (0.1, 1e-3))], "numbers")  # type: ignore[arg-type]
    for architecture in numbers.enumerate():
        assert numbers.parse(numbers.format(architecture)) == architecture
    assert numbers.format(numbers.architecture([1, 0])) == "width=32,rate=0.1"
    assert Position("a", ("1",), "layer").kind == "layer"


def test_toml_file(tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_text(
        'name = "net"\n[[positions]]\nname = "width"\nchoices = [16, 2.5, "x"]\nkind = "size"\n'
        '[[positions]]\nname = "bias"\nchoices = [true, false]\n',
        encoding="utf-8",
    )
    space = create_space(f"generic:{path}")
    assert space.name == "net"
    assert space.positions == (Position("width", ("16", "2.5", "x"), "size"), Position("bias", ("true", "false")))
    assert space.size == 6
    assert space.format(space.architecture((1, 0))) == "width=2.5,bias=true"
    assert create_space(f"generic:{path}", {"name": "other"}).name == "other"


def test_toml_file_without_a_name_has_the_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('positions = [{name = "a", choices = [1]}]', encoding="utf-8")
    assert GenericSpace(path).name == "mine"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ("a = ", "is not TOML"),
        (b"\xff\xfe\xff", "line 1, column 1 'byte 0xff': is not UTF-16"),
        ("", "needs [[positions]]"),
        ("positions = []", "needs [[positions]]"),
        ("positions = 3", "needs [[positions]]"),
        ("positions = [1]", "position 0 needs a name and a list of choices"),
        ('[[positions]]\nname = "a"\nchoices = [1]\n[[positions]]\nname = "b"', "position 1 needs a name"),
        ('[[positions]]\nname = "a"\nchoices = 3', "position 0 needs a name"),
        ('[[positions]]\nname = "a"\nchoices = [1]\nchoice = 2', "position 0 needs a name"),
        ('[[positions]]\nname = "a"\nchoices = []', "needs at least one choice"),
        ('[[positions]]\nname = "a"\nchoices = [1, "1"]', "choices must differ"),
        ('title = "x"', "unknown key 'title'; known: name, positions"),
    ],
)
def test_broken_toml(content: str | bytes, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "space.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        create_space(f"generic:{path}")
    assert rule in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"space file '.*absent.toml': No such file or directory"):
        GenericSpace(tmp_path / "absent.toml")
    with pytest.raises(InputError, match="Is a directory"):
        GenericSpace(tmp_path)


def test_graph_is_a_row() -> None:
    graph = mlp().graph(mlp().architecture((0, 1)))
    assert [node.label for node in graph.nodes] == ["width = 16", "depth = 2"]
    assert [(edge.source, edge.target) for edge in graph.edges] == [(0, 1)]
