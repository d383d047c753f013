"""What lives as long as the server: modules are loaded by one visit at a time, and taken out of the garbage collector's sight.

Python breaks a deadlock between two threads that load modules which need each other by handing one of them a module half loaded;
eight browsers that come at once are eight such threads.

Streamlit collects all garbage after every rerun, and messages to the browser wait meanwhile. With torch and Altair loaded that is a sixth
of a second spent on looking at modules that never go away.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from threading import Lock

_LOADING = Lock()
_loaded: set[str] = set()
_modules_seen = 0


def load_once(names: Iterable[str]) -> None:
    """Load modules that others may be about to load too; who comes later waits until they are whole."""
    for name in names:
        if name not in _loaded:
            with _LOADING:
                import_module(name)
                _loaded.add(name)


def spare_modules() -> None:
    """Freeze what is there, if modules have come since the last time.

    Modules come a few times in a server's life, so that what else is frozen by the way is bounded; cycles of garbage go first.
    """
    global _modules_seen
    if len(sys.modules) > _modules_seen:
        _modules_seen = len(sys.modules)
        gc.collect()
        gc.freeze()
