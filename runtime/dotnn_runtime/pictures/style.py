"""The looks of pictures: colours that colour-blind people can tell apart (Okabe and Ito 2008), light and dark."""

from __future__ import annotations

LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#e69f00", "#5b6470")
DARK = ("#56b4e9", "#e69f00", "#2fd1a5", "#e7a8cb", "#f0e442", "#0072b2", "#d55e00", "#a7b0bb")
DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4", "4 2 1 2", "3 5")
COLOURS = len(LIGHT)
SHADES = 8
"""How many strengths a shade of colour has, from 1; 0 is the ground."""


def _rules(colours: tuple[str, ...], ground: str, ink: str) -> str:
    lines = [f"svg {{ color: {ink}; background: {ground} }}"]
    for i, colour in enumerate(colours):
        lines.append(f".s{i} {{ stroke: {colour} }} .f{i} {{ fill: {colour} }}")
    return "\n".join(lines)


STYLE = f"""
svg {{ font: 12px system-ui, sans-serif }}
text {{ fill: currentColor }} .title {{ font-size: 15px; font-weight: 600 }} .head {{ font-weight: 600 }}
.small {{ font-size: 10px }} .cell {{ font-size: 11px }}
.grid {{ stroke: currentColor; opacity: .15 }} .axis {{ stroke: currentColor; fill: none }}
.line {{ fill: none; stroke-width: 1.8; stroke-linejoin: round }} .dot {{ fill: currentColor }}
.point {{ stroke: currentColor; stroke-width: .8 }} .frame {{ fill: none; stroke: currentColor; opacity: .4 }}
{chr(10).join(f".line.s{i} {{ stroke-dasharray: {dash} }}" for i, dash in enumerate(DASHES) if dash)}
{chr(10).join(f".a{k} {{ fill-opacity: {k / SHADES:.3g}; shape-rendering: crispEdges }}" for k in range(1, SHADES + 1))}
{_rules(LIGHT, "#ffffff", "#1b1b1b")}
@media screen and (prefers-color-scheme: dark) {{
{_rules(DARK, "#16181c", "#e8e8e8")}
}}
"""
