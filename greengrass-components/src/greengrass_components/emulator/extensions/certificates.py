"""IoT: certificates for the key that asks, signed by an authority of the emulator.

moto makes a key of its own for a signing request, so nobody could use the certificate. Which
keys AWS IoT takes is said at
https://docs.aws.amazon.com/iot/latest/apireference/API_CreateCertificateFromCsr.html.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

__all__ = ["extend_certificates"]

# As AWS has it, whatever a request says.
_LAST_MOMENT = dt.datetime(2049, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
_RSA_BITS = 2048
_CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


def extend_certificates() -> None:
    """Mend CreateCertificateFromCsr; a certificate with a new key gets the same authority."""
    from cryptography import x509
    from moto.iot.exceptions import InvalidRequestException
    from moto.iot.models import IoTBackend

    def generate_certificate(backend: Any, _: str, subject: Any, key: Any = None) -> str:
        """Sign for whatever has a public key: a private key or a request."""
        place = f"{backend.partition} {backend.region_name} {backend.account_id}"
        return _certificate(subject, key.public_key(), place=place)

    def create_certificate_from_csr(backend: Any, csr: str, set_as_active: bool) -> Any:
        try:
            request = x509.load_pem_x509_csr(csr.encode())
            valid = request.is_signature_valid and _is_accepted(request.public_key())
        except ValueError:
            valid = False
        if not valid:
            raise InvalidRequestException("The certificate signing request is not valid.")
        pem = backend._generate_certificate_pem("", request.subject, key=request)
        return backend.register_certificate(
            pem, ca_certificate_pem=None, set_as_active=set_as_active, status="INACTIVE"
        )

    setattr(IoTBackend, "_generate_certificate_pem", generate_certificate)  # noqa: B010
    setattr(IoTBackend, "create_certificate_from_csr", create_certificate_from_csr)  # noqa: B010


def _is_accepted(key: Any) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES


def _certificate(subject: Any, key: Any, *, place: str) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    # Nobody trusts it outside, so it may follow from the place: it is the same after a restart.
    secret = int.from_bytes(hashlib.sha256(f"authority {place}".encode()).digest()) >> 1
    authority = ec.derive_private_key(secret, ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "emulated AWS IoT")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=2))
        .not_valid_after(_LAST_MOMENT)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM).decode()
