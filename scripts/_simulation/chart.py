"""The chart of a run as SVG, readable on light and dark ground, without a library."""

import math
from collections.abc import Callable, Sequence

from scripts._parameters import UNIT
from scripts._simulation.figures import Figures, Kind

WIDTH, ROW, TOP = 960, 30, 78
# columns: names, time to catch, money
NAMES, TIME, TIME_END, MONEY, MONEY_END = 150, 170, 500, 560, 930
DAY = 86_400
TICKS = {1: "1 s", 10: "10 s", 60: "1 min", 600: "10 min", 3_600: "1 h", 21_600: "6 h", DAY: "24 h"}
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 11px; fill: #57606a } .title { font-weight: 600 }
  .grid { stroke: #d0d7de } .axis { stroke: #57606a }
  .range { stroke: #0969da; stroke-width: 3; stroke-linecap: round } .dot { fill: #0969da }
  .loss { fill: #1a7f37 } .gain { fill: #cf222e } .even { fill: #8c959f }
  .limit { font-style: italic }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
    .axis { stroke: #9198a1 } .range { stroke: #4493f8 } .dot { fill: #4493f8 }
    .loss { fill: #3fb950 } .gain { fill: #f85149 }
  }
"""


def chart(run: Figures) -> str:
    """Time to catch and what cheating brings beside honest work, a row for each kind."""
    bottom = TOP + ROW * len(run.kinds)
    place = _money_axis(run.kinds)
    parts = [
        _text(TIME, 24, "Time to catch", "title"),
        _text(TIME, 42, "dot: median; line: to the longest", "small"),
        _text(MONEY, 24, "Net of an honest owner's pay, WORK a card", "title"),
        _text(MONEY, 42, "left: cheating loses; right: it gains; cube roots", "small"),
    ]
    for tick, label in TICKS.items():
        x = _time(tick)
        parts += [_line(x, TOP - 12, x, bottom, "grid")]
        parts += [_text(x, TOP - 18, label, "small", "middle")]
    zero = place(0)
    parts += [_line(zero, TOP - 12, zero, bottom, "axis"), _text(zero, TOP - 18, "0", "small",
                                                                 "middle")]  # fmt: skip
    for number, kind in enumerate(run.kinds):
        parts += _row(kind, TOP + ROW * number + ROW // 2, place)
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 20}" role="img" '
        f'aria-label="Time to catch and gain of each kind of cheat">\n<style>{STYLE}</style>\n'
        f"{body}\n</svg>\n"
    )


def _row(kind: Kind, y: int, place: Callable[[float], int]) -> list[str]:
    parts = [_text(NAMES, y + 4, kind.kind, "" if kind.stoppable else "limit", "end")]
    if kind.median_s is None or kind.longest_s is None:
        parts += [_text(TIME_END, y + 4, "not caught", "small", "end")]
    else:
        median, longest = _time(kind.median_s), _time(kind.longest_s)
        parts += [_line(median, y, longest, y, "range")]
        parts += [f'<circle class="dot" cx="{median}" cy="{y}" r="5"/>']
    difference = (kind.net - kind.honest) / UNIT / kind.cards
    start, end = sorted((place(0), place(difference)))
    if kind.is_even:
        return [
            *parts,
            f'<circle class="even" cx="{place(0)}" cy="{y}" r="5"/>',
            _text(place(0) + 10, y + 4, "as honest", "small"),
        ]
    colour = "loss" if difference < 0 else "gain"
    parts += [
        f'<rect class="{colour}" x="{start}" y="{y - 8}" width="{max(1, end - start)}" '
        'height="16" rx="2"/>'
    ]
    side = ("end", start - 6) if difference < 0 else ("start", end + 6)
    parts += [_text(side[1], y + 4, f"{difference:+,.0f}", "small", side[0])]
    return parts


def _time(seconds: int) -> int:
    """Where a time is: logarithmic, from a second to a day."""
    share = math.log(max(1, seconds)) / math.log(DAY)
    return round(TIME + share * (TIME_END - TIME))


def _money_axis(kinds: Sequence[Kind]) -> Callable[[float], int]:
    """Where an amount is: cube roots, so that 10 and 1 000 are both seen."""
    values = [(kind.net - kind.honest) / UNIT / kind.cards for kind in kinds]
    low, high = math.cbrt(min(0, *values)), math.cbrt(max(1, *values))
    room = MONEY_END - MONEY - 90
    return lambda value: round(MONEY + 45 + (math.cbrt(value) - low) / (high - low) * room)


def _text(x: int, y: int, words: str, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def _line(x1: int, y1: int, x2: int, y2: int, style: str) -> str:
    return f'<line class="{style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
