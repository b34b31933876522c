"""Engines of one group that come and go."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Sequence
from typing import Self

from tests.broker.engine_process import RUN, EngineProcess
from tests.broker.scene import Scene
from tests.processes import eventually


class Fleet:
    """Engines by number; a context manager that leaves none of them behind.

    Args:
        static: each number has a GROUP_INSTANCE_ID of its own and keeps its partitions while it
            is restarted. Without it a killed engine holds its partitions for the session's 6 s.
    """

    def __init__(self, scene: Scene, *, static: bool = False) -> None:
        self._scene = scene
        self._static = static
        self.engines: dict[int, EngineProcess] = {}
        """Those that should be running."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for engine in self.engines.values():  # those whose end was waited for in vain, too
            engine.kill9()

    def start(
        self, number: int | None = None, command: Sequence[str] = RUN, **settings: str
    ) -> EngineProcess:
        """Start an engine, under the smallest free number if none is given."""
        if number is None:
            number = next(n for n in range(len(self.engines) + 1) if n not in self.engines)
        assert number not in self.engines, f"engine {number} is there already"
        member = {"GROUP_INSTANCE_ID": f"member-{number}"} if self._static else {}
        engine = self._scene.engine(tuple(command), **member | settings)
        self.engines[number] = engine
        return engine

    def kill(self, number: int) -> EngineProcess:
        """``kill -9`` of an engine that was still running; it is not started again."""
        assert self.engines[number].running, self.engines[number].tail()
        engine = self.engines.pop(number)
        engine.kill9()
        return engine

    def died(self, number: int) -> EngineProcess:
        """Wait until an engine has killed itself; it is not started again."""
        engine = self.engines[number]
        code = engine.exit_code()
        if code != -signal.SIGKILL:
            raise AssertionError(f"exit code {code}, not killed\n{engine.tail()}")
        return self.engines.pop(number)

    def leave(self, number: int) -> EngineProcess:
        """SIGTERM, and insist on a clean end; wait first until it listens.

        Before that the signal may come while the interpreter is still loading the program: it ends
        at once, and there is nothing to end cleanly.
        """
        engine = self.engines[number]
        engine.until("it listens", lambda: engine.port is not None)
        code = engine.terminate()
        if code:
            raise AssertionError(f"exit code {code}\n{engine.tail()}")
        return self.engines.pop(number)

    def until_covered(self, *numbers: int) -> None:
        """Wait until every partition is RUNNING in exactly one of these engines (or of all), and
        each of them has one."""
        wanted = dict.fromkeys(range(self._scene.partitions), 1)
        asked = [self.engines[number] for number in numbers or self.engines]

        def covered() -> bool:
            self.check()
            running: Counter[int] = Counter()
            for engine in asked:
                tasks = engine.tasks()
                running.update(tasks.keys())
                if not tasks or any(task["state"] != "running" for task in tasks.values()):
                    return False
            return running == wanted

        if not eventually(covered):
            raise AssertionError("\n".join(["partitions without an owner", *self.tails()]))

    def check(self) -> None:
        """Insist that no engine has ended by itself."""
        for number, engine in self.engines.items():
            if not engine.running:
                raise AssertionError(
                    f"engine {number} ended, {engine.exit_code()}\n{engine.tail()}"
                )

    def tails(self) -> list[str]:
        """The last lines of every log."""
        return [engine.tail() for engine in self.engines.values()]
