"""The manual: its site builds without a warning, asks no other host, and what it says is in the source."""

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("hw", "sw", "boards")
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""What a browser fetches without being asked: the attribute of each element."""


class Sources(HTMLParser):
    """Collects what a page loads."""

    def __init__(self):
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the source of an element."""
        self.found += [value or "" for name, value in attrs if name == LOADED.get(tag)]


def loaded(page: str) -> list[str]:
    """Return the addresses that a page loads."""
    sources = Sources()
    sources.feed(page)
    return sources.found


def outside(addresses: list[str]) -> list[str]:
    """Return those of other hosts."""
    return [address for address in addresses if re.match(r"(\w+:)?//", address)]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The manual as a site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_page_is_in_the_site(site):
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}
    text = (site / "api.html").read_text(encoding="utf-8")
    assert "spikeplane.device.driver.Driver" in text and ":func:" not in text


def test_the_site_asks_no_other_host(site):
    pages = list(site.rglob("*.html"))
    addresses = [address for page in pages for address in loaded(page.read_text(encoding="utf-8"))]
    addresses += [
        address for sheet in site.rglob("*.css")
        for address in re.findall(r"(?:url\(|@import )['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8"))
    ]
    assert len(addresses) > len(pages)
    assert outside(addresses) == []
    assert outside(loaded('<link href="//fonts.example/a.css"><a href="https://example"><img src="b.png">')) == [
        "//fonts.example/a.css"
    ]


def test_the_architecture_is_that_of_the_core():
    spec = importlib.util.spec_from_file_location("make_architecture", DOCS / "make_architecture.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # Dataclasses look their module up.
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.page(), "run python docs/make_architecture.py"
    assert module.PICTURE.read_text(encoding="utf-8") == module.picture(), "run python docs/make_architecture.py"


def messages() -> list[str]:
    """Return the messages of the page on troubles."""
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    return re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)


@pytest.fixture(scope="module")
def source() -> str:
    """The packages' source, strings that go on in the next line joined."""
    text = "".join(
        path.read_text(encoding="utf-8") for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))
    )
    return re.sub(r'"\n\s*f?"', "", text)


def test_messages_are_found():
    assert len(messages()) > 25


@pytest.mark.parametrize("message", messages())
def test_messages_are_those_of_the_source(message, source):
    assert message in source
