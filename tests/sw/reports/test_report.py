import base64
import re

import numpy as np
from spikeplane.reports.report import Report, bars, event_picture, raster


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
