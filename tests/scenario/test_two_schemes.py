"""Schedulers on repos of different hash schemes run in threads of one process."""

import threading

import pytest

from redun import File, Scheduler, task
from redun.config import Config
from redun.hashing import get_scheme, hash_struct, set_scheme
from redun.scheduler import Job

redun_namespace = "test_two_schemes"

SCHEMES = ("blake3", "redun1")


@task(version="1")
def scheme_of(number):
    return get_scheme(), hash_struct([number])


@task(version="1", cache=False)
async def scheme_of_coroutine(number):
    return get_scheme(), hash_struct([number])


@task(version="1")
def many(count):
    return [scheme_of(number) for number in range(count)]


@task(version="1")
def one_after_another(count):
    return File("nowhere") if count == 0 else one_after_another(count - 1)


@pytest.fixture(autouse=True)
def _scheme():
    before = get_scheme()
    yield
    set_scheme(before)


def test_runs_in_threads_do_not_disturb_each_other(new_repo) -> None:
    barrier = threading.Barrier(len(SCHEMES))
    found: dict[str, list] = {scheme: [] for scheme in SCHEMES}
    errors: list[BaseException] = []

    uris = {scheme: new_repo(f"{scheme}.db", empty=True) for scheme in SCHEMES}

    def run(scheme: str) -> None:
        try:
            config = Config({"backend": {"db_uri": uris[scheme], "hash_scheme": scheme}})
            scheduler = Scheduler(config=config)
            scheduler.load(migrate=True)
            barrier.wait(20)
            for _ in range(3):
                found[scheme] += scheduler.run(many(100))
                scheduler.run(one_after_another(30))
                assert scheduler.run(scheme_of_coroutine(1))[0] == scheme
            # All hashes were those of one scheme: the next run finds every result.
            scheduler.run(many(100))
            counts = scheduler.job_counts()
            assert counts["test_two_schemes.scheme_of"][Job.STATUSES.index("CACHED")] == 100
            scheduler.backend.close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(scheme,)) for scheme in SCHEMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for scheme in SCHEMES:
        set_scheme(scheme)
        expected = [(scheme, hash_struct([number])) for number in range(100)]
        assert found[scheme] == expected * 3


def test_a_thread_keeps_the_scheme_it_chose() -> None:
    set_scheme("blake3")
    chosen: list[str] = []
    other = threading.Thread(target=lambda: chosen.extend([set_scheme("redun1"), get_scheme()]))
    other.start()
    other.join()
    assert chosen == ["blake3", "redun1"]
    assert get_scheme() == "blake3"
