"""Configuration: format, nesting, interpolation."""

from __future__ import annotations

import configparser
import os

import pytest

from redun.config import Config, create_config_section
from redun.file import RedunFileNotFoundError


def parse(text: str) -> Config:
    config = Config()
    config.read_string(text)
    return config


def test_format():
    config = parse("[a]\nx=1 ; kept\n# no\n; no\nY: 2\n  3\npercent = 50%\n")
    assert dict(config["a"]) == {"x": "1 ; kept", "Y": "2\n3", "percent": "50%"}
    assert config["a"].get("y") is None
    assert isinstance(config["a"], configparser.SectionProxy)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[a]\nx=1\n[a]\ny=2\n", configparser.DuplicateSectionError),
        ("[a]\nx=1\nx=2\n", configparser.DuplicateOptionError),
        ("x=1", configparser.MissingSectionHeaderError),
        ("[a]\nx\n", configparser.ParsingError),
        ("[a]\nx=1\n[a.b]\ny=2", TypeError),
        ("[a.b]\nx=1\n[a.b.c]\ny=2", TypeError),
    ],
)
def test_wrong_format(text, error):
    with pytest.raises(error):
        parse(text)


def test_sections_nest_by_dots():
    config = parse("[a]\nx=1\n[b.c]\nk=3\n[b.d]\nk=4\n[e.f.g]\nk=5\n")
    assert list(config.keys()) == ["a", "b", "e"]
    assert type(config["b"]) is dict
    assert config["b"]["d"]["k"] == "4"
    assert config["e"]["f"]["g"].getint("k") == 5
    assert [name for name, _ in config.items()] == ["a", "b", "e"]
    assert "b" in config
    assert "b.c" not in config
    assert config.get("b.c") is None
    assert config.get("nope", 3) == 3
    with pytest.raises(KeyError):
        config["nope"]


def test_typed_options():
    section = parse("[a]\ni=3\nf=1.5\nb=yes\n")["a"]
    assert (section.getint("i"), section.getfloat("f"), section.getboolean("b")) == (3, 1.5, True)
    assert section.get("nope", fallback="x") == "x"
    assert section.getint("nope", fallback=7) == 7


def test_defaults_are_inherited():
    config = parse("[DEFAULT]\nq=1\n[a]\nx=${q}\n")
    assert dict(config["a"]) == {"x": "1", "q": "1"}
    assert list(config.keys()) == ["a"]


def test_interpolation():
    config = parse("[a]\nx=1\ny=${x}/${b.c:k}\nd=$${x}\n[b.c]\nk=3\n")
    assert config["a"]["y"] == "1/3"
    assert config["a"]["d"] == "${x}"


def test_the_environment_wins(monkeypatch):
    monkeypatch.setenv("TEST_CONFIG_VALUE", "env")
    text = (
        "[DEFAULT]\nTEST_CONFIG_VALUE=default\n[a]\nTEST_CONFIG_VALUE=own\nx=${TEST_CONFIG_VALUE}"
    )
    assert parse(text)["a"]["x"] == "env"
    monkeypatch.delenv("TEST_CONFIG_VALUE")
    assert parse(text)["a"]["x"] == "own"
    assert parse("[a]\nx=${b:k}\n[b]\nk=2\n")["a"]["x"] == "2"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("${nope}", configparser.InterpolationMissingOptionError),
        ("${nope:x}", configparser.InterpolationMissingOptionError),
        ("${a:b:c}", configparser.InterpolationSyntaxError),
        ("${x}", configparser.InterpolationDepthError),
        ("$x", configparser.InterpolationSyntaxError),
    ],
)
def test_references_that_lead_nowhere(value, error):
    config = parse(f"[a]\nx={value}\n[b]\ny=1\n")  # reading is fine
    assert config["b"]["y"] == "1"
    with pytest.raises(error):
        config["a"]["x"]
    with pytest.raises(error):
        config.get_config_dict()


def test_further_text_is_merged():
    config = parse("[a]\nx=1\ny=1")
    config.read_string("[a]\nx=2\n[b]\nz=1")
    config.read_dict({"b": {"w": "3"}})
    assert config.get_config_dict() == {"a": {"x": "2", "y": "1"}, "b": {"z": "1", "w": "3"}}


def test_dict_round_trip():
    config = parse("[a]\nx=1\n[b.c]\nk=${a:x}\n[b.d]\nk=4\n[e.f.g]\nk=5\n")
    found = config.get_config_dict()
    assert found == {
        "a": {"x": "1"},
        "b.c": {"k": "1"},
        "b.d": {"k": "4"},
        "e.f.g": {"k": "5"},
    }
    assert list(found) == ["a", "b.c", "b.d", "e.f.g"]
    again = Config(found)
    assert again["b"]["c"]["k"] == "1"
    assert again.get_config_dict() == found


def test_sections_can_be_assigned():
    config = parse("[a]\nx=1\ny=${x}")
    config["new"] = create_config_section({"k": 1})
    config["tree"] = {"leaf": create_config_section()}
    assert config.get_config_dict() == {
        "a": {"x": "1", "y": "1"},
        "new": {"k": "1"},
        "tree.leaf": {},
    }
    config["a"]["x"] = "9"
    assert config["a"]["y"] == "9"
    with pytest.raises(TypeError, match="option values must be strings"):
        config["a"]["x"] = 9


def test_sections_of_no_file():
    section = create_config_section({"a": "1"})
    assert (section.name, section.getint("a")) == ("section", 1)
    assert dict(create_config_section()) == {}


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cfg"
    folder.mkdir()
    (folder / "redun.ini").write_text("[a]\nx=1\n")
    config = Config()
    assert config.configdir == os.getcwd()
    config.read_path(str(folder / "redun.ini"))
    assert config["a"]["x"] == "1"
    assert config.configdir == str(folder)
    relative = Config()
    relative.read_path("cfg/redun.ini")
    assert relative.configdir == "cfg"
    assert Config(configdir="given").configdir == "given"
    with pytest.raises(RedunFileNotFoundError):
        config.read_path(str(folder / "nope.ini"))


def test_another_directory_can_stand_for_the_configurations(monkeypatch):
    monkeypatch.delenv("REDUN_CONFIG", raising=False)
    sections = {
        "backend": {"config_dir": "/old/.redun", "db_uri": "sqlite:////old/.redun/redun.db"},
        "repos.default": {"config_dir": "/old/.redun"},
        "a": {"x": "/elsewhere"},
    }
    assert Config(sections).get_config_dict("/new") == {
        "backend": {"config_dir": "/new", "db_uri": "sqlite:////new/redun.db"},
        "repos.default": {"config_dir": "/new"},
        "a": {"x": "/elsewhere"},
    }
    monkeypatch.setenv("REDUN_CONFIG", "/else")
    assert Config({"a": {"x": "/elsewhere"}}).get_config_dict("/new") == {"a": {"x": "/newwhere"}}
