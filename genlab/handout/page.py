"""The page itself: the parts put together. A run folder may come from a stranger, so every text of it is escaped where it enters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from genlab.browser import FOLDER as SHARED
from genlab.browser import base64
from genlab.errors import InputError
from genlab.handout.described import Described
from genlab.handout.kinds import Kind
from genlab.handout.numbers import NumberFormat
from genlab.models.catalogue import entry
from genlab.runs import Run

_HERE = Path(__file__).parent


def page(run: Run, model: Any, kind: Kind, described: Described, number_format: NumberFormat) -> bytes:
    """The HTML of a model in UTF-8, its weights in that format; half a character of a stranger's text becomes a question mark."""
    cases = described.cases([number_format.rounded(tensor) for tensor in described.tensors])
    said = {
        "data": described.data,
        "format": number_format.name,
        "shapes": [tensor.shape for tensor in described.tensors],
        "cases": cases,
        "by": described.by,
    }
    parts = {
        "title": escape(run.label),
        "style": _read("page.css"),
        "story": escape(_story(run, model)),
        "main": _read(f"{kind.view}.html"),
        "facts": _facts(_facts_of(run, model, described, number_format, len(cases))),
        "templates": "\n".join(_template(name) for name in kind.components),
        "model": _embedded(said),
        "weights": base64(number_format.packed(described.tensors)),
        "script": _script(kind),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read("page.html")).encode("utf-8", "replace")


def _script(kind: Kind) -> str:
    """All that runs; a component's names are its own, so it stands in a function."""
    components = [
        f"const {name} = (() => {{\n{_shared(f'{name}.js').replace('export default ', 'const mount = ')}\nreturn mount;\n}})();"
        for name in kind.components
    ]
    shared = [_shared(name) for name in ("ink.js", *kind.shared)]
    own = [*kind.scripts, f"{kind.name}.js", f"{kind.view}.js", "page.js"]
    return "\n".join([*shared, *components, *map(_read, own)])


def _template(component: str) -> str:
    style, markup = _shared(f"{component}.css"), _shared(f"{component}.html")
    return f'<template id="{component}-component"><style>\n{style}</style>\n{markup}</template>'


def _embedded(said: Mapping[str, Any]) -> str:
    """JSON that ends no script element, whatever the texts in it are."""
    return json.dumps(said, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _story(run: Run, model: Any) -> str:
    """What this is and how it was trained, in a paragraph."""
    config = run.config
    try:
        known = entry(model.name)
        what = f"{model.name} ({known.paper}): {known.words}"
    except InputError:
        what = f"{model.name}."
    return f"{what} {_training(config)} {_outcome(run)}Everything below is computed in your browser; nothing is sent anywhere."


def _training(config: Mapping[str, Any]) -> str:
    """On what, and how long it was allowed to take."""
    record = config["data"].get("record", {})
    counts = record.get("images") or record.get("points") or {}
    examples = "points" if "points" in record else "images"
    count = f"{counts['train']:,} {examples} of " if isinstance(counts.get("train"), int) else ""
    training = config["training"]
    lasted = [f"{training['minutes']:g} minutes" if training.get("minutes") else ""]
    lasted += [f"{training[name]:,} {name}" for name in ("steps", "epochs") if isinstance(training.get(name), int)]
    length = next((words for words in lasted if words), "as long as it took")
    batch = f", in batches of {training['batch_size']}" if isinstance(training.get("batch_size"), int) else ""
    return f"It was trained on {count}{record.get('name') or config['data']['name']} for {length} at most{batch}."


def _outcome(run: Run) -> str:
    """Its best validation, where the run has recorded one."""
    best = run.best()
    return "" if best is None else f"Its best validation: {run.report.describe(best['values'])}. "


def _facts_of(run: Run, model: Any, described: Described, number_format: NumberFormat, cases: int) -> list[tuple[str, str]]:
    """What stands in the file, for whoever wants to know."""
    from genlab import __version__

    record = {"name": run.config["data"]["name"], **run.config["data"].get("record", {})}
    numbers = sum(tensor.size for tensor in described.tensors)
    settings = ", ".join(f"{name} = {value}" for name, value in model.config["settings"].items())
    return [
        ("model", model.name),
        ("settings", settings),
        ("weights", f"{numbers:,} numbers, {number_format.words}"),
        ("cases", f"{cases}, computed by {described.by} with these very weights when the file was made"),
        ("its data", ", ".join(str(record[name]) for name in ("name", "rule") if record.get(name, "x") != "x")),
        ("seed of its training", str(run.config["seed"])),
        ("made by", f"genlab {__version__}, genlab export {run.name} --html"),
    ]


def _facts(facts: list[tuple[str, str]]) -> str:
    return "\n".join(f"    <dt>{escape(name)}</dt><dd>{escape(words)}</dd>" for name, words in facts)


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8").rstrip("\n")


def _shared(name: str) -> str:
    return (SHARED / name).read_text(encoding="utf-8").rstrip("\n")
