"""How bundles are told from repos on the command line."""

from __future__ import annotations

#: What names of bundles end with.
SUFFIX = ".redun"

#: How URLs of databases begin.
_DATABASES = ("sqlite", "postgres")


def is_bundle_path(text: str) -> bool:
    """
    Whether a text names a bundle rather than a repo: a URL, or a path with a slash or `.redun`.

    URLs of databases name neither.
    """
    if "://" in text and text.startswith(_DATABASES):
        return False
    return "/" in text or text.endswith(SUFFIX)
