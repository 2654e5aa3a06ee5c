"""The report's section on a network that decides for each image, of a made-up one; its pictures."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from naopt.report.instance_section import instance_section
from naopt.report.page import render
from naopt.report.pictures import png
from naopt.run.instances import write_instances
from tests.report.runs import instance_run, made_up_instances, make_run


def test_section(tmp_path: Path) -> None:
    record = instance_run(tmp_path)
    assert instance_section(record) == ""
    write_instances(tmp_path, made_up_instances())
    html = instance_section(record)
    assert html in render(record)
    assert "thrift 0.5, 89.80 % of the validation images are right, at latency 0.500" in html
    assert "collapsed" not in html
    charts = re.findall('aria-label="([^"]+)"', html)
    assert charts == ["Accuracy against latency", "Share of images by latency", "Latency against difficulty"]
    assert ">static front</text>" in html
    assert ">static children</text>" in html
    row = "<td>child and class, mutual information, nats</td><td class=n>0.690</td><td class=n>0.300</td>"
    assert row + "<td class=n>0.25</td>" in html
    assert 'title="image 3, class &lt;dog&gt;, latency 0.600, wrong"' in html
    assert not re.search(r'(src|href)="(?!data:|#)', html)
    grey, colour = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in re.findall('base64,([^"]+)"', html)
    )
    assert grey.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert colour.tolist() == [[[0, 2, 4], [1, 3, 5]]]


def test_a_collapse_is_said(tmp_path: Path) -> None:
    found = made_up_instances()
    points = tuple(replace(point, largest=1.0) for point in found.points)
    statistics = replace(found.statistics, cost_and_difficulty=None, cost_and_difficulty_p=None)
    record = instance_run(tmp_path)
    write_instances(tmp_path, replace(found, points=points, statistics=statistics, examples=()))
    html = instance_section(replace(record, trials=[]))
    assert "The policy has collapsed: one child gets more than 99 % of the images at every operating point." in html
    assert ">static front</text>" not in html


def test_other_searches_have_none(tmp_path: Path) -> None:
    write_instances(tmp_path, made_up_instances())
    assert instance_section(make_run(directory=tmp_path)) == ""


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 2)])
def test_pictures_are_read_as_they_were(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = np.asarray(Image.open(io.BytesIO(png(pixels.tobytes(), *shape))))
    assert (read.transpose(2, 0, 1) if shape[0] == 3 else read[None]).tolist() == pixels.tolist()
