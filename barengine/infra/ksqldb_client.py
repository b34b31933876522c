"""A ksqlDB server's REST API, as far as it is needed: what there is, and one more statement.

https://docs.ksqldb.io/en/latest/developer-guide/ksqldb-rest-api/ksql-endpoint/
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from barengine.errors import BarengineError, ConfigurationError
from barengine.settings import mask_url

_TYPE: Final = "application/vnd.ksql.v1+json"
_ANSWER_S: Final = 30.0
_DENIED: Final = (401, 403)
_FAILED: Final = "ERROR"
_LISTED: Final = ("type", "name", "topic", "keyFormat", "valueFormat")
"""What a list of streams or tables says of each."""


class Source(NamedTuple):
    """A stream or table as ksqlDB lists it."""

    kind: str
    """STREAM or TABLE."""
    name: str
    topic: str
    key_format: str
    value_format: str

    def words(self) -> str:
        """For people."""
        formats = f"keys in {self.key_format}, values in {self.value_format}"
        return f"{self.kind} over {self.topic}, {formats}"


class KsqlDb:
    """One server at ``url``, which may hold user and password.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str) -> None:
        self.url: Final = mask_url(url)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(f"--ksqldb-url {self.url}: write http://host:port")
        netloc = parts.netloc.rpartition("@")[2]
        self._base = urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
        self._headers = {"content-type": _TYPE, "accept": _TYPE}
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self._headers["authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"

    async def alive(self) -> None:
        """Return if the server answers.

        Raises:
            BarengineError: it does not.
        """
        await asyncio.to_thread(self._ask, "/info", None)

    async def sources(self) -> list[Source]:
        """Every stream and table.

        Raises:
            BarengineError: no answer.
        """
        answers = await self._ksql("LIST STREAMS; LIST TABLES;")
        return [
            Source(*(str(one.get(key)) for key in _LISTED))
            for answer in answers
            for one in (*answer.get("streams", ()), *answer.get("tables", ()))
        ]

    async def execute(self, statement: str) -> None:
        """Run one statement.

        Raises:
            BarengineError: no answer, or refused.
        """
        for answer in await self._ksql(statement):
            status = answer.get("commandStatus", {})
            if status.get("status") == _FAILED:
                raise BarengineError(f"{self.url} refuses it: {status.get('message')}\n{statement}")

    async def _ksql(self, statements: str) -> list[dict[str, Any]]:
        body = json.dumps({"ksql": statements, "streamsProperties": {}}).encode()
        found: list[dict[str, Any]] = await asyncio.to_thread(self._ask, "/ksql", body)
        return found

    def _ask(self, path: str, body: bytes | None) -> Any:
        # the scheme was checked: http or https
        request = Request(self._base + path, body, self._headers)  # noqa: S310
        try:
            with urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            with error:
                raise self._refused(error) from error
        except (OSError, ValueError) as error:
            raise BarengineError(f"{self.url}: {error}") from error

    def _refused(self, error: HTTPError) -> BarengineError:
        if error.code in _DENIED:
            return ConfigurationError(f"--ksqldb-url {self.url}: {error}; check user and password")
        try:
            said = json.load(error)
        except (OSError, ValueError):
            said = None
        message = said.get("message") if isinstance(said, dict) else None
        return BarengineError(f"{self.url}: {message or error}")
