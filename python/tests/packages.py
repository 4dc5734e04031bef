"""Packages that a test needs beside what all tests need: the real ones that ours are compared with."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import pytest


def need_package(name: str) -> ModuleType:
    """Skips the test where a package is not installed; where CI is set it fails."""
    if name.startswith("django_vcache") and sys.version_info < (3, 12):
        pytest.skip("django-vcache needs Python 3.12")
    try:
        return importlib.import_module(name)
    except ImportError:
        reason = f"no package for {name}"
        if os.environ.get("CI", "") not in ("", "0", "false"):
            pytest.fail(f"{reason}; with CI set nothing is skipped")
        pytest.skip(reason)
