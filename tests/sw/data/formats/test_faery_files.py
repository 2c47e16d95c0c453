"""Event Stream files."""

import pytest
from recording_samples import event_stream, random_events
from spikeplane.data.formats.events import RecordingError
from spikeplane.data.formats.faery_files import read_faery

pytest.importorskip("faery")
EVENTS = random_events(250, 70, 50)


@pytest.mark.parametrize("kind", ["dvs", "atis"])
def test_a_cut_file_is_refused(tmp_path, kind):
    path = tmp_path / "sample.es"
    raw = event_stream(EVENTS, 70, 50, kind)
    for cut in (1, 2, 3, 4):
        path.write_bytes(raw[:-cut])
        with pytest.raises(RecordingError, match=f"cut: an event of 5 bytes has {5 - cut} at the end of the file"):
            read_faery(path)
    path.write_bytes(raw + (b"\xff\xfe" if kind == "dvs" else b"\xfd\xfc"))
    assert read_faery(path).events.tolist() == EVENTS.tolist()


@pytest.mark.parametrize(("raw", "message"), [
    (event_stream(EVENTS, 70, 50)[:19], "expected a file that begins with Event Stream, version 2, of a DVS or ATIS"),
    (event_stream(EVENTS, 70, 50).replace(b"Stream\x02", b"Stream\x01"), "expected a file that begins with"),
    (event_stream(EVENTS[:0], 70, 50), "the recording has no events"),
    (event_stream(EVENTS, 60, 50), r"not a readable recording: .*x"),
])
def test_wrong_files_are_refused(tmp_path, raw, message):
    path = tmp_path / "sample.es"
    path.write_bytes(raw)
    with pytest.raises(RecordingError, match=message):
        read_faery(path)


def test_another_size_is_refused(tmp_path):
    path = tmp_path / "sample.es"
    path.write_bytes(event_stream(EVENTS, 70, 50))
    with pytest.raises(RecordingError, match="the file's height is 50, not 60"):
        read_faery(path, None, 70, 60)
