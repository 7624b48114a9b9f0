"""Draws ratios as bars, as an SVG that reads well on light and on dark pages."""

from dataclasses import dataclass
from html import escape

WIDTH, LABELS, VALUES, ROW, BAR, TOP, BOTTOM = 780, 310, 150, 30, 16, 34, 12
# A longer bar is cut off at an arrow, so that one of them does not make the others unreadable.
LONGEST = 1.25

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .page { fill: #ffffff } .met { fill: #0969da } .missed { fill: #bc4c00 }
  .quiet { fill: #59636e } .line { stroke: #818b98 } .target { stroke: #1f2328; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .page { fill: #0d1117 } .met { fill: #4493f8 } .missed { fill: #f0883e }
    .quiet { fill: #9198a1 } .line { stroke: #656c76 } .target { stroke: #f0f6fc }
  }
"""


@dataclass
class Bar:
    """A ratio to the reference, and the largest one that is good enough."""

    label: str
    ratio: float
    target: float


def svg(title: str, bars: list[Bar]) -> str:
    scale = (WIDTH - LABELS - VALUES) / LONGEST
    height = TOP + ROW * len(bars) + BOTTOM
    one = LABELS + scale
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="6"/>',
        f'<text class="quiet" x="{one:.1f}" y="20" text-anchor="middle">reference</text>',
        f'<line class="line" x1="{one:.1f}" x2="{one:.1f}" y1="{TOP - 6}" y2="{height - BOTTOM}"/>',
    ]
    for i, bar in enumerate(bars):
        middle = TOP + ROW * i + ROW / 2
        top, bottom = middle - BAR / 2, middle + BAR / 2
        tip, target = LABELS + scale * min(bar.ratio, LONGEST), LABELS + scale * bar.target
        shoulder = tip - BAR / 2 * (bar.ratio > LONGEST)
        kind = "met" if bar.ratio <= bar.target else "missed"
        lines += [
            f'<text x="{LABELS - 10}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(bar.label)}</text>',
            f'<path class="{kind}" d="M{LABELS} {top:.1f} H{shoulder:.1f} L{tip:.1f} {middle:.1f} L{shoulder:.1f} '
            f'{bottom:.1f} H{LABELS} z"/>',
            f'<line class="target" x1="{target:.1f}" x2="{target:.1f}" y1="{top - 4:.1f}" y2="{bottom + 4:.1f}"/>',
            f'<text x="{WIDTH - VALUES + 12}" y="{middle + 4.5:.1f}">{bar.ratio:.2f} '
            f'<tspan class="quiet">target ≤ {bar.target:.1f}</tspan></text>',
        ]
    return "\n".join([*lines, "</svg>", ""])
