"""The broker and the registry of tests/broker, one each for this run."""

from __future__ import annotations

from tests.broker.conftest import bootstrap as bootstrap
from tests.broker.conftest import kafka_broker as kafka_broker
from tests.broker.conftest import registry_url as registry_url
