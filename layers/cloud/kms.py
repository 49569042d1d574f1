"""An HMAC key in KMS: it signs receipts and checkpoints, and the key for cursors is derived from it."""

from typing import Any

from botocore.exceptions import ClientError

from cloud.errors import error_code, translate_errors

_ALGORITHM = "HMAC_SHA_256"


class KmsMac:
    """An HMAC key by its id or alias; the key never leaves KMS."""

    def __init__(self, client: Any, key: str) -> None:
        self._client, self._key = client, key

    def sign(self, message: bytes) -> bytes:
        """The message authentication code of the message."""
        with translate_errors("keys", "sign"):
            answer = self._client.generate_mac(KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message)
        return bytes(answer["Mac"])

    def verify(self, message: bytes, mac: bytes) -> bool:
        with translate_errors("keys", "verify signature"):
            try:
                answer = self._client.verify_mac(
                    KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message, Mac=mac
                )
            except ClientError as error:
                if error_code(error) != "KMSInvalidMacException":
                    raise
                return False
        return bool(answer["MacValid"])

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes, the same at each call, for signatures that are too frequent for KMS."""
        return self.sign(f"vigil derived key: {purpose}".encode())
