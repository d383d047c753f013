"""An instruction set is chosen once, when genlab is loaded: to test each, a process of its own is needed."""

from __future__ import annotations

import os
import subprocess
import sys

from genlab import native_info

ISAS = native_info().get("isas", ["none, for genlab._core is not built"])


def passes(isa: str, file: str, expression: str) -> str:
    """Run the tests of a file that match an expression with that instruction set; what pytest said of them, once they passed."""
    script = (
        "import sys, pytest, genlab\n"
        f"assert genlab.native_info()['isa'] == {isa!r}, genlab.native_info()\n"
        "sys.exit(pytest.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "-k", expression, "-q", "-p", "no:cacheprovider", file],
        env={**os.environ, "GENLAB_ISA": isa},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
