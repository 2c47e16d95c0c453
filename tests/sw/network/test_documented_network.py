"""The example of docs/network.md runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "network.md"


def test_the_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    exec(compile(example, str(PAGE), "exec"), {})
    printed = capsys.readouterr().out
    assert printed.startswith("torch.Size([5, 4]) tensor(0.")
    assert float(printed.split("tensor(")[1].rstrip(")\n")) > 0


def test_every_kind_is_named():
    from spikeplane.network.file import KINDS

    page = PAGE.read_text(encoding="utf-8")
    for kinds in KINDS.values():
        for kind in kinds.values():
            assert f"| `{kind.__name__}` |" in page
