"""`redun report`: one page that tells what an execution did."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

WORKFLOW = '''
from redun import File, task

redun_namespace = "seq"


@task()
def reads(sample: int, reference: File) -> File:
    file = File(f"out/{sample}.txt")
    file.write(reference.read() + str(sample))
    return file


@task()
def count(files: list) -> int:
    return sum(len(file.read()) for file in files)


@task()
def check(file: File) -> int:
    """Fails <for> "1" & its file."""
    if "1" in file.path:
        raise ValueError("<script>alert(1)</script>")
    return 0


@task()
def down(n: int) -> int:
    return 0 if n == 0 else down(n - 1)


@task()
def main(n: int = 3, checked: bool = False) -> list:
    files = [reads(i, File("ref.txt")) for i in range(n)]
    return [count(files), down(3), [check(file) for file in files] if checked else None]
'''

VOID = {"meta", "br", "line", "rect", "polygon", "path", "i"}


class Page(HTMLParser):
    """Checks that a page is well-formed, and collects its text and what it would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)
        self.loads += [str(value) for name, value in attrs if name in ("src", "onclick", "onload")]
        self.loads += [
            str(value) for name, value in attrs if name == "href" and not value.startswith("#")
        ]
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture
def seq(workdir: Path) -> Path:
    (workdir / "ref.txt").write_text("ACGT")
    (workdir / "seq.py").write_text(WORKFLOW)
    return workdir


def read_page(path: Path) -> tuple[Page, str]:
    page = Page(path.read_text())
    assert page.open == []
    return page, " ".join(page.text)


def test_a_page_tells_what_ran(seq: Path, program) -> None:
    assert program("run", "seq.py", "main").code == 0
    done = program("report")
    assert (done.code, done.out) == (0, "Wrote report.html\n")
    page, text = read_page(seq / "report.html")
    assert "run seq.py main" in text
    for name in ("seq.main", "seq.reads", "seq.count", "seq.down"):
        assert name in text
    assert "seq.down calls seq.down 3 times" in text
    for path in ("ref.txt", "out/0.txt", "out/2.txt"):
        assert path in text
    assert "def reads(sample: int, reference: File)" in text
    assert page.tags.count("svg") == 3
    files = text.split("Path")
    assert "ref.txt" in files[1]
    assert "out/0.txt" not in files[1]
    assert "out/0.txt" in files[2]


def test_nothing_is_loaded_and_nothing_runs(seq: Path, program) -> None:
    assert program("run", "seq.py", "main", "--checked", "true").code == 1
    assert program("report").code == 0
    page, text = read_page(seq / "report.html")
    assert page.loads == []
    assert "script" not in page.tags
    assert "ValueError('<script>alert(1)</script>')" in text
    assert 'raise ValueError("<script>alert(1)</script>")' in text
    assert "default-src 'none'" in (seq / "report.html").read_text()


def test_the_critical_path_is_the_slow_chain(workdir: Path, program) -> None:
    (workdir / "slow.py").write_text(
        "import time\nfrom redun import task\n"
        'redun_namespace = "slow"\n'
        "@task()\ndef fast(x):\n    return x\n"
        "@task()\ndef first(x):\n    time.sleep(0.2)\n    return x\n"
        "@task()\ndef second(x):\n    time.sleep(0.2)\n    return x\n"
        "@task()\ndef main():\n    return [fast(1), second(first(2)), fast(3)]\n"
    )
    assert program("run", "slow.py", "main").code == 0
    out = program("report", "-o", "-").out
    section = out.split("<section id='critical'>")[1].split("</section>")[0]
    assert re.findall(r"slow\.\w+", section) == ["slow.first", "slow.second"]


def test_a_cached_execution_and_stdout(seq: Path, program) -> None:
    for _ in range(2):
        assert program("run", "seq.py", "main").code == 0
    out = program("report", "-", "-o", "-").out
    assert "No job ran: all results were there." in out


def test_the_page_does_not_grow_with_the_jobs(seq: Path, program) -> None:
    (seq / "many.py").write_text(
        "from redun import task\n"
        'redun_namespace = "many"\n'
        "@task()\ndef leaf(x):\n    return x\n"
        "@task()\ndef main(n: int):\n    return [leaf(i) for i in range(n)]\n"
    )
    sizes = []
    for number in (600, 3000):
        assert program("run", "many.py", "main", "--n", number).code == 0
        sizes.append(len(program("report", "-o", "-").out))
    assert sizes[1] < 1.2 * sizes[0]


def test_a_page_that_cannot_be_written(seq: Path, program) -> None:
    assert program("run", "seq.py", "main").code == 0
    done = program("report", "-o", "missing/page.html")
    assert done.code == 1
    assert "cannot write the report to `missing/page.html`" in done.err
    assert list(seq.glob("*.part")) == []


def test_a_link_is_written_through(seq: Path, program) -> None:
    assert program("run", "seq.py", "main").code == 0
    (seq / "link.html").symlink_to("page.html")
    (seq / "page.html").write_text("old")
    assert program("report", "-o", "link.html").code == 0
    assert (seq / "link.html").is_symlink()
    assert "<html" in (seq / "page.html").read_text()
    assert list(seq.glob("*.part")) == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_it(seq: Path, program) -> None:
    assert program("run", "seq.py", "main", "--checked", "true").code == 1
    assert program("report").code == 0
    picture = seq / "page.png"
    browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,2000"]
    address = (seq / "report.html").as_uri()
    done = subprocess.run(
        [*browser, f"--user-data-dir={seq / 'profile'}", f"--screenshot={picture}", address],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert picture.stat().st_size > 20_000  # a blank page of this size has a tenth of that
    errors = [line for line in done.stderr.splitlines() if "Refused" in line or "CONSOLE" in line]
    assert errors == []
