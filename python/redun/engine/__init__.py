"""Evaluation of expressions: the only part that decides what runs, and when."""
