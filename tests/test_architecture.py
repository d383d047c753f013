"""The house of ARCHITECTURE.md stands as it is drawn: imports point down its floors, and nothing heavy loads before it is used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import genlab

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "streamlit", "sklearn", "PIL")


# --- the drawing and the building ------------------------------------------------------------------------------------------------


def read_floors() -> dict[str, int]:
    """Rooms and their floors, from the table in ARCHITECTURE.md: ``{"genlab.kernels": 2, "genlab.nn": 3, "app": 10, ...}``."""
    rows = re.findall(r"^\| (\d+) \| (.*?) \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.MULTILINE)
    return {module_name(path): int(floor) for floor, rooms in rows for path in re.findall("`(.*?)`", rooms)}


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").strip("/").replace("/", ".")


FLOORS = read_floors()
SOURCES = [ROOT / "app.py", *sorted((ROOT / "genlab").rglob("*.py"))]
MODULES = {module_name(path.relative_to(ROOT).as_posix()): path for path in SOURCES if path.exists()}
# The package itself opens every room on first use, and `python -m genlab` is the command line.
DOORS = {"genlab": "genlab.cli", "genlab.__main__": "genlab.cli"}


def room_of(module: str) -> str | None:
    """The room that `module` belongs to, or None if the drawing does not show it."""
    module = DOORS.get(module, module)
    parts = module.split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in FLOORS), None)


def imports_of(module: str, tree: ast.AST) -> Iterator[str]:
    """Every module that `module` imports when it runs, inside functions too; what only a type checker reads does not count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from imports_of(module, ast.Module(node.orelse, []))
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (resolve(absolute(module, node), alias.name) for alias in node.names)
        else:
            yield from imports_of(module, node)


def absolute(module: str, node: ast.ImportFrom) -> str:
    """The module that ``from ...x import y`` in `module` names."""
    if not node.level:
        return node.module or ""
    is_package = MODULES[module].name == "__init__.py"
    package = module.split(".")[: len(module.split(".")) - node.level + is_package]
    return ".".join([*package, *([node.module] if node.module else [])])


def resolve(module: str, name: str) -> str:
    """What ``from module import name`` imports: a module of that name, or for a public name of genlab the home it resolves to."""
    if f"{module}.{name}" in MODULES or f"{module}.{name}" in FLOORS:
        return f"{module}.{name}"
    return genlab._HOME.get(name, "genlab.errors") if module == "genlab" else module


def imports_by_module() -> dict[str, set[str]]:
    return {
        module: set(imports_of(module, ast.parse(path.read_text(encoding="utf-8"))))
        for module, path in MODULES.items()
        if module != "genlab"
    }


IMPORTS = imports_by_module()


# --- imports point down ----------------------------------------------------------------------------------------------------------


def test_every_module_stands_in_a_room_of_the_drawing():
    assert len(MODULES) > 10
    assert [module for module in MODULES if room_of(module) is None] == []


def test_every_room_of_the_drawing_is_built():
    built = {*MODULES, "genlab._core"}
    assert [room for room in FLOORS if room not in built and not (ROOT / room.replace(".", "/")).is_dir()] == []


def test_no_room_imports_from_a_floor_above():
    upwards = [
        f"{module} (floor {FLOORS[room_of(module)]}) imports {imported} (floor {FLOORS[room_of(imported)]})"
        for module, names in IMPORTS.items()
        for imported in names
        if room_of(imported) and FLOORS[room_of(imported)] > FLOORS[room_of(module)]
    ]
    assert upwards == []


def test_rooms_of_one_floor_do_not_import_each_other_in_a_circle():
    rooms: dict[str, set[str]] = {room: set() for room in FLOORS}
    for module, names in IMPORTS.items():
        rooms[room_of(module)] |= {room_of(name) for name in names} - {None, room_of(module)}
    assert set(TopologicalSorter(rooms).static_order()) == set(FLOORS)


def test_only_the_dashboard_imports_streamlit():
    users = {room_of(module) for module, names in IMPORTS.items() if any(name.split(".")[0] == "streamlit" for name in names)}
    assert users <= {"app", "genlab.app", "genlab.dashboard"}


def test_the_walk_over_imports_sees_what_it_should():
    source = """
        import torch.nn
        from typing import TYPE_CHECKING
        from genlab import errors, create_model, __version__
        from .kernels import masked_conv2d
        if TYPE_CHECKING:
            import hidden
        else:
            import seen
        def later():
            from genlab.models.causal import pixelcnn
            with context:
                import numpy as np
    """
    tree = ast.parse("if True:\n" + source)
    assert list(imports_of("genlab.nn", tree)) == [
        "torch.nn",
        "typing",
        "genlab.errors",
        "genlab.models",
        "genlab.errors",
        "genlab.kernels.masked_conv2d",
        "seen",
        "genlab.models.causal.pixelcnn",
        "numpy",
    ]
    assert room_of("genlab.models.causal.pixelcnn") == "genlab.models"
    assert room_of("numpy") is None


# --- the package opens its rooms late --------------------------------------------------------------------------------------------


def test_importing_genlab_loads_nothing_heavy():
    script = f"import genlab, sys; dir(genlab); print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_kernels_load_no_torch():
    script = f"import genlab, sys; genlab.kernels.KERNELS; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", genlab.__all__)
def test_public_names_resolve(name):
    assert getattr(genlab, name) is not None
    assert name in dir(genlab)


def test_public_names_are_those_with_a_home():
    assert sorted(genlab.__all__) == sorted(["__version__", *genlab._HOME, *genlab._ROOMS])


def test_unknown_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'genlab' has no attribute 'smaple'"):
        genlab.smaple  # noqa: B018
