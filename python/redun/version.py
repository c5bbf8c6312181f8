"""The version of this package: the one place it is written down for Python code."""

version = "0.50.0"
