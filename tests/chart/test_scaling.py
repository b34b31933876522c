"""Who says how many instances there are, and what KEDA must know for it."""

from __future__ import annotations

import json

import pytest

from barengine.settings import Settings, load_settings
from tests.chart.render import environment, of_kind, one, rendered, workload


@pytest.mark.parametrize("values", ["everything", "lag"])
def test_an_autoscaler_alone_says_how_many(values: str) -> None:
    """Each upgrade would else set the number back; and there is one scaler, not two."""
    objects = rendered(values)
    assert "replicas" not in workload(objects)["spec"]
    scalers = of_kind(objects, "HorizontalPodAutoscaler") + of_kind(objects, "ScaledObject")
    (scaler,) = scalers
    assert scaler["spec"]["scaleTargetRef"]["name"] == workload(objects)["metadata"]["name"]


@pytest.mark.parametrize("context", ["", "prod"])
def test_lag_is_that_of_the_engines_group(context: str) -> None:
    """KEDA asks for the names that the engine uses, in its context."""
    given = {"bootstrap_servers": "k:9092", "group_id": "g", "input_topic": "t"}
    given |= {"context": context} if context else {}
    objects = rendered("minimal", settings=json.dumps(given), autoscaling__by='"lag"')
    about = one(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]
    settings: Settings = load_settings(
        None, {f"BARENGINE_{k}".upper(): v for k, v in given.items()}
    )
    assert (about["consumerGroup"], about["topic"]) == (settings.group, settings.input_topic)
    assert about["bootstrapServersFromEnv"] in environment(workload(objects))


def test_keda_logs_in_as_the_engine_does() -> None:
    """From the engine's own variables; TLS and mechanism are the settings'."""
    objects = rendered("lag")
    trigger = one(objects, "ScaledObject")["spec"]["triggers"][0]
    login = one(objects, "TriggerAuthentication")
    assert trigger["metadata"]["tls"] == "enable"
    assert trigger["metadata"]["sasl"] == "scram_sha256"
    assert trigger["authenticationRef"]["name"] == login["metadata"]["name"]
    names = {each["name"] for each in login["spec"]["env"]}
    assert names <= environment(workload(objects)).keys()


@pytest.mark.parametrize(
    ("mechanism", "keda"),
    [("PLAIN", "plaintext"), ("SCRAM-SHA-256", "scram_sha256"), ("SCRAM-SHA-512", "scram_sha512")],
)
def test_keda_calls_mechanisms_by_names_of_its_own(mechanism: str, keda: str) -> None:
    """Every mechanism that the engine has, KEDA has too."""
    objects = rendered("lag", settings__sasl_mechanism=json.dumps(mechanism))
    assert one(objects, "ScaledObject")["spec"]["triggers"][0]["metadata"]["sasl"] == keda


def test_an_authentication_of_ones_own_is_taken() -> None:
    """And none is made."""
    objects = rendered("lag", autoscaling__authenticationRef='"mine"')
    trigger = one(objects, "ScaledObject")["spec"]["triggers"][0]
    assert trigger["authenticationRef"] == {"name": "mine"}
    assert not of_kind(objects, "TriggerAuthentication")


def test_keda_takes_certificates_from_where_the_pods_have_them() -> None:
    """A private authority and a certificate of one's own: from the same Secrets and ConfigMaps,
    each by its key; without SASL nothing of a user is asked for."""
    objects = rendered("mutual")
    login = one(objects, "TriggerAuthentication")["spec"]
    assert login == {
        "configMapTargetRef": [{"parameter": "ca", "name": "kafka-ca", "key": "ca.crt"}],
        "secretTargetRef": [
            {"parameter": "cert", "name": "bars-client", "key": "tls.crt"},
            {"parameter": "key", "name": "bars-client", "key": "tls.key"},
        ],
    }
    trigger = one(objects, "ScaledObject")["spec"]["triggers"][0]
    assert trigger["authenticationRef"]["name"] == "x-barengine"
    assert trigger["metadata"]["tls"] == "enable"
    assert "sasl" not in trigger["metadata"]


def test_a_key_beside_its_certificate_is_taken_from_there() -> None:
    """settings.ssl_keyfile may be left out where one file has both; KEDA asks for both."""
    settings = {
        "bootstrap_servers": "k:9093",
        "security_protocol": "SSL",
        "ssl_cafile": "/etc/ssl/certs/ca-certificates.crt",
        "ssl_certfile": "/etc/tls/both.pem",
    }
    files = [{"name": "tls", "secret": "client", "path": "/etc/tls"}]
    given = {"settings": json.dumps(settings), "files": json.dumps(files)}
    login = one(rendered("minimal", autoscaling__by='"lag"', **given), "TriggerAuthentication")
    assert login["spec"]["secretTargetRef"] == [
        {"parameter": "cert", "name": "client", "key": "both.pem"},
        {"parameter": "key", "name": "client", "key": "both.pem"},
    ]


def test_keda_has_nothing_to_log_in_with_where_nobody_asks() -> None:
    """Without TLS of one's own and without SASL there is no TriggerAuthentication."""
    objects = rendered("minimal", autoscaling__by='"lag"')
    assert "authenticationRef" not in one(objects, "ScaledObject")["spec"]["triggers"][0]
    assert not of_kind(objects, "TriggerAuthentication")
