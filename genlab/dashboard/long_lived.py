"""What lives as long as the server is taken out of the garbage collector's sight.

Streamlit collects all garbage after every rerun, and messages to the browser wait meanwhile. With torch and Altair loaded that is a sixth
of a second spent on looking at modules that never go away.
"""

from __future__ import annotations

import gc
import sys

_modules_seen = 0


def spare_modules() -> None:
    """Freeze what is there, if modules have come since the last time.

    Modules come a few times in a server's life, so that what else is frozen by the way is bounded; cycles of garbage go first.
    """
    global _modules_seen
    if len(sys.modules) > _modules_seen:
        _modules_seen = len(sys.modules)
        gc.collect()
        gc.freeze()
