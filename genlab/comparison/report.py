"""A comparison as one page of HTML: no script, nothing fetched; light or dark as the reader has it, and fit for paper."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from genlab.comparison.findings import balances, findings
from genlab.comparison.outcome import FIGURES, PARTS, Row, columns, conditions, how_sure, leaders, real, rows

TITLE = "Families of generative models, side by side"
_HUES = 6
_SIDE, _GAP = 72, 6  # of an image in a picture of samples, and between two, in pixels
_WIDTH, _LEFT, _LINE, _TOP = 340, 112, 18, 8  # of a strip, in SVG units


def report(document: Mapping[str, Any]) -> str:
    """The page.

    Raises:
        RunError: The document holds what a comparison does not write.
    """
    return "\n".join(_page(document))


def _page(document: Mapping[str, Any]) -> Iterator[str]:
    found, held_out = rows(document), real(document)
    hues = {family: f"hue-{number % _HUES}" for number, family in enumerate(dict.fromkeys(row.family for row in found))}
    style = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{TITLE}</title>'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<style>\n{style}</style>\n</head>\n<body>\n<main>'
    yield f"<h1>{TITLE}</h1>"
    yield f"<p>{escape(' '.join(conditions(document)))}</p>"
    yield from (f"<p><strong>{escape(row.name)}</strong> failed, {escape(failure)}.</p>" for row in found for failure in row.failures)
    if not any(row.seeds for row in found):
        yield "<p>No training is finished yet.</p>\n</main>\n</body>\n</html>"
        return
    yield "<h2>Samples</h2>"
    yield from _samples(found, held_out, hues, str(document.get("data", {}).get("what", "images")))
    yield "<h2>Everything measured</h2>"
    yield from _table(found, held_out, hues)
    yield f"<p class='small'>{escape(how_sure(document))} Bold: nobody is surely better in that line. Real: examples that no model was "
    yield "trained on, measured as if they were samples. An exact likelihood and a bound stand in lines of their own: a bound "
    yield "says only that the truth is no worse.</p>"
    yield "<h2>Pros and cons, as measured</h2>\n<div class='cards'>"
    for balance in balances(found):
        items = [("pro", each) for each in balance.pros] + [("con", each) for each in balance.cons]
        lines = "".join(f"<li class='{kind}'>{escape(each)}</li>" for kind, each in items)
        yield f"<section class='{hues[balance.family]}'><h3>{escape(balance.family)}</h3><ul>{lines}</ul></section>"
    yield "</div>\n<p class='small'>A family is spoken for by its best member; where 95% intervals touch, nothing is claimed.</p>"
    yield from _claims(found, hues)
    yield "<h2>Figure by figure</h2>\n<div class='strips'>"
    yield from (_strip(key, found, held_out, hues) for key in columns(found))
    yield "</div>\n</main>\n</body>\n</html>"


def _samples(found: Sequence[Row], held_out: Row | None, hues: Mapping[str, str], what: str) -> Iterator[str]:
    yield "<div class='wall'>"
    for row in (*([held_out] if held_out else []), *found):
        if row.samples is not None:
            is_real = row is held_out
            name, family = ("real", "never seen in training") if is_real else (escape(row.name), escape(row.family))
            hue = "" if is_real else f" class='{hues[row.family]}'"
            yield f"<figure{hue}><img alt='{what} {'that are real' if is_real else f'drawn by {name}'}' src='{png(row)}'>"
            yield f"<figcaption><strong>{name}</strong><br><span class='family'>{family}</span></figcaption></figure>"
    yield "</div>"


def png(row: Row) -> str:
    """A row's samples as an address that holds the picture itself."""
    from PIL import Image

    from genlab.images import grid

    assert row.samples is not None
    file = io.BytesIO()
    scale = max(1, _SIDE // row.samples.shape[-1])
    picture = grid(row.samples, row.levels, columns=math.isqrt(len(row.samples)), scale=scale, padding=_GAP)
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _table(found: Sequence[Row], held_out: Row | None, hues: Mapping[str, str]) -> Iterator[str]:
    names = "".join(f"<th scope='col'><span class='family {hues[row.family]}'>{escape(row.name)}</span></th>" for row in found)
    yield "<div class='scroll' tabindex='0' role='region' aria-label='Everything measured'><table>"
    yield f"<thead><tr><th scope='col'>figure</th><th scope='col'>real</th>{names}</tr></thead>\n<tbody>"
    keys = columns(found)
    for part, members in PARTS.items():
        if not set(members) & set(keys):
            continue
        yield f"<tr class='part'><th scope='rowgroup' colspan='{len(found) + 2}'>{part}</th></tr>"
        for key in (key for key in members if key in keys):
            ahead = leaders(found, key)
            cells = "".join(f"<td{' class=lead' if row.name in ahead else ''}>{escape(row.text(key))}</td>" for row in found)
            yardstick = held_out.text(key) if held_out and key in held_out.figures else ""
            words = f"{FIGURES[key].words}; {FIGURES[key].better} is better" if FIGURES[key].better else FIGURES[key].words
            yield f"<tr><th scope='row' title='{escape(words)}'>{escape(FIGURES[key].head)}</th><td>{escape(yardstick)}</td>{cells}</tr>"
    yield "</tbody></table></div>"


def _claims(found: Sequence[Row], hues: Mapping[str, str]) -> Iterator[str]:
    yield "<h2>What is said of them, held to the figures</h2>"
    yield "<div class='scroll' tabindex='0' role='region' aria-label='Claims'><table class='words'>"
    head = "".join(f"<th scope='col'>{words}</th>" for words in ("family", "claim", "verdict", "evidence"))
    yield f"<thead><tr>{head}</tr></thead>\n<tbody>"
    for each in findings(found):
        family = f"<span class='family {hues[each.family]}'>{escape(each.family)}</span>"
        yield f"<tr><td>{family}</td><td>{escape(each.claim)} ({escape(each.source)})</td>"
        yield f"<td><strong>{each.verdict}</strong></td><td>{escape(each.evidence)}</td></tr>"
    yield "</tbody></table></div>"


def _strip(key: str, found: Sequence[Row], held_out: Row | None, hues: Mapping[str, str]) -> str:
    """One figure: a dot and its interval a model; a dotted line for real examples. Times and sizes by their ratio."""
    figure = FIGURES[key]
    measured = [row for row in found if key in row.figures]
    yardstick = held_out.figures[key].mean if held_out and key in held_out.figures else None
    is_log = figure.digits is None and all(row.figures[key].mean > 0 for row in measured)
    ends = [end for row in measured for end in row.figures[key].ends] + ([yardstick] if yardstick is not None else [])
    if is_log:
        least = min(row.figures[key].mean for row in measured) / 1.5
        ends = [max(end, least) for end in ends]
    along = math.log if is_log else float
    low, high = along(min(ends)), along(max(ends))
    wide = (high - low) or 1.0

    def x(value: float) -> float:
        place = (along(max(value, min(ends))) - low) / wide
        return round(_LEFT + 8 + place * (_WIDTH - _LEFT - 16), 1)

    parts = []
    bottom = _TOP + _LINE * len(measured)
    if yardstick is not None:
        parts.append(f"<line class='yardstick' x1='{x(yardstick)}' x2='{x(yardstick)}' y1='{_TOP}' y2='{bottom}'/>")
    for number, row in enumerate(measured):
        y = _TOP + _LINE * number + _LINE // 2
        left, right = (x(end) for end in row.figures[key].ends)
        parts.append(f"<g class='{hues[row.family]}'><title>{escape(row.name)}: {escape(row.text(key))}</title>")
        parts.append(f"<text x='{_LEFT - 6}' y='{y + 4}' text-anchor='end'>{escape(row.name)}</text>")
        parts.append(f"<line class='reach' x1='{left}' x2='{right}' y1='{y}' y2='{y}'/>")
        parts.append(f"<circle class='dot' cx='{x(row.figures[key].mean)}' cy='{y}' r='4'/></g>")
    parts.append(f"<line class='axis' x1='{_LEFT}' x2='{_WIDTH}' y1='{bottom + 4}' y2='{bottom + 4}'/>")
    for value, anchor in {max(ends): "end", min(ends): "start"}.items():
        parts.append(f"<text x='{x(value)}' y='{bottom + 18}' text-anchor='{anchor}'>{value:,.4g}</text>")
    told = "; ".join(f"{escape(row.name)} {escape(row.text(key))}" for row in measured)
    better = f"; {figure.better} is better" if figure.better else ""
    by = ", by ratios" if is_log else ""
    return (
        f"<figure><figcaption><strong>{escape(figure.head)}</strong>: {escape(figure.words)}{better}{by}</figcaption>"
        f"<svg viewBox='0 0 {_WIDTH} {bottom + 24}' role='img' aria-label='{escape(figure.head)}: {told}'>{''.join(parts)}</svg></figure>"
    )
