"""KMS as our seal: a key that never leaves it, for receipts, and one derived from it, for cursors."""

from typing import Any

from botocore.exceptions import ClientError

from cloud.faults import code, faults

_ALGORITHM = "HMAC_SHA_256"


class KmsSeal:
    """An HMAC key by its id or alias."""

    def __init__(self, client: Any, key: str) -> None:
        self._client, self._key = client, key

    def mac(self, message: bytes) -> bytes:
        """The message's authentication code: only who may use the key can make it."""
        with faults("seal"):
            answer = self._client.generate_mac(KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message)
        return bytes(answer["Mac"])

    def holds(self, message: bytes, mac: bytes) -> bool:
        with faults("check seal"):
            try:
                answer = self._client.verify_mac(
                    KeyId=self._key, MacAlgorithm=_ALGORITHM, Message=message, Mac=mac
                )
            except ClientError as error:
                if code(error) != "KMSInvalidMacException":
                    raise
                return False
        return bool(answer["MacValid"])

    def derived(self, purpose: str) -> bytes:
        """32 secret bytes, the same each time: a key for what is sealed too often to ask KMS."""
        return self.mac(f"vigil derived key: {purpose}".encode())
