"""How charts look, in light and in dark: colours are classes, and the scheme of the reader decides.

A chart brings its own background. It can be read on a page whose scheme is not that of the system.
"""

from __future__ import annotations

SERIES = (
    ("#2b5d8a", "#7fb2e0"),
    ("#b5482f", "#ef8b72"),
    ("#2f7d5b", "#74c7a2"),
    ("#7a5c99", "#bfa3dd"),
    ("#8a6d1f", "#d9bb63"),
    ("#4a4f57", "#b3b9c2"),
    ("#a03a74", "#f08cc0"),
    ("#1f7a86", "#6cc9d6"),
)
"""Colours of series, for light and dark backgrounds."""


def stylesheet() -> str:
    """Return the style element of a chart."""
    light = [
        ".card{fill:#fff}",
        "text{fill:#26282b}",
        ".faint{stroke:#dfe2e6}",
        ".axis{stroke:#26282b}",
    ]
    dark = [
        ".card{fill:#1b1e22}",
        "text{fill:#e6e8eb}",
        ".faint{stroke:#3a3f46}",
        ".axis{stroke:#e6e8eb}",
    ]
    for place, (on_light, on_dark) in enumerate(SERIES):
        for rules, colour in ((light, on_light), (dark, on_dark)):
            rules.append(f".s{place}{{fill:{colour};stroke:{colour}}}")
    return (
        f"<style>{''.join(light)}polyline{{fill:none!important;stroke-width:2}}rect{{stroke:none!important}}"
        f"text{{stroke:none!important}}@media(prefers-color-scheme:dark){{{''.join(dark)}}}</style>"
    )


def frame(width: int, height: int, title: str, body: list[str]) -> str:
    """Return a whole SVG; the title is escaped already."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="13">',
            f"<title>{title}</title>",
            stylesheet(),
            f'<rect class="card" width="{width}" height="{height}" rx="6"/>',
            *body,
            "</svg>\n",
        ]
    )
