"""``genlab serve``: the dashboard, for whoever sits at this computer, or with ``--classroom`` for everybody in the room."""

from __future__ import annotations

import argparse
import errno
import os
import secrets
import socket
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from genlab import classroom
from genlab.cli.parser import Commands
from genlab.errors import BackendError, InputError

_APP = Path(__file__).parents[1] / "app.py"
_PIN = "GENLAB_INSTRUCTOR_PIN"
_SHORTEST_PIN, _MADE_UP = 6, 8
# Of a class's server: what is computed for all is kept up to a bound, and what a closed tab held goes after a minute.
_FOR_A_CLASS = {
    "server.headless": "true",
    "server.maxCacheDataSize": "256mb",
    "server.disconnectedSessionTTL": "60",
    "server.maxMessageSize": "32",
    "server.maxWidgetStateSize": "4",
}
# glibc gives each of many threads a store of memory of its own, and none of it back: with two for all, memory stays where it is.
_AROUND_IT = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": "134217728", "GENLAB_POLL_SECONDS": "2"}


def add(commands: Commands) -> None:
    """The verb's options."""
    serve = commands.add_parser("serve", help="open the dashboard, for this computer or for a class")
    serve.add_argument("--classroom", action="store_true", help="for sixty visitors: stricter limits, a PIN, a code to scan")
    serve.add_argument("--port", type=int, default=8501, help="where it answers (default: 8501)")
    serve.add_argument("--address", help="of this computer (default: only itself, 127.0.0.1; with --classroom every address it has)")
    serve.add_argument("--url", help="what visitors open, where that is another computer's address that passes them on")
    serve.add_argument("--pin", help=f"the instructor's (default: what {_PIN} says, or a new one)")
    serve.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it: this process becomes the server, so that it ends as this one is ended."""
    if find_spec("streamlit") is None:
        raise BackendError("the dashboard needs streamlit, which is not installed: pip install 'streamlit>=1.67,<1.68'")
    address = arguments.address or (classroom.EVERY_ADDRESS if arguments.classroom else "127.0.0.1")
    _require_free(address, arguments.port)
    pin = _pin(arguments.pin)
    url = _url(arguments.url) if arguments.url else _url_of(address, arguments.port)
    options = {"server.address": address, "server.port": str(arguments.port), "logger.hideWelcomeMessage": "true"}
    environment = {**os.environ, _PIN: pin}
    if arguments.classroom:
        options |= _FOR_A_CLASS
        environment = {**_AROUND_IT, **environment, classroom.VARIABLE: url}
        print(classroom.code_as_text(url))
    print(f"genlab answers at {url}\nThe instructor's PIN: {pin}\nCtrl-C ends it.", flush=True)
    told = [f"--{name}={value}" for name, value in options.items()]
    return _become([sys.executable, "-m", "streamlit", "run", str(_APP), *told], environment)


def _become(command: list[str], environment: dict[str, str]) -> int:
    """Turn this process into another program. Tests put a stub in its place."""
    os.execve(command[0], command, environment)


def _require_free(address: str, port: int) -> None:
    """Refuse what no server could be opened at, before a line says that there is one."""
    if not 1 <= port <= 65535:
        raise InputError(f"--port must be between 1 and 65535; got {port}")
    try:
        family, kind, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(place)
            tried.listen()  # two may bind, one may listen
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise InputError(f"--port must be free; {port} is in use at {address}") from None
        if number == errno.EACCES:
            raise InputError(f"--port must be one that you may open, from 1024 up; got {port}") from None
        raise InputError(f"--address must be one of this computer's, such as {classroom.own_address()}; got {address!r}") from None


def _pin(given: str | None) -> str:
    pin = (os.environ.get(_PIN, "") if given is None else given).strip()
    if not pin and given is None:
        return "".join(secrets.choice("0123456789") for _ in range(_MADE_UP))
    if len(pin) < _SHORTEST_PIN or not pin.isprintable():
        who = "--pin" if given is not None else _PIN
        raise InputError(f"{who} must have at least {_SHORTEST_PIN} characters, all of which can be typed; got {len(pin)}")
    return pin


def _url(given: str) -> str:
    try:
        parts = urlsplit(given)
        right = parts.scheme in ("http", "https") and parts.hostname and given.isprintable() and " " not in given
        _ = parts.port
    except ValueError:
        right = False
    if not right:
        raise InputError(f"--url must be what visitors open, such as https://lab.example.org; got {given!r:.80}")
    return given


def _url_of(address: str, port: int) -> str:
    host = classroom.own_address() if address in (classroom.EVERY_ADDRESS, "::") else address
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
