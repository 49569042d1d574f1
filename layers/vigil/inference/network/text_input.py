"""Text as the input of a network: UTF-8 becomes windows of tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vigil.errors import EmptyFile
from vigil.inference.network.card import TextInputSpec
from vigil.inference.network.prepared import NotText, PreparedInput
from vigil.toml_file import InvalidToml

MAX_TOKEN_CHARACTERS = 100
"""What exceeds this many characters for each token that fits is cut before it is split into tokens."""

MAX_WINDOWS = 64


def read_text(data: bytes) -> str:
    """The text of a file in UTF-8, with or without a byte order mark. Raises EmptyFile, NotText."""
    if not data:
        raise EmptyFile("the file has no bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        place = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise NotText(f"the file is not text in UTF-8: {place}; save it as UTF-8") from error
    if "\0" in text:
        raise NotText(f"the file is not text: character {text.index(chr(0))} is NUL")
    if not text.strip():
        raise NotText("the text has only white space")
    return text


@dataclass(frozen=True, slots=True)
class _TokenizerErrors:
    """Translates the errors of `tokenizers`, all of which are of the class Exception itself."""

    file: str

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if type(error) is Exception or isinstance(error, ValueError):
            raise InvalidToml(
                f"input.tokenizer: {self.file} is no tokenizer in the format of `tokenizers`: {error}"
            ) from error


class TextPreparer:
    """Splits a text into tokens with the card's tokenizer."""

    def __init__(self, spec: TextInputSpec, tokenizer: bytes, dtype: np.dtype[Any]) -> None:
        """Raises InvalidToml if the tokenizer cannot be used."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - only models of text load it

        self._spec, self._dtype = spec, dtype
        with _TokenizerErrors(spec.tokenizer):
            self._tokenizer = Tokenizer.from_str(tokenizer.decode())
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.max_tokens, stride=spec.overlap)

    def __call__(self, data: bytes) -> Iterator[PreparedInput]:
        """Raises EmptyFile, NotText."""
        spec, text = self._spec, read_text(data)
        windows = 1 if spec.long == "truncate" else MAX_WINDOWS
        encoded = self._tokenizer.encode(text[: windows * spec.max_tokens * MAX_TOKEN_CHARACTERS])
        ids = [one.ids for one in [encoded, *encoded.overflowing][:windows]]
        if not ids[0]:
            raise NotText("the text has no token that the model knows")
        width = spec.max_tokens if spec.padding == "max" else max(map(len, ids))
        yield PreparedInput(self._feeds(ids, width), len(ids), averaged=True)

    def _feeds(self, ids: list[list[int]], width: int) -> dict[str, NDArray[Any]]:
        """(windows, width) of each input."""
        spec, padding = self._spec, self._tokenizer.token_to_id("[PAD]") or 0
        tokens = np.full((len(ids), width), padding, self._dtype)
        mask = np.zeros_like(tokens)
        for row, window in enumerate(ids):
            tokens[row, : len(window)], mask[row, : len(window)] = window, 1
        feeds = {spec.name: tokens}
        if spec.mask:
            feeds[spec.mask] = mask
        if spec.types:
            feeds[spec.types] = np.zeros_like(tokens)
        return feeds
