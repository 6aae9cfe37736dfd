"""What `clearwork watch` prints of what it earned."""

from rich.console import Console

from oracle.cli.watch import _table
from oracle.services.filing import Conviction
from oracle.services.request_leaves import Bonds


def test_the_table_shows_convictions_and_bonds() -> None:
    conviction = Conviction("withheld_opening", "provider 7", 500, 0, 50, 450, 0, 190_000, "0x01")
    console = Console(record=True, width=100)
    console.print(_table([conviction], 50, Bonds(paid=3_000, returned=2_000, lost=1_000)))
    text = console.export_text()
    assert "withheld_opening" in text
    assert "provider 7" in text
    assert "earned 50" in text
    assert "bonds paid 3,000, returned 2,000, lost 1,000" in text
