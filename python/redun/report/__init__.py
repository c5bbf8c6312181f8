"""One self-contained page about an execution: what ran, when, from what, and what came of it."""
