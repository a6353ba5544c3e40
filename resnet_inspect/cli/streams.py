"""Standard streams that can say everything, and let no text steer a terminal."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable
from functools import partial
from typing import TextIO, cast

from resnet_inspect.tables.characters import SIGNS, visible_lines


class Careful:
    """A stream that writes what steers a terminal as escapes; else the stream that it guards.

    rich, whose styles are such characters, looks for the name `rich_proxied_file` and writes there.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        return self.rich_proxied_file.write(visible_lines(text))

    def writelines(self, lines: Iterable[str]) -> None:
        self.rich_proxied_file.writelines(map(visible_lines, lines))

    def close(self) -> None:
        """Stay open: a user's code may print, and owns no stream."""

    def __getattr__(self, name: str) -> object:
        return getattr(self.rich_proxied_file, name)


def guard() -> None:
    """Make stdout and stderr careful, whoever prints, and fit for every character."""
    sys.stdout, sys.stderr = _careful(sys.stdout), _careful(sys.stderr)


def unguarded(stream: TextIO) -> TextIO:
    """The stream as it is, for text that is styled and holds no one's names."""
    return cast(TextIO, getattr(stream, "rich_proxied_file", stream))


def _careful(stream: TextIO | None) -> TextIO:
    if stream is None:  # closed before we began
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        _say_all(stream)
        return cast(TextIO, Careful(stream))
    return stream


def _say_all(stream: io.TextIOWrapper) -> None:
    """Let a stream take every character.

    Whatever is not UTF gets our own signs in ASCII, even those that it has: who reads a pipe or a
    file may well take another encoding than the one it was written in.
    """
    encoding = codecs.lookup(stream.encoding).name
    if encoding.startswith("utf"):
        stream.reconfigure(errors="backslashreplace")
        return
    codecs.register_error(f"resnet-inspect.{encoding}", partial(_spelled, encoding))
    stream.reconfigure(encoding="ascii", errors=f"resnet-inspect.{encoding}")


def _spelled(encoding: str, error: UnicodeError) -> tuple[bytes, int]:
    """What stands for characters that are no ASCII: a sign in ASCII, a letter if there is one."""
    assert isinstance(error, UnicodeEncodeError)
    beyond = error.object[error.start : error.end]
    return b"".join(_bytes(char, encoding) for char in beyond), error.end


def _bytes(char: str, encoding: str) -> bytes:
    sign = char.translate(SIGNS)
    return (sign if sign.isascii() else char).encode(encoding, "backslashreplace")
