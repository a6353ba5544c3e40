"""A web page in one file: a template of a package with its style and script inside.

The template's content security policy names the script's hash, so that the page runs its own script
and nothing else. Text is escaped by jinja2, and characters that steer are written as escapes.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from resnet_inspect.tables.characters import visible


def resource(package: str, name: str) -> str:
    """The text of a file among a package's templates."""
    return (files(package) / "templates" / name).read_text(encoding="utf-8")


def web_page(package: str, template: str, *, style: str, script: str, **values: Any) -> str:
    """The page that a template of a package makes of these values."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        finalize=lambda said: visible(said) if type(said) is str else said,
    )
    return environment.get_template(template).render(
        version=version("resnet-inspect"),
        style=Markup(style),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **values,
    )
