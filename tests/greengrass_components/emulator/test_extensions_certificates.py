"""Certificates of the emulated AWS IoT fit the keys of those who asked."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding


def request(key: CertificateIssuerPrivateKeyTypes, *, name: str = "lamp-1") -> str:
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM).decode()


def loaded(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


@pytest.mark.parametrize(
    "key",
    [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)],
    ids=["EC", "RSA"],
)
def test_a_certificate_is_for_the_key_of_the_request(
    iot: Any, key: CertificateIssuerPrivateKeyTypes
) -> None:
    told = iot.create_certificate_from_csr(certificateSigningRequest=request(key))

    certificate = loaded(told["certificatePem"])
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=lamp-1"


def test_a_certificate_is_kept_as_it_was_given(iot: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())

    told = iot.create_certificate_from_csr(certificateSigningRequest=request(key), setAsActive=True)

    kept = iot.describe_certificate(certificateId=told["certificateId"])["certificateDescription"]
    assert kept["certificatePem"] == told["certificatePem"]
    assert (kept["certificateArn"], kept["status"]) == (told["certificateArn"], "ACTIVE")


def test_one_request_may_get_two_certificates(iot: Any) -> None:
    asked = request(ec.generate_private_key(ec.SECP256R1()))

    ids = {
        iot.create_certificate_from_csr(certificateSigningRequest=asked)["certificateId"]
        for _ in range(2)
    }

    assert len(ids) == 2


@pytest.mark.parametrize(
    "asked",
    [
        "no request",
        request(rsa.generate_private_key(65537, 1024)),
        request(ec.generate_private_key(ec.SECP256K1())),
        request(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["no request", "short RSA key", "foreign curve", "foreign kind of key"],
)
def test_a_request_that_aws_would_refuse_is_refused(iot: Any, asked: str) -> None:
    with pytest.raises(ClientError, match="InvalidRequestException"):
        iot.create_certificate_from_csr(certificateSigningRequest=asked)


def test_a_request_that_was_changed_is_refused(iot: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.load_pem_x509_csr(request(key, name="lamp-1").encode())
    changed = asked.public_bytes(Encoding.DER).replace(b"lamp-1", b"lamp-2")
    pem = x509.load_der_x509_csr(changed).public_bytes(Encoding.PEM).decode()

    with pytest.raises(ClientError, match="InvalidRequestException"):
        iot.create_certificate_from_csr(certificateSigningRequest=pem)


def test_a_certificate_with_a_new_key_fits_that_key(iot: Any, tmp_path: Path) -> None:
    told = iot.create_keys_and_certificate(setAsActive=True)
    (tmp_path / "certificate.pem").write_text(told["certificatePem"])
    (tmp_path / "key.pem").write_text(told["keyPair"]["PrivateKey"])

    # What a device does with them; it refuses a pair that does not fit.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")


def test_all_certificates_come_from_one_authority(iot: Any) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = iot.create_certificate_from_csr(certificateSigningRequest=request(key))
    given = iot.create_keys_and_certificate()

    issuers = {loaded(told["certificatePem"]).issuer for told in (asked, given)}

    assert len(issuers) == 1
