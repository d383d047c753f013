"""``python -m genlab.benchmark.document``: every measured number and plot of the documents, out of the files of ``genlab bench --json``.

A document marks its measured passages with comments, which a reader of the page does not see:

    <!-- bench training.pixelcnn32_float32_over_torch .1f -->3.9<!-- /bench -->

The words are a table's name and a figure's key, then a format. Longer passages: ``machines`` (what the files were measured on),
``grid TABLE key=value …`` (the cases with these settings, sides against cases). What lies between the marks is written here, and a test
holds it to the files. What was not measured yet says so.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from genlab.benchmark.plots import Panel, Series, figure
from genlab.errors import InputError, unknown_name

FILES = "docs/benchmarks"
PLOTS = "docs/plots"
DOCUMENTS = ("README.md", "docs/performance.md")
UNKNOWN = "not measured yet"
PASSAGE = re.compile(r"(<!-- bench (.*?) -->)(.*?)(<!-- /bench -->)", re.DOTALL)

Tables = Mapping[str, Mapping[str, Any]]


def main(root: Path) -> None:
    """Writes documents and plots anew."""
    tables = read_tables(root / FILES)
    for name in DOCUMENTS:
        document = root / name
        document.write_text(rendered(document.read_text(encoding="utf-8"), tables), encoding="utf-8")
    (root / PLOTS).mkdir(exist_ok=True)
    for name, text in plots(tables).items():
        (root / PLOTS / name).write_text(text, encoding="utf-8")


def read_tables(folder: Path) -> Tables:
    """All tables in the files of a folder, by name; each also knows its file's ``machine`` and ``settings``.

    Raises:
        InputError: Two files hold the same table, or a file holds a quick run.
    """
    tables: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["settings"]["quick"]:
            raise InputError(f"{path.name} must be written without --quick: documents show full measurements")
        for table in document["tables"]:
            if table["name"] in tables:
                raise InputError(f"table {table['name']!r} must be in one file; got {tables[table['name']]['file']!r} and {path.name!r}")
            tables[table["name"]] = {**table, "file": path.name, "machine": document["machine"], "settings": document["settings"]}
    return tables


# --- passages --------------------------------------------------------------------------------------------------------------------


def rendered(text: str, tables: Tables) -> str:
    """The text of a document with every passage written anew."""
    return PASSAGE.sub(lambda match: match[1] + passage(match[2].split(), tables) + match[4], text)


def passage(words: Sequence[str], tables: Tables) -> str:
    """What stands between the marks of one passage."""
    match words:
        case ["machines"]:
            return f"\n{_machines(tables)}\n"
        case ["grid", table, *conditions]:
            return f"\n{_grid(table, dict(condition.split('=', 1) for condition in conditions), tables)}\n"
        case [place, form]:
            value = value_of(place, tables)
            return UNKNOWN if value is None else format(value, form)
    raise InputError(f"a passage must be `machines`, `grid TABLE …` or `TABLE.FIGURE FORMAT`; got {' '.join(words)!r}")


def value_of(place: str, tables: Tables) -> float | None:
    """A figure, ``"table.key"``; None if its table is in no file, or holds None.

    Raises:
        InputError: The table is there and has no such figure.
    """
    name, key = place.split(".", 1)
    if name not in tables:
        return None
    figures = {found["key"]: found["value"] for found in tables[name]["figures"]}
    if key not in figures:
        raise unknown_name(f"figure of table {name!r}", key, figures)
    value: float | None = figures[key]
    return value


def _machines(tables: Tables) -> str:
    """One line for each file."""
    files = {table["file"]: table for table in tables.values()}
    if not files:
        return UNKNOWN
    lines = ["| file | measured | on | with |", "|---|---|---|---|"]
    for name, table in sorted(files.items()):
        machine = table["machine"]
        versions = ", ".join(f"{package} {number}" for package, number in machine["versions"].items())
        where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}"
        how = f"{machine['threads']} threads, {machine['isa']}, {machine['compiler']}; {versions}"
        lines.append(f"| [{name}](benchmarks/{name}) | {machine['date']} | {where} | {how} |")
    return "\n".join(lines)


def _grid(name: str, conditions: Mapping[str, str], tables: Tables) -> str:
    """Sides against the cases whose settings hold; medians, and in brackets the median over native's."""
    if name not in tables:
        return UNKNOWN
    table = tables[name]
    cases = [case for case in table["cases"] if all(_as_word(case["settings"][key]) == word for key, word in conditions.items())]
    if not cases:
        raise InputError(f"a passage must name cases that are there; table {name!r} has none with {dict(conditions)}")
    unit, factor = ("MB", 1e-6) if table["unit"] == "bytes" else ("ms", 1e3)
    sides = list(dict.fromkeys(side["side"] for case in cases for side in case["sides"]))
    head = [f"{unit} (÷ native)", *(label(name, case["settings"]) for case in cases)]
    lines = [_row(head), _row(["---"] + ["---:"] * len(cases))]
    for side in sides:
        cells = []
        for case in cases:
            found = next((candidate for candidate in case["sides"] if candidate["side"] == side), None)
            cells.append(_cell(found, factor))
        lines.append(_row([f"**{side}**" if side == "native" else side, *cells]))
    return "\n".join(lines)


def _cell(side: Mapping[str, Any] | None, factor: float) -> str:
    if side is None:
        return ""
    if side["median"] is None:
        return "failed" if side["failure"] else "–"
    number = _three_digits(side["median"] * factor)
    # What is no peer computes something else: a ratio would invite comparison.
    return f"{number} ({_three_digits(side['ratio'])}×)" if side["role"] == "peer" else number


def _three_digits(value: float) -> str:
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _as_word(value: Any) -> str:
    return json.dumps(value).strip('"')


def label(table: str, settings: Mapping[str, Any]) -> str:
    """A case as a column's head."""
    if table == "kernels":
        height, kernel = settings["image_size"][0], settings["kernel_size"][0]
        return f"{settings['in_channels']}→{settings['out_channels']}, {height}², {kernel}×{kernel} {settings['mask']}"
    if "model" not in settings:
        return str(settings.get("kind", ""))
    model = settings["model"]
    if table == "systems":
        return str(model["family"])
    return f"{settings['images']} × {model['image_shape'][1]}², PixelCNN h={model['channels']}, {model['blocks']} blocks"


# --- plots -----------------------------------------------------------------------------------------------------------------------


def plots(tables: Tables) -> dict[str, str]:
    """SVG text by file name."""
    return {
        "roofline.svg": figure([_roofline(tables)], height=420),
        "growth-training.svg": figure(list(_growth(tables, "growth-training", "ms per image and step", _training_lines))),
        "growth-sampling.svg": figure(list(_growth(tables, "growth-sampling", "ms per image", _sampling_lines))),
    }


def _roofline(tables: Tables) -> Panel:
    """Operations a second over operations a byte: the roofs, and what kernels, steps and draws reach of them."""

    def known(*keys: str) -> list[float]:
        return [value for key in keys if (value := value_of(f"roofline.{key}", tables)) is not None] if "roofline" in tables else []

    peaks = known("peak_gigaflops", "peak_bfloat16_gigaflops")
    if not peaks:
        return Panel("Roofline", "", "", ())
    low, high = 0.25, 20_000.0
    series = [
        Series(f"{name}: {peak:,.0f} GF/s", [(low, peak), (high, peak)], roof=True)
        for name, peak in zip(("peak float32", "peak bfloat16"), peaks, strict=False)
    ]
    for name, key in (("memory", "read_131072_gigabytes"), ("second-level cache", "read_512_gigabytes")):
        for rate in known(key):
            series.append(Series(f"{name}: {rate:,.0f} GB/s", [(low, rate * low), (peaks[0] / rate, peaks[0])], roof=True))
    # Shares of the peak in their own run, times the peak: the clock of a shared machine differs between runs.
    for name, table, suffix, keep in (
        ("convolution, forward", "kernels", "_forward", lambda key: True),
        ("convolution, forward + backward", "kernels", "_forward_backward", lambda key: True),
        ("training step, float32", "training", "_float32", lambda key: True),
        ("training step, bfloat16", "training", "_bfloat16", lambda key: True),
        ("draws of 1 to 256 images", "growth-sampling", "", lambda key: key.startswith("side28_width32_")),
    ):
        peak = peaks[-1] if "bfloat16" in suffix else peaks[0]
        points = sorted((intensity, share * peak) for key, intensity, share in _shares(tables, table) if key.endswith(suffix) and keep(key))
        if points:
            series.append(Series(name, points, marks=table != "growth-sampling"))
    return Panel("What is reached, under what is possible", "operations per byte", "GF/s", series, width=900)


def _shares(tables: Tables, table: str) -> Iterator[tuple[str, float, float]]:
    """``(key, intensity, share of peak)`` of all cases of a table that have both."""
    figures = {found["key"]: found["value"] for found in tables.get(table, {"figures": []})["figures"]}
    for key, intensity in figures.items():
        stem = key.removesuffix("_intensity")
        share = figures.get(f"{stem}_share_of_peak")
        if stem != key and intensity is not None and share is not None:
            yield stem, intensity, share


Lines = Mapping[str, Callable[[Mapping[str, Any]], bool]]
_training_lines: Lines = {
    "native": lambda side: side["side"] == "native",
    "native, one thread": lambda side: side["side"] == "native, one thread",
    "torch eager, best form": lambda side: side["process"] == "torch",
    "torch.compile": lambda side: side["process"] == "torch.compile",
}
_sampling_lines: Lines = {
    "native": lambda side: side["side"] == "native",
    "native, one thread": lambda side: side["side"] == "native, one thread",
    "native, one forward pass": lambda side: side["side"] == "native, one forward pass",
    "torch cached": lambda side: side["side"] == "torch cached",
    "torch naive": lambda side: side["side"].startswith("torch naive"),
}


def _growth(tables: Tables, table: str, y_label: str, lines: Lines) -> Iterator[Panel]:
    """Time an image over side, width and batch, each varied alone."""
    cases = tables[table]["cases"] if table in tables else []
    axes: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float]], ...] = (
        ("Larger images", "side in pixels", lambda settings: settings["model"]["image_shape"][1]),
        ("Wider networks", "h, half the channels", lambda settings: settings["model"]["channels"]),
        ("Larger batches", "images", lambda settings: settings["images"]),
    )
    for title, x_label, x_of in axes:
        others = [other for _, _, other in axes if other is not x_of]
        # The line through the point that all three have in common: 28×28, h = 32, 16 images.
        common = {"model": {"image_shape": [1, 28, 28], "channels": 32}, "images": 16}
        on_line = [case for case in cases if all(other(case["settings"]) == other(common) for other in others)]
        on_line.sort(key=lambda case: x_of(case["settings"]))
        series = []
        for name, chosen in lines.items():
            points = []
            for case in on_line:
                times = [side["median"] for side in case["sides"] if side["median"] is not None and chosen(side)]
                if times:
                    points.append((x_of(case["settings"]), 1e3 * min(times) / case["settings"]["images"]))
            if points:
                series.append(Series(name, points))
        yield Panel(title, x_label, y_label, series, x_ticks=[x_of(case["settings"]) for case in on_line], width=320)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
