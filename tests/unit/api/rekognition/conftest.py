"""The app with a container of fakes: no collection exists."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from functions.runtime.container import container
from tests.fakes.rekognition_service import BUCKET, Functions, Photos, Service, install, opened_models

NO_COLLECTIONS = SimpleNamespace(find=lambda _: None, create=lambda *_: True, names_after=lambda _: [])


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service()
    fake = SimpleNamespace(
        rate_limiter=SimpleNamespace(acquire=lambda *_: made.wait_s),
        audit_log=made.audit_log,
        lambda_functions=Functions(),
        settings=SimpleNamespace(photos_bucket=BUCKET, predict_function="predict", enrol_function="enrol"),
        active_models=opened_models(),
        input_reader=Photos(),
        profiles=SimpleNamespace(collections=NO_COLLECTIONS),
        model_cards={"faces": SimpleNamespace(release="0123456789abcdef0123456789abcdef")},
        signing_key=b"key",
    )
    install(made, fake, monkeypatch)
    yield made
    container.cache_clear()
