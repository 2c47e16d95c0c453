"""The commit that a result names."""

import subprocess

from spikeplane.provenance import commit, provenance


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_is_that_of_the_file(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    file = tmp_path / "module.py"
    file.write_text("a")
    assert commit(file) == ""
    git(tmp_path, "add", "module.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert commit(file) == head
    file.write_text("b")
    assert commit(file) == f"{head}-dirty"
    # Installed in a virtual environment within a checkout of something else.
    (tmp_path / "other.py").write_text("c")
    assert commit(tmp_path / "other.py") == ""
    monkeypatch.setenv("PATH", "")
    assert commit(file) == ""


def test_a_result_names_version_and_date():
    found = provenance()
    assert found["version"] and found["commit"] and found["date"].startswith("2")
