"""Signatures of the emulated KMS are as good outside it as inside."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

from greengrass_components.emulator import start_emulator

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
ALGORITHMS = [
    ("ECC_NIST_P256", "ECDSA_SHA_256"),
    ("ECC_NIST_P384", "ECDSA_SHA_384"),
    ("RSA_2048", "RSASSA_PSS_SHA_256"),
    ("RSA_2048", "RSASSA_PSS_SHA_384"),
    ("RSA_2048", "RSASSA_PSS_SHA_512"),
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256"),
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"),
]
MESSAGE = b"the manifest of a model"


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("emulator")
    with pytest.MonkeyPatch.context() as patch, start_emulator(folder) as running:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        client = boto3.session.Session().client("kms")
        yield client
        client.close()


@pytest.fixture(scope="module")
def keys(kms: Any) -> dict[str, str]:
    """Key kind -> id of a signing key of that kind."""
    return {
        spec: kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
        for spec in sorted({spec for spec, _ in ALGORITHMS})
    }


def digest_of(message: bytes, algorithm: str) -> bytes:
    return hashlib.new(f"sha{algorithm[-3:]}", message).digest()


def sent(message: bytes, kind: str, algorithm: str) -> bytes:
    return message if kind == "RAW" else digest_of(message, algorithm)


def verify_outside(kms: Any, key: str, algorithm: str, signature: bytes, message: bytes) -> None:
    """Verify as a device does: with the public key alone."""
    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    hashed = HASHES[algorithm[-3:]]
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(signature, message, ec.ECDSA(hashed))
        return
    assert isinstance(public, rsa.RSAPublicKey)
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if "PSS" in algorithm:
        scheme = padding.PSS(mgf=padding.MGF1(hashed), salt_length=hashed.digest_size)
    public.verify(signature, digest_of(message, algorithm), scheme, Prehashed(hashed))


class TestSignatures:
    @pytest.mark.parametrize("kind", ["RAW", "DIGEST"])
    @pytest.mark.parametrize(("spec", "algorithm"), ALGORITHMS)
    def test_a_signature_verifies_with_the_public_key_alone(
        self, kms: Any, keys: dict[str, str], spec: str, algorithm: str, kind: str
    ) -> None:
        signature = kms.sign(
            KeyId=keys[spec],
            Message=sent(MESSAGE, kind, algorithm),
            MessageType=kind,
            SigningAlgorithm=algorithm,
        )["Signature"]

        verify_outside(kms, keys[spec], algorithm, signature, MESSAGE)
        with pytest.raises(InvalidSignature):
            verify_outside(kms, keys[spec], algorithm, signature, MESSAGE + b".")

    @pytest.mark.parametrize(("spec", "algorithm"), ALGORITHMS)
    def test_what_was_signed_as_a_message_verifies_as_its_digest(
        self, kms: Any, keys: dict[str, str], spec: str, algorithm: str
    ) -> None:
        call = {"KeyId": keys[spec], "SigningAlgorithm": algorithm}
        signature = kms.sign(**call, Message=MESSAGE)["Signature"]

        told = kms.verify(
            **call,
            Message=digest_of(MESSAGE, algorithm),
            MessageType="DIGEST",
            Signature=signature,
        )

        assert told["SignatureValid"] is True
        assert told["SigningAlgorithm"] == algorithm
        assert told["KeyId"].endswith(f":key/{keys[spec]}")

    @pytest.mark.parametrize("kind", ["RAW", "DIGEST"])
    @pytest.mark.parametrize(("spec", "algorithm"), ALGORITHMS)
    def test_a_signature_of_another_message_is_an_error(
        self, kms: Any, keys: dict[str, str], spec: str, algorithm: str, kind: str
    ) -> None:
        call = {"KeyId": keys[spec], "SigningAlgorithm": algorithm, "MessageType": kind}
        signature = kms.sign(**call, Message=sent(MESSAGE, kind, algorithm))["Signature"]

        with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
            kms.verify(**call, Message=sent(MESSAGE + b".", kind, algorithm), Signature=signature)

    def test_bytes_that_are_no_signature_are_an_error(self, kms: Any, keys: dict[str, str]) -> None:
        with pytest.raises(kms.exceptions.KMSInvalidSignatureException):
            kms.verify(
                KeyId=keys["ECC_NIST_P256"],
                Message=MESSAGE,
                Signature=b"not DER",
                SigningAlgorithm="ECDSA_SHA_256",
            )


class TestRefusals:
    @pytest.fixture
    def call(self, keys: dict[str, str]) -> dict[str, str]:
        return {"KeyId": keys["ECC_NIST_P256"], "SigningAlgorithm": "ECDSA_SHA_256"}

    def test_a_message_may_have_4096_bytes_and_no_more(
        self, kms: Any, call: dict[str, str]
    ) -> None:
        assert kms.sign(**call, Message=b"x" * 4096)["Signature"]

        with pytest.raises(ClientError, match="between 1 and 4096") as raised:
            kms.sign(**call, Message=b"x" * 4097)

        assert raised.value.response["Error"]["Code"] == "ValidationException"

    def test_a_message_that_verify_is_given_may_not_be_longer_either(
        self, kms: Any, call: dict[str, str]
    ) -> None:
        signature = kms.sign(**call, Message=MESSAGE)["Signature"]

        with pytest.raises(ClientError, match="between 1 and 4096"):
            kms.verify(**call, Message=b"x" * 4097, Signature=signature)

    @pytest.mark.parametrize("length", [1, 31, 33, 48])
    def test_a_digest_of_the_wrong_length_is_refused(
        self, kms: Any, call: dict[str, str], length: int
    ) -> None:
        with pytest.raises(ClientError, match="Digest is invalid length") as raised:
            kms.sign(**call, Message=b"x" * length, MessageType="DIGEST")

        assert raised.value.response["Error"]["Code"] == "ValidationException"

    def test_an_algorithm_of_another_kind_of_key_is_refused(
        self, kms: Any, keys: dict[str, str]
    ) -> None:
        with pytest.raises(ClientError):
            kms.sign(KeyId=keys["RSA_2048"], Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")

    def test_a_key_that_encrypts_does_not_sign(self, kms: Any) -> None:
        key = kms.create_key()["KeyMetadata"]["KeyId"]

        with pytest.raises(ClientError):
            kms.sign(KeyId=key, Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")

    def test_a_key_that_is_not_there_is_said(self, kms: Any) -> None:
        with pytest.raises(kms.exceptions.NotFoundException):
            kms.sign(
                KeyId="00000000-0000-0000-0000-000000000000",
                Message=MESSAGE,
                SigningAlgorithm="ECDSA_SHA_256",
            )

    def test_a_disabled_key_neither_signs_nor_verifies_until_it_is_enabled(
        self, kms: Any, call: dict[str, str]
    ) -> None:
        signature = kms.sign(**call, Message=MESSAGE)["Signature"]
        kms.disable_key(KeyId=call["KeyId"])

        with pytest.raises(kms.exceptions.DisabledException):
            kms.sign(**call, Message=MESSAGE)
        with pytest.raises(kms.exceptions.DisabledException):
            kms.verify(**call, Message=MESSAGE, Signature=signature)

        kms.enable_key(KeyId=call["KeyId"])
        assert kms.verify(**call, Message=MESSAGE, Signature=signature)["SignatureValid"] is True

    def test_a_key_that_will_be_deleted_does_not_sign(self, kms: Any) -> None:
        key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)

        with pytest.raises(kms.exceptions.KMSInvalidStateException, match="pending deletion"):
            kms.sign(KeyId=key["KeyId"], Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_256")


class TestRotation:
    @pytest.fixture
    def key(self, kms: Any) -> str:
        made: str = kms.create_key()["KeyMetadata"]["KeyId"]
        return made

    def test_no_period_is_told_of_a_key_that_does_not_rotate(self, kms: Any, key: str) -> None:
        told = kms.get_key_rotation_status(KeyId=key)

        assert told["KeyRotationEnabled"] is False
        assert "RotationPeriodInDays" not in told

    def test_the_period_is_a_year_unless_another_is_given(self, kms: Any, key: str) -> None:
        kms.enable_key_rotation(KeyId=key)

        told = kms.get_key_rotation_status(KeyId=key)

        assert (told["KeyRotationEnabled"], told["RotationPeriodInDays"]) == (True, 365)

    def test_the_period_that_was_given_is_told(self, kms: Any, key: str) -> None:
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)

        assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 90

    def test_a_rotation_that_was_stopped_has_no_period(self, kms: Any, key: str) -> None:
        kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
        kms.disable_key_rotation(KeyId=key)

        told = kms.get_key_rotation_status(KeyId=key)

        assert told["KeyRotationEnabled"] is False
        assert "RotationPeriodInDays" not in told

    def test_a_key_that_signs_does_not_rotate(self, kms: Any, keys: dict[str, str]) -> None:
        with pytest.raises(kms.exceptions.UnsupportedOperationException, match="ECC_NIST_P256"):
            kms.enable_key_rotation(KeyId=keys["ECC_NIST_P256"])

    def test_a_key_that_is_not_there_is_said(self, kms: Any) -> None:
        with pytest.raises(kms.exceptions.NotFoundException):
            kms.enable_key_rotation(KeyId="00000000-0000-0000-0000-000000000000")
