"""The chart of a run as SVG: what each case gains beside honest play, without a library."""

import math
from collections.abc import Sequence
from html import escape

from scripts._incentives.studies import Result
from scripts._parameters import UNIT
from scripts._simulation.chart import STYLE

WIDTH, ROW, TOP = 1_000, 22, 60
# columns: names, money
NAMES, MONEY, MONEY_END = 540, 560, 980
# room for figures beside the bars
MARGIN = 65


def chart(results: Sequence[Result]) -> str:
    """A row for each case; cube roots, so that 10 and 10 000 are both seen."""
    bottom = TOP + ROW * len(results)
    roots = [math.cbrt(each.gain / UNIT) for each in results]
    low, high = min(0.0, *roots), max(1.0, *roots)
    scale = (MONEY_END - MONEY - 2 * MARGIN) / (high - low)

    def place(root: float) -> int:
        return round(MONEY + MARGIN + (root - low) * scale)

    zero = place(0)
    parts = [
        f'<text class="title" x="{MONEY}" y="22">Gain beside honest play, WORK</text>',
        f'<text class="small" x="{MONEY}" y="40">left: the strategy loses; right: it gains; '
        "cube roots</text>",
        f'<line class="axis" x1="{zero}" y1="{TOP - 8}" x2="{zero}" y2="{bottom}"/>',
    ]
    for number, (each, root) in enumerate(zip(results, roots, strict=True)):
        y = TOP + ROW * number + ROW // 2
        style = "small" if each.stoppable else "small limit"
        name = escape(f"{each.strategy}: {each.case}")
        parts.append(
            f'<text class="{style}" x="{NAMES}" y="{y + 4}" text-anchor="end">{name}</text>'
        )
        start, end = sorted((zero, place(root)))
        colour = "loss" if root < 0 else "gain" if root > 0 else "even"
        parts.append(
            f'<rect class="{colour}" x="{start}" y="{y - 6}" width="{max(1, end - start)}" '
            'height="12" rx="2"/>'
        )
        anchor, x = ("end", start - 5) if root < 0 else ("start", end + 5)
        parts.append(
            f'<text class="small" x="{x}" y="{y + 4}" text-anchor="{anchor}">'
            f"{each.gain / UNIT:+,.0f}</text>"
        )
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 16}" role="img" '
        f'aria-label="What each strategy gains beside honest play">\n<style>{STYLE}</style>\n'
        f"{body}\n</svg>\n"
    )
