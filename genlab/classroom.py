"""A class in front of one server: where it answers, the code that telephones scan, and how its server is told that it has one."""

from __future__ import annotations

import os
import socket

VARIABLE = "GENLAB_CLASSROOM"
"""Set by ``genlab serve --classroom`` to the address that visitors open; the limits of a classroom then hold."""

EVERY_ADDRESS = "0.0.0.0"
_SOMEWHERE = ("192.0.2.1", 9)  # reserved for documentation: nothing is ever sent there


def is_on() -> bool:
    """Whether this server is for a class."""
    return bool(address())


def address() -> str:
    """What visitors open; empty where no class is served."""
    return os.environ.get(VARIABLE, "").strip()


def own_address() -> str:
    """The address by which others on the network find this computer; its own loop where it is on none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(_SOMEWHERE)  # chooses the way there and sends nothing
        except OSError:
            return "127.0.0.1"
        return str(asked.getsockname()[0])


def code_as_text(url: str) -> str:
    """The address as a QR code of half blocks, for a terminal."""
    import io

    import segno

    segno.make(url, error="m", micro=False).terminal(out := io.StringIO(), border=2, compact=True)
    return out.getvalue()


def code_as_squares(url: str) -> list[list[bool]]:
    """The address as a QR code: rows of squares, True where one is dark, without the quiet border that must surround it."""
    import segno

    return [[bool(each) for each in row] for row in segno.make(url, error="m", micro=False).matrix]
