"""Packing buffers into an arena. Pure functions on numbers; nothing here knows of plans."""

from __future__ import annotations

from dnnlang.plan.packing.pack import pack
from dnnlang.plan.packing.problem import Block, Packing

__all__ = ["Block", "Packing", "pack"]
