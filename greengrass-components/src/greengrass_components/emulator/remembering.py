"""Sends what moto draws from outside its own random numbers through a recorder: keys, salts."""

from __future__ import annotations

import os
from typing import Any

from greengrass_components.emulator.recorder import Recorder

__all__ = ["remember_in"]


def remember_in(recorder: Recorder) -> None:
    """Let keys, certificates and random bytes come back the same at a replay."""
    import moto.iot.models
    import moto.kms.models
    import moto.kms.utils
    import moto.s3.models
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for module in (moto.kms.models, moto.kms.utils, moto.s3.models):
        vars(module)["os"] = _Remembering(os, urandom=_bytes_of(recorder))
    vars(moto.kms.utils)["ec"] = _Remembering(
        ec, generate_private_key=_key_of(recorder, ec.generate_private_key)
    )
    remembered_rsa = _Remembering(
        rsa, generate_private_key=_key_of(recorder, rsa.generate_private_key)
    )
    for module in (moto.iot.models, moto.kms.utils):
        vars(module)["rsa"] = remembered_rsa
    _draw_backends_apart()
    backend = moto.iot.models.IoTBackend
    certify = backend._generate_certificate_pem  # noqa: SLF001
    setattr(backend, "_generate_certificate_pem", _text_of(recorder, certify))  # noqa: B010


def _draw_backends_apart() -> None:
    """Let a service that is first called draw what it begins with from a source of its own.

    Which call that is, a look or a change, may differ at a replay.
    """
    from moto.core.base_backend import AccountSpecificBackend
    from moto.moto_api._internal import mock_random

    get = AccountSpecificBackend.__getitem__

    def get_apart(backends: Any, region_name: str) -> Any:
        if region_name in backends.keys():  # noqa: SIM118 - "in" alone asks for the regions
            return get(backends, region_name)
        drawn = mock_random.getstate()
        mock_random.seed(f"{backends.service_name} {backends.account_id} {region_name}")
        try:
            return get(backends, region_name)
        finally:
            mock_random.setstate(drawn)

    setattr(AccountSpecificBackend, "__getitem__", get_apart)  # noqa: B010 - moto's type differs


class _Remembering:
    """A module with some of its functions replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _bytes_of(recorder: Recorder) -> Any:
    return lambda number: recorder.remember(lambda: os.urandom(number))


def _text_of(recorder: Recorder, make: Any) -> Any:
    def remembered(*arguments: Any, **options: Any) -> str:
        return recorder.remember(lambda: make(*arguments, **options).encode()).decode()

    return remembered


def _key_of(recorder: Recorder, generate: Any) -> Any:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    def remembered(*arguments: Any, **options: Any) -> Any:
        def pem() -> bytes:
            key = generate(*arguments, **options)
            content: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return content

        return load_pem_private_key(recorder.remember(pem), password=None)

    return remembered
