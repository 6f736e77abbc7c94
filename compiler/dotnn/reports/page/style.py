"""The looks of the page: light and dark, on screens of any width, and on paper."""

from __future__ import annotations

from dotnn.reports.diagram.svg import STYLE as DIAGRAM
from dotnn.reports.page.markup import scoped
from dotnn_runtime.pictures.style import STYLE as CHART

LIGHT = {
    "ink": "#1b1b1b",
    "ground": "#ffffff",
    "quiet": "#51585f",
    "good": "#00694b",
    "bad": "#a03c00",
    "line": "#767c83",
}
DARK = {
    "ink": "#e8e8e8",
    "ground": "#16181c",
    "quiet": "#a7b0bb",
    "good": "#2fd1a5",
    "bad": "#f0a35e",
    "line": "#8b95a3",
}
"""Colours by what they are for; all texts have the contrast that WCAG 2 asks for at AA."""


def _colours(colours: dict[str, str]) -> str:
    return "; ".join(f"--{name}: {colour}" for name, colour in colours.items())


STYLE = f"""
:root {{ color-scheme: light dark; {_colours(LIGHT)} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}
* {{ box-sizing: border-box }}
body {{ color: var(--ink); background: var(--ground); font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem;
  margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 1rem 0 .25rem }}
h2 {{ font-size: 1.25rem; border-bottom: 1px solid var(--line); margin: 2.5rem 0 .75rem; padding-bottom: .25rem }}
h3 {{ font-size: 1rem; margin: 1.5rem 0 .5rem }} p {{ margin: .5rem 0; max-width: 42rem }}
nav ul {{ list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem }} a {{ color: inherit }}
.quiet, .said {{ color: var(--quiet); font-size: .875rem }} .good {{ color: var(--good); font-weight: 600 }}
.bad {{ color: var(--bad); font-weight: 600 }} .findings li {{ margin-bottom: .5rem }}
.scroll {{ overflow-x: auto; overflow-y: hidden; padding-block: .25rem; max-width: 100%; margin: .5rem 0 }}
pre {{ font: .8125rem/1.5 ui-monospace, Menlo, Consolas, monospace; margin: 0; overflow-wrap: normal }}
table {{ border-collapse: collapse; font-size: .875rem; overflow-wrap: normal }}
th, td {{ padding: .2rem .75rem .2rem 0; text-align: left; white-space: nowrap; vertical-align: top }}
thead th {{ border-bottom: 1px solid var(--line) }} tbody th {{ font-weight: 400 }}
.number {{ text-align: right; font-variant-numeric: tabular-nums }} figure {{ margin: 0 }}
.chart svg {{ max-width: max(100%, 36rem); height: auto; display: block }}
.network svg {{ display: block; max-width: none }}
details {{ margin: .5rem 0 }} summary {{ cursor: pointer; font-weight: 600 }} math {{ font-size: 1.1em }}
.loop {{ border-left: 3px solid var(--line); padding-left: 1rem }}
@media print {{ body {{ max-width: none; padding: 0; font-size: 10pt }} nav {{ display: none }}
  figure, tr, li {{ break-inside: avoid-page }} h2, h3 {{ break-after: avoid }} h2 {{ margin-top: 1.5rem }}
  .scroll {{ overflow: visible }} pre {{ white-space: pre-wrap }}
  .network svg {{ max-width: 100%; max-height: 22cm; height: auto }} }}
{scoped(CHART, ".chart")}
{scoped(DIAGRAM, ".network")}
"""
