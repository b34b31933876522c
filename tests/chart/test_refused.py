"""Values that cannot work: refused before anything is installed, in words that show the way out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.chart.render import CHART, RELEASE, call, refusal

LOGIN = {"name": "login", "key": "password"}
SCALED = {"by": "cpu"}
TLS = {"name": "tls", "path": "/etc/tls", "secret": "tls"}
MUTUAL = {"autoscaling.by": "lag", "settings.security_protocol": "SSL"}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"replica": 3}, ["replica", "not allowed"]),
        ({"settings.windw": "5s"}, ["settings", "windw", "not allowed"]),
        ({"secrets.sasl_pasword": LOGIN}, ["secrets", "sasl_pasword", "not allowed"]),
        ({"infra.settings.windw": "5s"}, ["infra", "windw", "not allowed"]),
        ({"autoscaling.enabled": True}, ["autoscaling", "enabled", "not allowed"]),
        ({"settings.watermark": "symbol"}, ["watermark", "broker", "series"]),
        ({"settings.grace": "5 seconds"}, ["grace", "pattern"]),
        ({"settings.price_scale": 19}, ["price_scale", "18"]),
        ({"settings.http_port": 0}, ["http_port", "1"]),
        ({"secrets.sasl_password": "hunter2"}, ["secrets", "sasl_password"]),
        ({"autoscaling.by": "both"}, ["autoscaling", "cpu", "lag"]),
        ({"podDisruptionBudget.maxUnavailable": 0}, ["maxUnavailable", "1"]),
        ({"podDisruptionBudget.maxUnavailable": "0%"}, ["maxUnavailable", "pattern"]),
        ({"extraEnv": [{"name": "BARENGINE_WINDOW", "value": "1s"}]}, ["extraEnv", "pattern"]),
        ({"image.digest": "latest"}, ["digest", "pattern"]),
        ({"runAsUser": 0}, ["runAsUser", "1"]),
        ({"infra.extraEnv": [{"name": "BARENGINE_GRACE"}]}, ["infra", "pattern"]),
        ({"infra.files": [{"name": "tls"}]}, ["infra", "path"]),
        ({"monitoring.rules.runbooks": "docs/alerts.md"}, ["runbooks", "pattern"]),
        ({"monitoring.rules.expected": [{"namespace": "market"}]}, ["expected", "job"]),
    ],
    ids=str,
)
def test_the_schema_refuses(helm: str, values: dict[str, Any], words: list[str]) -> None:
    """An unknown key or an impossible value: the message names it and what may be."""
    said = refusal(helm, **values)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"secrets.bootstrap_servers": LOGIN},
            "bootstrap_servers is in settings and in secrets: remove one",
        ),
        (
            {"infra.settings.sasl_username": "a", "infra.secrets.sasl_username": LOGIN},
            "sasl_username is in infra.settings and in infra.secrets: remove one",
        ),
        (
            {"settings.sasl_password": "hunter2"},
            "settings.sasl_password would stand in the manifests for all to read",
        ),
        (
            {"infra.settings.schema_registry_password": "hunter2"},
            "infra.secrets.schema_registry_password: {name: …, key: …}",
        ),
        (
            {"settings.auto_create_topics": True},
            "infra.enabled and settings.auto_create_topics: the Job makes the topics",
        ),
        (
            {"settings.group_instance_id": "a"},
            "staticMembers.enabled=true gives each its own",
        ),
        ({"settings.config": "/etc/x.yaml"}, "write its keys under settings"),
        (
            {"settings.http_host": "127.0.0.1"},
            "settings.http_host is 127.0.0.1, where neither probes nor Prometheus reach it",
        ),
        ({"secrets.http_port": LOGIN}, "secrets.http_port: probes and Service must know it"),
        (
            {"secrets.context": LOGIN, "autoscaling.by": "lag"},
            "autoscaling.by=lag and secrets.context: KEDA must know it; write settings.context",
        ),
        (
            {"staticMembers.enabled": True},
            "staticMembers.enabled needs settings.session_timeout",
        ),
        (
            {
                "staticMembers.enabled": True,
                "settings.session_timeout": "60s",
                "autoscaling.by": "lag",
            },
            "staticMembers.enabled and autoscaling.by=lag",
        ),
        (
            {"autoscaling": SCALED | {"minReplicas": 5, "maxReplicas": 4}},
            "autoscaling.maxReplicas is 4, less than autoscaling.minReplicas, 5: raise it",
        ),
        (
            {"autoscaling": SCALED, "resources.requests.cpu": None},
            "autoscaling.by=cpu needs resources.requests.cpu",
        ),
        (
            {"files": [{"name": "tls", "path": "/etc/tls"}]},
            "files, tls: name either a secret or a configMap",
        ),
        (
            {"files": [{"name": "tls", "path": "/etc/tls", "secret": "a", "configMap": "b"}]},
            "files, tls: name either a secret or a configMap",
        ),
        (
            {"settings.ssl_cafile": "/etc/tls/ca.crt"},
            "settings.ssl_cafile is /etc/tls/ca.crt, which no entry of files puts into the pod",
        ),
        (
            {"infra.settings.ssl_keyfile": "/etc/tls/tls.key"},
            "infra.settings.ssl_keyfile is /etc/tls/tls.key, which no entry of files puts into the "
            "pod: add its Secret or ConfigMap to infra.files",
        ),
        (
            {"settings.schedule": "/etc/markets/markets.yaml"},
            "settings.schedule is /etc/markets/markets.yaml, which no entry of files puts into",
        ),
        (
            {"settings.schedule": "file:markets.yaml"},
            "settings.schedule is file:markets.yaml, which no entry of files puts into the pod",
        ),
        (
            {"files": [TLS, TLS | {"path": "/etc/other"}]},
            "files has two entries named tls: give each a name of its own",
        ),
        (
            {"files": [TLS, TLS | {"name": "other"}]},
            "files puts two entries at /etc/tls, and one would hide the other",
        ),
        (
            {"files": [TLS], "infra.files": [TLS | {"name": "other"}]},
            "infra.files puts two entries at /etc/tls, and one would hide the other",
        ),
        (
            {"settings.schema_registry_url": "http://me:hunter2@registry:8081"},
            "settings.schema_registry_url holds a password, which would stand in the manifests for "
            "all to read: take it out of the URL, and set settings.schema_registry_username and",
        ),
        (
            {"infra.settings.schema_registry_url": "http://me:hunter2@registry:8081"},
            "infra.secrets.schema_registry_password: {name: …, key: …}",
        ),
        (
            {"infra.args": ["--metrics-file", "/tmp/infra.prom"]},
            'infra.args: --metrics-file /tmp/infra.prom: the Job can write no file; write "-"',
        ),
        (
            {"infra.args": ["--metrics-file=/tmp/infra.prom"]},
            "infra.args: --metrics-file /tmp/infra.prom: the Job can write no file",
        ),
        (
            MUTUAL | {"secrets.ssl_cafile": LOGIN},
            "autoscaling.by=lag and secrets.ssl_cafile: KEDA must know which file it is",
        ),
        (
            MUTUAL | {"settings.ssl_certfile": "/etc/tls/deeper/tls.crt", "files": [TLS]},
            "autoscaling.by=lag and settings.ssl_certfile=/etc/tls/deeper/tls.crt: KEDA takes it "
            "from the Secret or ConfigMap, and it is a key of none in files",
        ),
    ],
    ids=str,
)
def test_contradictions_are_refused(helm: str, values: dict[str, Any], message: str) -> None:
    """Values that are right one by one and cannot work together: the message says the way out."""
    assert message in refusal(helm, **values)


def test_without_values_one_reads_what_is_missing(helm: str) -> None:
    """The first thing that somebody types says what to type next."""
    said = call(helm, "template", RELEASE, CHART).stderr
    assert "settings.bootstrap_servers is not set" in said
    assert "--set settings.bootstrap_servers=HOST:PORT" in said
