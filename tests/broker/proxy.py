"""A network that breaks at a word: a TCP proxy between an engine and its broker.

    engine --- requests --> proxy --- requests --> broker
           <--- answers ---       <--- answers ---

The broker advertises the proxy's port to whoever comes through it (:func:`behind`), so that no
connection of an engine goes past it; a test's own clients use the broker's plain port. Of Kafka
the proxy knows one thing: which kinds of requests a connection has carried, so that fetches can
hang while heartbeats go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from barengine.kafka.local import LocalKafka
from barengine.kafka.local_net import HOST, pick_free_port
from tests.processes import PATIENCE_S

PRODUCE: Final = 0
FETCH: Final = 1
"""Kafka's numbers of these requests."""

Kinds = frozenset[int]
ALL: Final[Kinds] = frozenset()
"""Every connection, whatever it has carried."""

_CHUNK: Final = 16 * 1024
_BEAT_S: Final = 0.1
_STALL_S: Final = 2.0  # nobody gives a connection up sooner; a machine that is busy takes less
_LINGER_0: Final = struct.pack("ii", 1, 0)
"""Closing such a socket sends a reset."""

_HEAD: Final = struct.Struct(">ih")
"""Every request begins with its size and its kind."""


@dataclass(frozen=True)
class Weather:
    """What the network does to data, in both directions."""

    delay_s: tuple[float, float] = (0.0, 0.0)
    """Shortest and longest, of each piece; the order of a connection's data stays."""
    bytes_per_s: float = float("inf")
    """Of each connection and direction."""
    hung: bool = False
    """Nothing passes; nothing is lost either."""
    only: Kinds = ALL
    """Touches connections that have carried such a request, and those alone."""

    def touches(self, seen: set[int]) -> bool:
        """Whether it is the weather of a connection that has carried these kinds."""
        return not self.only or bool(self.only & seen)


class _Kinds:
    """Notes the kinds of the requests that pass, however they are cut into pieces."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self._head = b""
        self._skip = 0

    def feed(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = min(_HEAD.size - len(self._head), len(data) - at)
                self._head += data[at : at + step]
                if len(self._head) == _HEAD.size:
                    size, kind = _HEAD.unpack(self._head)
                    self.seen.add(kind)
                    self._head, self._skip = b"", size - 2
            at += step


class _Link:
    """One connection of the engine and its counterpart to the broker."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.kinds = _Kinds()
        self.lost = False
        self.mute = False

    def reset(self) -> None:
        for writer in (self.near, self.far):
            raw = writer.get_extra_info("socket")
            if raw is not None:
                with contextlib.suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            writer.transport.abort()


class Proxy:
    """Listens from ``with`` on, in a thread of its own; every method may be called from tests.

    Args:
        port: where engines connect; see :func:`behind`.
        target: the broker's port behind it.
    """

    def __init__(self, port: int, target: int, chance: random.Random) -> None:
        self.port = port
        self.connections = 0
        """How many there have been."""
        self.held = self.delayed = self.throttled = 0
        """How many pieces of data the weather has done that to."""
        self.stood_still = False
        """Whether this process, and with it the network, ever has, for so long that an engine may
        have given its connections up."""
        self._target = target
        self._chance = chance
        self._weather = Weather()
        self._changed = asyncio.Event()
        self._links: set[_Link] = set()
        self._swallowing = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: asyncio.Server | None = None
        self._work: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def bootstrap(self) -> str:
        """The address that engines are given."""
        return f"{HOST}:{self.port}"

    # -- weather ---------------------------------------------------------------------------

    def weather(self, weather: Weather) -> None:
        """From now on, until :meth:`heal`."""
        self._do(self._change(weather))

    def cut(self, share: float = 1.0) -> int:
        """Reset this share of the connections, chosen at random; how many that were."""
        return self._strike(_Link.reset, share)

    def half_close(self, share: float = 1.0) -> int:
        """End the answers of this share of the connections; requests still pass."""
        return self._strike(_end_answers, share)

    def swallow(self) -> int:
        """A black hole: connections are accepted and nothing is ever answered.

        After :meth:`heal` new connections work; those from before stay dead, as behind a firewall
        that has forgotten them, and nobody is told.
        """
        self._swallowing = True
        return self._strike(_lose)

    def heal(self) -> None:
        """Let everything pass, what was held back and new connections."""
        self._swallowing = False
        self._do(self._change(Weather()))

    # -- inside the loop -------------------------------------------------------------------

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, self.port)
        self._work.add(asyncio.create_task(self._beat()))

    async def _beat(self) -> None:
        while True:
            due = self._loop.time() + _BEAT_S
            await asyncio.sleep(_BEAT_S)
            self.stood_still = self.stood_still or self._loop.time() > due + _STALL_S

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.reset()
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)

    async def _change(self, weather: Weather) -> None:
        self._weather = weather
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _strike(self, what: Callable[[_Link], None], share: float = 1.0) -> int:
        struck: int = self._do(self._each(what, share))
        return struck

    async def _each(self, what: Callable[[_Link], None], share: float) -> int:
        links = list(self._links)
        links.sort(key=lambda one: int(one.near.get_extra_info("peername", (0, 0))[1]))
        chosen = [one for one in links if self._chance.random() < share]
        for link in chosen:
            what(link)
        return len(chosen)

    async def _accept(self, requests: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        self.connections += 1
        try:
            answers, far = await asyncio.open_connection(HOST, self._target)
        except OSError:  # the broker is gone: so is whoever stands before it
            near.transport.abort()
            return
        link = _Link(near, far)
        self._links.add(link)
        if self._swallowing:
            _lose(link)
        try:
            await asyncio.gather(
                self._pass(link, requests, far, link.kinds), self._pass(link, answers, near, None)
            )
        finally:
            self._links.discard(link)
            near.transport.abort()
            far.transport.abort()

    async def _pass(
        self,
        link: _Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kinds: _Kinds | None,
    ) -> None:
        """One direction, until its end is passed on or the connection breaks."""
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if kinds is not None:
                    kinds.feed(data)
                await self._suffer(link, len(data))
                if not (link.lost or (link.mute and kinds is None)):
                    writer.write(data)
                    await writer.drain()
            await self._suffer(link, 0)
            if not link.lost:
                writer.write_eof()
                return
            if kinds is None:  # the broker has given up; in a black hole nobody hears of it
                return
        link.reset()

    async def _suffer(self, link: _Link, size: int) -> None:
        """Wait as long as the weather has it; ``size`` 0 is the end, and no piece."""
        held = False
        while self._weather.hung and self._weather.touches(link.kinds.seen):
            held = size > 0
            await self._changed.wait()
        self.held += held
        weather = self._weather
        if weather.touches(link.kinds.seen):
            self.delayed += size > 0 and max(weather.delay_s) > 0
            self.throttled += size > 0 and weather.bytes_per_s < float("inf")
            pause_s = self._chance.uniform(*weather.delay_s) + size / weather.bytes_per_s
            await asyncio.sleep(pause_s)


def _lose(link: _Link) -> None:
    link.lost = True


def _end_answers(link: _Link) -> None:
    link.mute = True
    if not link.near.is_closing():
        link.near.write_eof()


@contextlib.contextmanager
def behind(
    chance: random.Random, config: Mapping[str, str] | None = None
) -> Iterator[tuple[LocalKafka, Proxy]]:
    """A broker of one's own with a proxy before it.

    Args:
        config: of the broker.
    """
    ports: list[int] = []
    for _ in range(4):
        ports.append(pick_free_port(*ports))
    plain, far, near, controller = ports
    at = f"://{HOST}:"
    listeners = {
        "listeners": f"PLAINTEXT{at}{plain},FAR{at}{far},CONTROLLER{at}{controller}",
        "advertised.listeners": f"PLAINTEXT{at}{plain},FAR{at}{near}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.quorum.voters": f"1@{HOST}:{controller}",
    }
    with (
        Proxy(near, far, chance) as proxy,  # first: until it listens, the port may be taken
        LocalKafka(plain, config=listeners | dict(config or {})) as broker,
    ):
        yield broker, proxy
