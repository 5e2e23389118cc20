"""What an expert would say of a program that is right: warnings, found when every check has passed."""

from dnnlang.graph.advice.advise import advise
from dnnlang.graph.advice.data import BATCH_LARGER, UNSCALED

__all__ = ["BATCH_LARGER", "UNSCALED", "advise"]
