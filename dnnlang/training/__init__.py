"""Everything between a compiled network and a trained one: data, the loop, metrics, model files, reports.

Import the module that is needed; importing the package itself costs nothing.
"""
