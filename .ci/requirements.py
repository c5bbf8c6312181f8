"""Print what pyproject.toml asks for, the dev extra included, one requirement a line.

It lets the Makefile install the dependencies without building the extension twice.
"""

from pathlib import Path

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
    print(requirement)  # noqa: T201
