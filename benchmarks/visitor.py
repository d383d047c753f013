"""A visitor of the dashboard without a browser: Streamlit's own protocol over a real websocket.

What a browser does that costs the server something is done: files and scripts are fetched, one connection is kept, messages that the
browser holds already are named so that they come as references, the address is followed, and fragments with a timer run again on time.
What it does for its own screen is not.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

_HELD = 200  # messages that a browser keeps, about
_TRAIN = "Train"
_LEFT_ALONE = re.compile("delete|stop training|leave the queue|resume|show all answers", re.IGNORECASE)
_FAULT = "This is a fault of genlab"


class GoneError(Exception):
    """The connection ended, or an answer never came."""


@dataclass
class Diary:
    """What all visitors lived through.

    Attributes:
        arrivals: Seconds from a first connection to a whole page.
        pages: Seconds from the choice of a page to all of it.
        clicks: Seconds from a click to all of what it changed, with the page and what was clicked.
        ticks: Reruns of fragments that a timer asked for.
        trainings: How many were begun.
        refusals: Sentences by which the server refused something, such as a limit, and how often.
        errors: What must not be: faults, exceptions, lost connections, answers that never came.
        received: Bytes of all messages.
    """

    arrivals: list[float] = field(default_factory=list)
    pages: list[tuple[float, str]] = field(default_factory=list)
    clicks: list[tuple[float, str, str]] = field(default_factory=list)
    ticks: int = 0
    trainings: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    received: int = 0


class Visitor:
    """One of them: arrives, looks at pages in some order, presses what can be pressed, and thinks in between."""

    def __init__(self, url: str, number: int, diary: Diary, *, think: float, patience: float, trains: bool) -> None:
        self._url, self._diary, self._think, self._patience, self._trains = url, diary, think, patience, trains
        self._chance = random.Random(number)
        self._name = UUID(int=self._chance.getrandbits(128)).hex
        self._elements: dict[tuple[int, ...], Element] = {}
        self._states: dict[str, WidgetState] = {}
        self._held: dict[str, ForwardMsg] = {}
        self._pages: dict[str, str] = {}
        self._page, self._query = "", ""
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._finished = asyncio.Event()
        self._turn = asyncio.Lock()

    async def stay(self, until: float) -> None:
        """Arrive and act until that moment of the loop's clock."""
        socket_url = f"{self._url.replace('http', 'ws', 1)}/_stcore/stream"
        cookie = {"Cookie": f"genlab_visitor={self._name}"}
        try:
            begun = time.perf_counter()
            async with connect(socket_url, subprotocols=["streamlit"], additional_headers=cookie, max_size=None) as socket:  # type: ignore[list-item]
                reader = asyncio.create_task(self._read(socket))
                try:
                    await self._ask(socket, ClientState())
                    self._diary.arrivals.append(time.perf_counter() - begun)
                    while asyncio.get_running_loop().time() < until and not reader.done():
                        await asyncio.sleep(min(self._chance.expovariate(1 / self._think), 5 * self._think))
                        await self._act(socket)
                    if reader.done():
                        reader.result()
                        raise GoneError("the server closed the connection")
                finally:
                    reader.cancel()
                    for timer in self._timers.values():
                        timer.cancel()
        except Exception as error:  # whatever it was, a visitor was thrown out
            self._diary.errors.append(f"{self._page_name()}: {type(error).__name__}: {error}")

    # --- what a visitor does -----------------------------------------------------------------------------------------------------

    async def _act(self, socket: ClientConnection) -> None:
        choices = list(self._choices())
        if self._trains and any(label == _TRAIN for label, _ in choices):
            label, state = next(choice for choice in choices if choice[0] == _TRAIN)
            self._trains = False
            self._diary.trainings += 1
        elif not choices or self._chance.random() < 0.25:
            await self._go(socket)
            return
        else:
            label, state = self._chance.choice([choice for choice in choices if choice[0] != _TRAIN] or choices)
            if label == _TRAIN:
                await self._go(socket)
                return
        page, before = self._page_name(), time.perf_counter()
        is_trigger = state.WhichOneof("value") == "trigger_value"
        if not is_trigger:
            self._states[state.id] = state
        await self._ask(socket, self._state(state if is_trigger else None))
        self._diary.clicks.append((time.perf_counter() - before, page, label))

    async def _go(self, socket: ClientConnection) -> None:
        names = [name for name, key in self._pages.items() if key != self._page]
        if not names:
            return
        name = "training" if self._trains and "training" in self._pages and self._chance.random() < 0.5 else self._chance.choice(names)
        self._page, self._query = self._pages[name], ""
        self._states.clear()
        before = time.perf_counter()
        await self._ask(socket, self._state())
        self._diary.pages.append((time.perf_counter() - before, name))

    def _choices(self) -> Iterator[tuple[str, WidgetState]]:
        """What can be clicked here, each with the state that the click sends."""
        for element in self._elements.values():
            kind = element.WhichOneof("type")
            widget: Any = getattr(element, kind) if kind else None
            if widget is None or getattr(widget, "disabled", False) or _LEFT_ALONE.search(getattr(widget, "label", "")):
                continue
            if kind == "button" and (not widget.is_form_submitter or widget.label == _TRAIN):
                yield widget.label, WidgetState(id=widget.id, trigger_value=True)
            elif getattr(widget, "form_id", ""):
                continue  # goes with its form's button
            elif kind == "checkbox":
                yield widget.label, WidgetState(id=widget.id, bool_value=self._chance.random() < 0.5)
            elif kind == "button_group" and widget.options:
                state = WidgetState(id=widget.id)
                state.string_array_value.data.append(self._chance.choice(list(widget.options)).content)
                yield widget.label, state
            elif kind == "selectbox" and widget.options:
                yield widget.label, WidgetState(id=widget.id, string_value=self._chance.choice(list(widget.options)))
            elif kind == "slider" and not widget.options and widget.step and len(widget.default) == 1:
                steps = round((widget.max - widget.min) / widget.step)
                state = WidgetState(id=widget.id)
                state.double_array_value.data.append(widget.min + widget.step * self._chance.randint(0, max(steps, 0)))
                yield widget.label, state

    # --- the protocol --------------------------------------------------------------------------------------------------------------

    def _state(self, trigger: WidgetState | None = None, fragment: str = "") -> ClientState:
        state = ClientState(query_string=self._query, page_script_hash=self._page, fragment_id=fragment)
        state.is_auto_rerun = bool(fragment)
        state.widget_states.widgets.extend([*self._states.values(), *([trigger] if trigger else [])])
        state.cached_message_hashes.extend(self._held)
        return state

    async def _ask(self, socket: ClientConnection, state: ClientState) -> None:
        """Send a wish for the page, and wait until all of it is there."""
        done = self._finished
        async with self._turn:
            done.clear()
            self._elements.clear()
            for timer in self._timers.values():  # what still has one is told so again
                timer.cancel()
            message = BackMsg()
            message.rerun_script.CopyFrom(state)
            await socket.send(message.SerializeToString())
            try:
                await asyncio.wait_for(done.wait(), self._patience)
            except TimeoutError:
                raise GoneError(f"no whole answer within {self._patience:g} s") from None

    async def _read(self, socket: ClientConnection) -> None:
        async for data in socket:
            assert isinstance(data, bytes)
            self._diary.received += len(data)
            self._take(socket, ForwardMsg.FromString(data))

    def _take(self, socket: ClientConnection, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "ref_hash":
            held = self._held.get(message.ref_hash)
            if held is None:
                self._diary.errors.append("the server named a message that was not there")
                return
            path, message = message.metadata.delta_path, held
            kind = message.WhichOneof("type")
        else:
            path = message.metadata.delta_path
            if message.metadata.cacheable:
                self._held[message.hash] = message
                while len(self._held) > _HELD:
                    del self._held[next(iter(self._held))]
        match kind:
            case "delta" if message.delta.WhichOneof("type") == "new_element":
                self._see(tuple(path), message.delta.new_element)
            case "new_session":
                self._page = message.new_session.page_script_hash or self._page
            case "navigation":
                self._pages = {each.url_pathname or "map": each.page_script_hash for each in message.navigation.app_pages}
                self._page = message.navigation.page_script_hash
            case "page_info_changed":
                self._query = message.page_info_changed.query_string
            case "auto_rerun":
                self._keep_time(socket, message.auto_rerun.fragment_id, message.auto_rerun.interval)
            case "script_finished" if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                self._finished.set()
            case "script_finished" if message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
                pass  # a timer's
            case "script_finished" if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                self._diary.errors.append(f"{self._page_name()}: the page could not be compiled")
                self._finished.set()

    def _see(self, path: tuple[int, ...], element: Element) -> None:
        self._elements[path] = element
        kind = element.WhichOneof("type")
        if kind == "exception":
            self._diary.errors.append(f"{self._page_name()}: {element.exception.type}: {element.exception.message}")
        elif kind == "alert" and _FAULT in element.alert.body:
            self._diary.errors.append(f"{self._page_name()}: {element.alert.body}")
        elif kind == "alert" and element.alert.format == Alert.ERROR:
            self._diary.refusals[element.alert.body] = self._diary.refusals.get(element.alert.body, 0) + 1

    def _keep_time(self, socket: ClientConnection, fragment: str, interval: float) -> None:
        if fragment in self._timers:
            self._timers[fragment].cancel()

        async def tick() -> None:
            while True:
                await asyncio.sleep(interval)
                with suppress(GoneError):  # a fragment may be gone with the page that it was on
                    message = BackMsg()
                    message.rerun_script.CopyFrom(self._state(fragment=fragment))
                    await socket.send(message.SerializeToString())
                    self._diary.ticks += 1

        self._timers[fragment] = asyncio.create_task(tick())

    def _page_name(self) -> str:
        return next((name for name, key in self._pages.items() if key == self._page), "the first page")


def fetch_files(url: str, patience: float) -> int:
    """What a browser fetches before it connects: the page, the scripts and styles that it names; bytes in all."""
    fetched = 0

    def get(path: str) -> bytes:
        nonlocal fetched
        with urllib.request.urlopen(f"{url}/{path}", timeout=patience) as answer:
            content: bytes = answer.read()
        fetched += len(content)
        return content

    page = get("").decode("utf-8", "replace")
    for path in re.findall(r'(?:src|href)="\./(static/[^"]+)"', page):
        get(path)
    json.loads(get("_stcore/host-config"))
    return fetched


async def visit(
    url: str, count: int, seconds: float, diary: Diary, *, think: float, patience: float, trainings: int, watch: Callable[[], None]
) -> None:
    """So many visitors, who arrive within the first tenth of the time or half a minute, and stay to the end.

    Args:
        url: Of the dashboard.
        count: How many.
        seconds: From the first one's arrival to the end.
        diary: What they live through.
        think: Mean seconds between what a visitor does.
        patience: Seconds that they wait for an answer.
        trainings: So many of them begin a training, once.
        watch: Called every few seconds meanwhile.
    """
    loop = asyncio.get_running_loop()
    until, within = loop.time() + seconds, min(30.0, seconds / 10)

    async def come(number: int) -> None:
        await asyncio.sleep(within * number / count)
        try:
            await asyncio.to_thread(fetch_files, url, patience)
        except OSError as error:
            diary.errors.append(f"files: {error}")
        await Visitor(url, number, diary, think=think, patience=patience, trains=number < trainings).stay(until)

    async def look_on() -> None:
        while True:
            watch()
            await asyncio.sleep(min(5.0, seconds / 10))

    looking = asyncio.create_task(look_on())
    await asyncio.gather(*(come(number) for number in range(count)))
    watch()
    looking.cancel()
