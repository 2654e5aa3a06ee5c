"""A picture of a run for a README: its trajectory and its best architecture, side by side.

``python -m naopt.report.readme_figure RUN [AGAINST] OUT.svg``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from naopt.errors import InputError, NaoptError
from naopt.files import write_text
from naopt.report.charts import trajectory_chart
from naopt.spaces.drawing import draw_graph

if TYPE_CHECKING:
    from naopt.run.record import RunRecord

_HEIGHT, _GAP = 360, 24


def readme_figure(record: RunRecord, against: RunRecord | None = None) -> str:
    """One SVG, 360 pixels high.

    Raises:
        InputError: no evaluation has ended well, so there is nothing to show.
    """
    best, chart = record.best(), trajectory_chart(record, against)
    if best is None or chart is None:
        raise InputError("run", str(record.directory), "has no evaluation that ended well")
    x, placed = 0, []
    for picture in (chart, draw_graph(record.space.graph(best.architecture))):
        box = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', picture)
        head = re.match(r"<svg[^>]*>", picture)
        if box is None or head is None:
            raise ValueError("a picture without a view box")
        width = round(_HEIGHT * float(box[1]) / float(box[2]))
        sized = re.sub(r' (?:width|height)="[^"]*"', "", head[0])
        sized = sized.replace("<svg", f'<svg x="{x}" y="0" width="{width}" height="{_HEIGHT}"', 1)
        placed.append(sized + picture[head.end() :])
        x += width + _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {x - _GAP} {_HEIGHT}" width="{x - _GAP}" '
        f'height="{_HEIGHT}">{"".join(placed)}</svg>\n'
    )


def main(arguments: Sequence[str]) -> int:
    """Writes the picture; 0 if done, 2 with one line on standard error if not."""
    from naopt.run.record import load_run

    if len(arguments) not in (2, 3):
        sys.stderr.write("usage: python -m naopt.report.readme_figure RUN [AGAINST] OUT.svg\n")
        return 2
    try:
        runs = [load_run(Path(name)) for name in arguments[:-1]]
        write_text(Path(arguments[-1]), readme_figure(*runs))
    except (NaoptError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
