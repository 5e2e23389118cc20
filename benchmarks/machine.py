"""What a benchmark says about where it ran."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable


def versions(packages: Iterable[str]) -> str:
    """`numpy 2.4.6, no torch`."""
    found = []
    for package in packages:
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"no {package}")
    return ", ".join(found)


def machine() -> str:
    """The processor, its cores, and the version of Python."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
