"""KMS: signatures that verify outside, refusals as KMS gives them, the period of a rotation.

moto signs the digest of a digest, uses another salt length than KMS, says False where KMS
refuses, and takes messages of any length
(https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html).
"""

from __future__ import annotations

import base64
import json
from typing import Any

__all__ = ["extend_keys"]

_RAW_BYTES = 4096
_ROTATION_DAYS = 365


def extend_keys() -> None:
    """Mend Sign and Verify, and tell the period of a rotation."""
    _extend_signatures()
    _extend_rotation()


def _extend_signatures() -> None:
    from cryptography.exceptions import InvalidSignature
    from moto.core.exceptions import JsonRESTError
    from moto.kms.responses import KmsResponse

    def key_of(response: Any) -> Any:
        key_id = response._get_param("KeyId")
        response._validate_key_id(key_id)
        backend = response.kms_backend
        key = backend.describe_key(key_id)
        backend._KmsBackend__ensure_valid_sign_and_verify_key(key)
        algorithm = response._get_param("SigningAlgorithm")
        backend._KmsBackend__ensure_valid_signing_algorithm(key, algorithm)
        if key.key_state == "PendingDeletion":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        if not key.enabled:
            raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
        return key

    def sign(response: Any) -> str:
        key, algorithm = key_of(response), response._get_param("SigningAlgorithm")
        message, rules = _message(response), _rules(response, algorithm)
        signature = key.private_key.private_key.sign(message, *rules)
        return _told(key, algorithm, Signature=base64.b64encode(signature).decode())

    def verify(response: Any) -> str:
        key, algorithm = key_of(response), response._get_param("SigningAlgorithm")
        message, rules = _message(response), _rules(response, algorithm)
        signature = response._get_param("Signature")
        if isinstance(signature, str):
            signature = base64.b64decode(signature)
        try:
            key.private_key.private_key.public_key().verify(signature, message, *rules)
        except InvalidSignature as error:
            raise JsonRESTError("KMSInvalidSignatureException", "") from error
        return _told(key, algorithm, SignatureValid=True)

    for method in (sign, verify):
        setattr(KmsResponse, method.__name__, method)


def _told(key: Any, algorithm: str, **result: Any) -> str:
    return json.dumps({"KeyId": key.arn, "SigningAlgorithm": algorithm, **result})


def _message(response: Any) -> bytes:
    from moto.kms.exceptions import ValidationException

    message = response._get_param("Message")
    content = message.encode() if isinstance(message, str) else bytes(message or b"")
    if not 1 <= len(content) <= _RAW_BYTES:
        raise ValidationException(
            "1 validation error detected: Value at 'message' failed to satisfy constraint: "
            f"Member must have length between 1 and {_RAW_BYTES}"
        )
    return content


def _rules(response: Any, algorithm: str) -> tuple[Any, ...]:
    """Return what follows the message in a call to ``cryptography``."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
    from moto.kms.exceptions import ValidationException

    hashed: Any = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[
        algorithm[-3:]
    ]
    chosen = hashed
    if response._get_param("MessageType") == "DIGEST":
        if len(_message(response)) != hashed.digest_size:
            raise ValidationException(f"Digest is invalid length for algorithm {algorithm}.")
        chosen = Prehashed(hashed)
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(chosen),)
    if algorithm.startswith("RSASSA_PSS"):
        salted = padding.PSS(mgf=padding.MGF1(hashed), salt_length=hashed.digest_size)
        return (salted, chosen)
    return (padding.PKCS1v15(), chosen)


def _extend_rotation() -> None:
    from moto.core.exceptions import JsonRESTError
    from moto.kms.responses import KmsResponse

    enable = KmsResponse.enable_key_rotation

    def enable_key_rotation(response: Any) -> str:
        key_id = response._get_param("KeyId")
        response._validate_cmk_id(key_id)
        key = response.kms_backend.describe_key(key_id)
        if key.key_spec != "SYMMETRIC_DEFAULT":
            raise JsonRESTError(
                "UnsupportedOperationException",
                f"{key.arn} key spec is {key.key_spec} which is not valid for EnableKeyRotation.",
            )
        result = enable(response)
        days = response._get_param("RotationPeriodInDays")
        key.edgewise_rotation_days = int(days or _ROTATION_DAYS)
        return result

    def get_key_rotation_status(response: Any) -> str:
        key_id = response._get_param("KeyId")
        response._validate_cmk_id(key_id)
        told: dict[str, Any] = {
            "KeyId": key_id,
            "KeyRotationEnabled": response.kms_backend.get_key_rotation_status(key_id),
        }
        if told["KeyRotationEnabled"]:
            key = response.kms_backend.describe_key(key_id)
            told["RotationPeriodInDays"] = vars(key).get("edgewise_rotation_days", _ROTATION_DAYS)
        return json.dumps(told)

    for method in (enable_key_rotation, get_key_rotation_status):
        setattr(KmsResponse, method.__name__, method)
