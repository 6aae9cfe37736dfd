"""The chart of a run as SVG, readable on light and dark ground, without a library."""

from collections.abc import Callable, Sequence

from oracle.domain.demand import UNIT
from scripts._demand.market import Day, Scenario
from scripts._demand.tables import BAND, WATCHED, income

WIDTH, LEFT, RIGHT = 960, 70, 930
# panels: top and bottom
INCOME, VAULTS = (70, 300), (370, 520)
# income above is cut off, and the chart says so
HIGHEST = 250
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .small { font-size: 11px; fill: #57606a } .title { font-weight: 600 }
  .grid { stroke: #d0d7de } .shock { stroke: #57606a; stroke-dasharray: 4 4 }
  .band { fill: #1a7f37; opacity: 0.15 } polyline { fill: none; stroke-width: 2 }
  .demand { stroke: #0969da } .halving { stroke: #cf222e } .fees { stroke: #9a6700 }
  .of-demand { fill: #0969da } .of-halving { fill: #cf222e } .of-fees { fill: #9a6700 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 } .grid { stroke: #3d444d }
    .shock { stroke: #9198a1 } .band { fill: #3fb950 }
    .demand { stroke: #4493f8 } .halving { stroke: #f85149 } .fees { stroke: #d29922 }
    .of-demand { fill: #4493f8 } .of-halving { fill: #f85149 } .of-fees { fill: #d29922 }
  }
"""


def chart(days: Sequence[Day], scenario: Scenario) -> str:
    """Suppliers' income under both policies, and below it what the policy `demand` has left."""
    x = _scale(0, len(days) - 1, LEFT, RIGHT)
    y = _scale(0, HIGHEST, INCOME[1], INCOME[0])
    most = max(max(day.allowance, day.fee_vault) for day in days)
    vault = _scale(0, most, VAULTS[1], VAULTS[0])
    first, last = scenario.shock_day, min(scenario.shock_day + WATCHED, len(days) - 1)
    parts = [
        _text(LEFT, 24, "Suppliers' income, percent of target in USD", "title"),
        _text(LEFT, 44, "policy demand", "of-demand"),
        _text(LEFT + 120, 44, "policy halving", "of-halving"),
        _text(LEFT + 240, 44, f"shaded: within {BAND} % of target for {WATCHED} days", "small"),
        f'<rect class="band" x="{x(first)}" y="{y(100 + BAND)}" width="{x(last) - x(first)}" '
        f'height="{y(100 - BAND) - y(100 + BAND)}"/>',
        _text(LEFT, VAULTS[0] - 26, "What the policy demand has left, WORK", "title"),
        _text(LEFT + 300, VAULTS[0] - 26, "allowance", "of-demand"),
        _text(LEFT + 390, VAULTS[0] - 26, "fee vault", "of-fees"),
    ]
    for percent in (0, 50, 100, 150, 200, HIGHEST):
        label = f"{percent} +" if percent == HIGHEST else str(percent)
        parts += [_line(LEFT, y(percent), RIGHT, y(percent), "grid")]
        parts += [_text(LEFT - 8, y(percent) + 4, label, "small", "end")]
    for amount in (0, most // 2, most):
        parts += [_line(LEFT, vault(amount), RIGHT, vault(amount), "grid")]
        label = f"{amount // UNIT:,}"
        parts += [_text(LEFT - 8, vault(amount) + 4, label, "small", "end")]
    for number in range(0, len(days), 60):
        parts += [_text(x(number), VAULTS[1] + 18, f"day {number}", "small", "middle")]
    parts += [
        _line(x(first), INCOME[0], x(first), VAULTS[1], "shock"),
        _text(
            x(first) + 6,
            INCOME[0] + 12,
            f"demand -{100 - scenario.demand_after_bps // 100} %, "
            f"price -{100 - scenario.price_after_bps // 100} %",
            "small",
        ),
        _path([(x(d.day), y(min(income(d, "halving"), HIGHEST))) for d in days], "halving"),
        _path([(x(d.day), y(min(income(d, "demand"), HIGHEST))) for d in days], "demand"),
        _path([(x(d.day), vault(d.allowance)) for d in days], "demand"),
        _path([(x(d.day), vault(d.fee_vault)) for d in days], "fees"),
    ]
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {VAULTS[1] + 36}" '
        'role="img" aria-label="Income of suppliers under both supply policies before and after a '
        f'shock">\n<style>{STYLE}</style>\n{body}\n</svg>\n'
    )


def _scale(low: float, high: float, start: int, end: int) -> Callable[[float], int]:
    return lambda value: round(start + (value - low) / (high - low) * (end - start))


def _path(points: Sequence[tuple[int, int]], style: str) -> str:
    return f'<polyline class="{style}" points="{" ".join(f"{x},{y}" for x, y in points)}"/>'


def _text(x: int, y: int, words: str, style: str = "", anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def _line(x1: int, y1: int, x2: int, y2: int, style: str) -> str:
    return f'<line class="{style}" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>'
