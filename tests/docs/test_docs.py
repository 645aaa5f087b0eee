"""What is generated from the code is up to date, and what is named exists."""

from __future__ import annotations

import re

from tests.docs.make import DOCS, errors_page, events_page, load_everything

ROOT = DOCS.parent


def test_the_tables_of_facts_and_refusals_are_current() -> None:
    load_everything()
    assert (DOCS / "errors.md").read_text() == errors_page(), "run: make docs"
    assert (DOCS / "events.md").read_text() == events_page(), "run: make docs"


def test_every_file_a_document_names_is_there() -> None:
    named = re.compile(r"\]\(([^)#:]+)\)|`((?:services|shared|tests|docs)/[\w./-]+)`")
    missing = [
        (page.name, found)
        for page in [*ROOT.glob("*.md"), *DOCS.rglob("*.md")]
        for pair in named.findall(page.read_text())
        for found in pair
        if found and not (ROOT / found).exists() and not (page.parent / found).exists()
    ]
    assert missing == []


def test_the_readme_shows_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert "```sh\nmake run\n```" in text
    assert "```sh\nmake test\n```" in text
