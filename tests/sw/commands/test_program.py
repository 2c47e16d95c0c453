"""What is loaded into a board is what the report of its build names, or an error names the report."""

import sys

import pytest
from spikeplane import cli


@pytest.mark.parametrize(("content", "message"), [
    (b"", "not a readable JSON file: Expecting value"),
    (b'{"bitstream": "\xe9"}', "not a readable JSON file: 'utf-8' codec"),
    (b"{}", 'expected the name of a file as "bitstream", found null'),
    (b"[]", 'expected the name of a file as "bitstream", found null'),
    (b'{"bitstream": 5}', 'expected the name of a file as "bitstream", found 5'),
    (b'{"bitstream": ""}', 'expected the name of a file as "bitstream", found ""'),
])
def test_reports_that_name_no_bitstream_are_named(tmp_path, monkeypatch, capsys, content, message):
    report = tmp_path / "report.json"
    report.write_bytes(content)
    monkeypatch.setattr(sys, "argv", ["spikeplane", "program", "icebreaker", "--directory", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    shown = capsys.readouterr().err
    assert stopped.value.code == 1 and shown.count("\n") == 1
    assert shown.startswith(f"spikeplane: {report}: {message}")
    assert shown.endswith("; run `spikeplane bitstream icebreaker` again\n")
