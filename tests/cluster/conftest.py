"""Real servers on loopback: PostgreSQL of the distribution, Dask's scheduler and workers."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

# Far beyond what anything here takes on a quiet machine.
PATIENCE = 120


def wait_until(condition, what):
    """Return the first true value of `condition()`, or fail."""
    begin = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - begin < PATIENCE, f"waited too long for {what}"
        time.sleep(0.05)
    return found


def free_port():
    """Return a port of loopback without a listener."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Processes:
    """Commands in the background, none of which outlives the test."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def start(self, name, *words, **environment):
        """Start a command; what it says is in `log(name)`."""
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [str(word) for word in words],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=os.environ | environment,
            )
        self.started.append(process)
        return process

    def moodcore(self, name, *arguments):
        """Start a command of ours."""
        return self.start(name, sys.executable, "-m", "moodcore.cli", *arguments)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text()

    def finish(self, name, process):
        """Wait for the end of a command that must succeed."""
        assert process.wait(PATIENCE) == 0, self.log(name)

    def end(self):
        for process in self.started:
            process.kill()
        for process in self.started:
            process.wait(PATIENCE)


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.end()


def _postgres_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


class Postgres:
    """A server with an empty cluster in a temporary folder.

    It refuses to run as root, and then runs as the user whom the distribution made for it.
    """

    def __init__(self, programs, folder):
        self.programs, self.folder = programs, folder
        self.port = free_port()
        self.process = None
        self.user = {}
        if os.geteuid() == 0:
            self.user = {"user": "postgres", "group": "postgres", "extra_groups": []}
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-D", folder / "data", "-U", "moodcore", "-A", "trust", "--no-sync")

    def _run(self, program, *words):
        done = subprocess.run(
            [self.programs / program, *words],
            **self.user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def start(self):
        words = ("-D", self.folder / "data", "-p", str(self.port), "-k", self.folder)
        settings = ("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", *words, *settings],
                **self.user,
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers, "PostgreSQL")

    def _answers(self):
        import psycopg

        assert self.process.poll() is None, (self.folder / "server.log").read_text()
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self):
        """Cut all connections and end the server."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(PATIENCE)
            self.process = None

    def url(self, database, password=""):
        return f"postgresql://moodcore{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name):
        """Make an empty database and return its address."""
        import psycopg

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url(name)


@pytest.fixture(scope="session")
def postgres():
    programs = _postgres_programs()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs a PostgreSQL server: .ci/run installs Debian's `postgresql`")
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    # Not under pytest's folders, which only their owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="moodcore-postgres-"))
    server = Postgres(programs, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)


@pytest.fixture
def database(postgres, request):
    """Return the address of an empty database for this test."""
    import uuid

    return postgres.new_database(f"test-{uuid.uuid4().hex[:12]}")


class Cluster:
    """A Dask scheduler and workers, each a process of its own."""

    def __init__(self, processes):
        self.processes = processes
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.workers = []
        self.scheduler = None
        self.start_scheduler()

    def start_scheduler(self):
        words = ("--host", "127.0.0.1", "--port", self.address.rpartition(":")[2])
        self.scheduler = self._dask("scheduler", *words)

    def _dask(self, name, *words):
        kind = name.partition("-")[0]
        return self.processes.start(
            name, sys.executable, "-m", "dask", kind, *words, "--no-dashboard"
        )

    def add_worker(self, threads=1):
        """Start a worker without a nurse: who kills it, loses it."""
        words = (self.address, "--no-nanny", "--nthreads", threads)
        name = f"worker-{len(self.workers)}"
        process = self._dask(name, *words, "--name", name, "--host", "127.0.0.1")
        self.workers.append(process)
        return process

    @contextlib.contextmanager
    def client(self):
        import distributed

        with distributed.Client(self.address, set_as_default=False, timeout=PATIENCE) as client:
            yield client

    def wait_for_workers(self):
        with self.client() as client:
            client.wait_for_workers(len(self.workers), timeout=PATIENCE)


@pytest.fixture(scope="module")
def long_lived_processes(tmp_path_factory):
    started = Processes(tmp_path_factory.mktemp("processes"))
    yield started
    started.end()


@pytest.fixture(scope="module")
def cluster(long_lived_processes):
    """Return a cluster of two workers, which tests leave as it is."""
    made = Cluster(long_lived_processes)
    for _ in range(2):
        made.add_worker()
    made.wait_for_workers()
    return made


@pytest.fixture
def mortal_cluster(processes):
    """Return a cluster of two workers that the test may kill."""
    made = Cluster(processes)
    for _ in range(2):
        made.add_worker()
    made.wait_for_workers()
    return made


@pytest.fixture(scope="module")
def workers(long_lived_processes):
    """Return a cluster of four workers, of which tests use some."""
    made = Cluster(long_lived_processes)
    for _ in range(4):
        made.add_worker()
    made.wait_for_workers()
    with made.client() as client:
        yield client
