"""What a caller may be told while something is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resnet_inspect.measuring.records import Measurement


class Progress:
    """Told what happens, in this order; a subclass overrides what it wants to show. Silent itself.

    An exception that a method raises, such as KeyboardInterrupt, ends the measuring; what was
    reported by `done` is saved.
    """

    def note(self, words: str) -> None:
        """Something about the device or its ceilings that the user may want to know."""

    def start(self, total: int, done: int = 0) -> None:
        """How many measurements there are, and how many of them the record already holds."""

    def say(self, words: str) -> None:
        """What is measured now."""

    def done(self, measurement: Measurement) -> None:
        """One measurement is finished, and saved if there is a record."""


SILENT = Progress()
