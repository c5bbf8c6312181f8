"""A Unix pipeline as a task."""

from redun import File, script, task

redun_namespace = "redun.examples.script_pipeline"


@task()
def count_words(text: File, target: str, top: int) -> File:
    """Write the most frequent words of a text, compressed."""
    return script(
        f"""
        tr -cs 'A-Za-z' '\\n' < text.txt \\
            | tr 'A-Z' 'a-z' | grep . | sort | uniq -c | sort -k1,1nr -k2 \\
            | awk 'NR <= {top} {{ print $2 "\\t" $1 }}' \\
            | gzip -n > counts.tsv.gz
        """,
        inputs=[text.stage("text.txt")],
        outputs=File(target).stage("counts.tsv.gz"),
    )


@task(script=True)
def unpack(counts: File) -> str:
    """A script task returns its command, and its result is what the command prints."""
    return f"gzip -dc {counts.path}"


@task()
def parse(output: bytes) -> dict[str, int]:
    rows = [line.split("\t") for line in output.decode().splitlines()]
    return {word: int(count) for word, count in rows}


@task()
def main(text: File = File("zen.txt"), top: int = 3) -> dict[str, int]:
    return parse(unpack(count_words(text, "zen.tsv.gz", top)))
