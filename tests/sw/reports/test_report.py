import base64
import re

import numpy as np
import pytest
from matplotlib.text import Text
from spikeplane.reports.report import Report, bars, curves, event_picture, gallery, heat_map, histograms, raster


def test_page_holds_everything_itself(tmp_path):
    report = Report(title="A <title>", summary="summary")
    report.table("Table", ["name", "value"], [["cycles", 12345], ["share", 0.12345]], "a note")
    report.picture("Bars", bars({"a": 1.0, "b": 2.5}, "unit"))
    spikes = np.zeros((3, 2, 4, 4), np.uint8)
    spikes[1, 0, 2, 2] = 1
    report.picture("Input", event_picture(spikes))
    report.picture("Raster", raster({"layer": spikes}))
    page = report.write(tmp_path / "report.html").read_text()
    assert "A &lt;title&gt;" in page
    assert ">12,345<" in page
    assert ">0.1235<" in page or ">0.1234<" in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 3
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert "http" not in page


NAMES = ["$a_$", r"$5\$", "$x$ $y_$"]
"""Formulas for matplotlib, some of them bad ones, and names of classes and layers for us."""
FIGURES = {
    "bars": lambda: bars(dict.fromkeys(NAMES, 1.0), NAMES[0]),
    "curves": lambda: curves({NAMES[0]: {name: [(0, 1), (1, 2)] for name in NAMES}}, NAMES[0]),
    "gallery": lambda: gallery({0: (np.ones((1, 2, 4, 4), np.uint8), NAMES[0], True)}),
    "heat map": lambda: heat_map(np.eye(3), NAMES[0], NAMES[1], NAMES),
    "histograms": lambda: histograms({name: {NAMES[0]: (0.0, 1.0, [1, 2])} for name in NAMES}),
    "raster": lambda: raster({name: np.ones((2, 2, 4, 4), np.uint8) for name in NAMES}),
}


@pytest.mark.parametrize("name", FIGURES)
def test_names_are_no_formulas(name):
    figure = FIGURES[name]()
    Report(title="").picture("Picture", figure)
    shown = [text for text in figure.findobj(Text) if "$" in text.get_text()]
    assert shown and not any(text.get_parse_math() for text in shown)
