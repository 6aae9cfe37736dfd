"""Pages of docs that keep the output of a command between marks."""

from pathlib import Path


def update_docs(page: Path, shown: dict[str, str]) -> None:
    """Replace the tables between their marks; others stay."""
    text = page.read_text()
    for name, table in shown.items():
        before, rest = text.split(mark := f"<!-- table: {name} -->\n")
        after = rest.split(end := f"<!-- end of {name} -->\n")[1]
        text = before + mark + table + end + after
    page.write_text(text)
