"""Sends what moto draws from outside its own random numbers through a journal: keys, salts."""

from __future__ import annotations

import os
from typing import Any

from greengrass_components.emulator.journal import Journal

__all__ = ["remember_in"]


def remember_in(journal: Journal) -> None:
    """Let keys, certificates and random bytes come back the same at a replay."""
    import moto.iot.models
    import moto.kms.models
    import moto.kms.utils
    import moto.s3.models
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    for module in (moto.kms.models, moto.kms.utils, moto.s3.models):
        vars(module)["os"] = _Remembering(os, urandom=_bytes_of(journal))
    vars(moto.kms.utils)["ec"] = _Remembering(
        ec, generate_private_key=_key_of(journal, ec.generate_private_key)
    )
    remembered_rsa = _Remembering(
        rsa, generate_private_key=_key_of(journal, rsa.generate_private_key)
    )
    for module in (moto.iot.models, moto.kms.utils):
        vars(module)["rsa"] = remembered_rsa
    backend = moto.iot.models.IoTBackend
    for name in ("_generate_certificate_pem", "create_certificate_from_csr_pem"):
        make = getattr(backend, name, None)
        if make is not None:
            setattr(backend, name, _text_of(journal, make))


class _Remembering:
    """A module with some of its functions replaced."""

    def __init__(self, module: Any, **replaced: Any) -> None:
        self._module = module
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def _bytes_of(journal: Journal) -> Any:
    return lambda number: journal.remember(lambda: os.urandom(number))


def _text_of(journal: Journal, make: Any) -> Any:
    def remembered(*arguments: Any, **options: Any) -> str:
        return journal.remember(lambda: make(*arguments, **options).encode()).decode()

    return remembered


def _key_of(journal: Journal, generate: Any) -> Any:
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

        return load_pem_private_key(journal.remember(pem), password=None)

    return remembered
