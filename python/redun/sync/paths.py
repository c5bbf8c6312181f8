"""How bundles are told from repos on the command line."""

from __future__ import annotations

#: What names of bundles end with.
SUFFIX = ".redun"


def is_bundle_path(text: str) -> bool:
    """Whether a text names a bundle rather than a repo: a URL, or a path with a slash or `.redun`."""
    return "/" in text or text.endswith(SUFFIX)
