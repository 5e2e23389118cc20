"""Diagnostics: rules with their documentation, and the ways in which broken rules are shown."""

from dnnlang.diagnostics.diagnostic import (
    RULES,
    Diagnostic,
    Diagnostics,
    Edit,
    Fix,
    Label,
    Rule,
    Severity,
    rule,
)

__all__ = [
    "RULES",
    "Diagnostic",
    "Diagnostics",
    "Edit",
    "Fix",
    "Label",
    "Rule",
    "Severity",
    "rule",
]
