"""Looking at the page: with axe, on a desktop and on a phone, light and dark, and in pictures."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.async_api import Page, ViewportSize

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
SIZES = {
    "desktop": ViewportSize(width=1180, height=720),
    "phone": ViewportSize(width=390, height=780),
}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NARROWEST_PX = 360
FINDINGS = """async (rules) => {
  const some = rules.length === 0 ? {} : { runOnly: { type: "rule", values: rules } };
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...some });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join()}`);
}"""


def pictures() -> Path | None:
    """The folder that ``scripts/pictures`` asks for; None while nobody wants to see anything."""
    named = os.environ.get("PICTURES")
    return Path(named) if named else None


@dataclass
class Looking:
    """Looks at a page in each of its states, and keeps what it finds."""

    page: Page
    found: dict[str, list[str]] = field(default_factory=dict)

    async def look(self, state: str) -> None:
        """Look at the page as it is now. ``found`` has what is wrong, by state, size and scheme."""
        for size, viewport in SIZES.items():
            await self.page.set_viewport_size(viewport)
            for scheme in SCHEMES:
                await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                if folder := pictures():
                    await self.page.screenshot(path=folder / f"{state}-{size}-{scheme}.png")
                # What depends on the scheme is the contrast alone, and that is the same on a phone.
                if scheme == "light":
                    await self._check(f"{state}-{size}-{scheme}")
                elif size == "desktop":
                    await self._check(f"{state}-{size}-{scheme}", "color-contrast")
        await self.page.set_viewport_size({**SIZES["phone"], "width": NARROWEST_PX})
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        if width > NARROWEST_PX:
            self.found[state] = [f"It is {width} px wide on a phone of {NARROWEST_PX} px."]
        await self.page.set_viewport_size(SIZES["desktop"])

    async def _check(self, name: str, *rules: str) -> None:
        # (As a script from a page would be, axe itself is refused by the policy; the debugger may.)
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text())
        if found := await self.page.evaluate(FINDINGS, list(rules)):
            self.found[name] = found
