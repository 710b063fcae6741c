"""Connections between the workers of a training: strangers, steps, ports and TLS."""

import asyncio
import socket
import threading
from types import SimpleNamespace

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from distributed.security import Security

from moodcore.dask import GBT as DaskGBT
from moodcore.estimators.cluster import sums
from moodcore.estimators.cluster.links import Listener, connect

from .conftest import PATIENCE, free_port
from .trees import assert_same, numbers


class StoppedError(Exception):
    """Training is to stop."""


def stop():
    raise StoppedError


def worker():
    """Return what links need of a worker."""
    return SimpleNamespace(address="tcp://127.0.0.1:1", security=Security())


@pytest.fixture
def pair():
    """Return two ends of a connection."""
    listener = Listener(worker())
    address, ends = ("127.0.0.1", listener.port), []
    caller = threading.Thread(
        target=lambda: ends.append(connect(worker(), address, listener.token, 1, stop))
    )
    caller.start()
    accepted = listener.accept([1], lambda: None)
    caller.join()
    yield accepted[1], ends[0]
    for link in (accepted[1], ends[0]):
        link.close()
    listener.close()


def test_numbers_arrive_as_they_were_sent(pair):
    first, second = pair
    words = np.random.default_rng(0).integers(0, 2**63, 300_000).astype(np.uint64)
    sender = threading.Thread(target=first.send, args=(7, words))
    sender.start()
    np.testing.assert_array_equal(second.receive(7, len(words)), words)
    sender.join()
    second.send(8, words[:0])
    assert len(first.receive(8, 0)) == 0


def test_another_step_is_an_error(pair):
    first, second = pair
    first.send(3, np.zeros(4, dtype=np.uint64))
    with pytest.raises(RuntimeError, match="got step 3 with 4 numbers instead of step 4 with 4"):
        second.receive(4, 4)


def test_waiting_ends_when_training_is_to_stop(pair):
    first, second = pair
    with pytest.raises(StoppedError):
        second.receive(1, 4)
    waiting = threading.Thread(target=pytest.raises, args=(ConnectionError, first.receive, 1, 4))
    waiting.start()
    first.interrupt()
    waiting.join()
    with pytest.raises(ConnectionError, match="the connection was closed"):
        second.receive(1, 4)


def test_strangers_are_turned_away():
    listener = Listener(worker())
    address = ("127.0.0.1", listener.port)
    strangers = [socket.create_connection(address) for _ in range(3)]
    strangers[0].close()
    strangers[1].sendall(bytes(36))
    # Who has the token, but is not expected.
    strangers[2].sendall(listener.token + (2).to_bytes(4, "little"))
    links = []
    caller = threading.Thread(
        target=lambda: links.append(connect(worker(), address, listener.token, 1, stop))
    )
    caller.start()
    links.extend(listener.accept([1], lambda: None).values())
    caller.join()
    first, second = links
    first.send(1, np.ones(2, dtype=np.uint64))
    assert second.receive(1, 2).tolist() == [1, 1]
    for end in (*links, listener):
        end.close()
    for stranger in strangers:
        stranger.close()


def test_ports_can_be_limited():
    port = free_port()
    with dask.config.set({"moodcore.ports": f"{port}:{port}"}):
        listener = Listener(worker())
        assert listener.port == port
        with pytest.raises(OSError, match=rf"no port of {port}:{port} .*moodcore\.ports.* is free"):
            Listener(worker())
        listener.close()


def test_the_port_is_told_when_connections_are_accepted():
    key = ("tcp://127.0.0.1:1", "a run")
    node = SimpleNamespace(is_accepting=False, listener=Listener(worker()))

    async def ask(seconds):
        return await asyncio.wait_for(sums._port(*key), seconds)

    try:
        # Not before training has started there, nor while rows are binned.
        for sums._nodes[key] in (None, node):
            with pytest.raises(TimeoutError):
                asyncio.run(ask(0.05))
        node.is_accepting = True
        assert asyncio.run(ask(PATIENCE))["port"] == node.listener.port
        node.is_accepting, sums._ended[key] = False, "a worker was lost"
        assert asyncio.run(ask(PATIENCE)) == {"lost": "a worker was lost"}
    finally:
        sums._nodes.pop(key), sums._ended.pop(key, None)
        node.listener.close()


def train(cluster, tmp_path):
    data = numbers(600)
    parameters = {"n_estimators": 3, "random_state": 0}
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(3)
        X, y, _ = data.collections(weighted=False)
        addresses = sorted(client.scheduler_info()["workers"])
        with dask.annotate(workers=addresses, allow_other_workers=False):
            X, y = client.persist([X.map_blocks(np.copy), y.map_blocks(np.copy)])
        trained = DaskGBT(**parameters).fit(X, y, client=client)
        assert_same(trained, parameters, data, tmp_path)


@pytest.mark.parametrize("protocol", ["inproc", "tcp", "tls"])
def test_clusters_of_all_protocols(tmp_path, protocol):
    more = {}
    if protocol == "tls":
        pytest.importorskip("cryptography", reason="Dask makes temporary certificates with it")
        more = {"security": Security.temporary()}
    with LocalCluster(
        n_workers=3, threads_per_worker=1, processes=False, protocol=protocol,
        dashboard_address=None, **more,
    ) as cluster:  # fmt: skip
        train(cluster, tmp_path)
