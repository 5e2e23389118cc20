"""Recomputation for a memory budget: the cheapest plan that fits."""
