"""Completion of words in the shell: click completes; the shell's start-up file has to say so."""

from __future__ import annotations

import os
from pathlib import Path

from resnet_inspect.errors import InspectError, check_name

_EVAL = 'eval "$(_RESNET_INSPECT_COMPLETE={}_source resnet-inspect)"'

SHELLS: dict[str, tuple[str, str]] = {
    "bash": (".bashrc", _EVAL.format("bash")),
    "zsh": (".zshrc", _EVAL.format("zsh")),
    "fish": (
        ".config/fish/completions/resnet-inspect.fish",
        "_RESNET_INSPECT_COMPLETE=fish_source resnet-inspect | source",
    ),
}
"""For each shell the file that it reads, below the home folder, and the line to have in it."""


def install(shell: str) -> None:
    """Add the line to the file of this shell ('' for the user's own) and say so.

    Raises InspectError for another shell, or a file that cannot be written.
    """
    name = shell or Path(os.environ.get("SHELL", "")).name
    check_name("shell", name, SHELLS)
    place, line = SHELLS[name]
    path = Path.home() / place
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if line not in text.splitlines():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n" if text else f"{line}\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InspectError(
            f"cannot add to {path}: {error}; add this line yourself: {line}"
        ) from None
    print(f"Completion is in {path}; open a new shell to use it.")
