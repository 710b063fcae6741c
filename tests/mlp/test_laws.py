"""What must hold for every table, tried on tables that hypothesis thinks up."""

import numpy as np
import pytest
from experiment import plain
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moodcore import load
from moodcore.preprocessing import downsample

# No deadline: a slow machine is no failure.
TRIALS = settings(max_examples=40, deadline=None)


@st.composite
def tables(draw):
    """Rows of any finite size, with two to four classes."""
    n_rows, n_features = draw(st.integers(4, 40)), draw(st.integers(1, 20))
    values = st.floats(-1e3, 1e3, width=32)
    X = draw(arrays(np.float32, (n_rows, n_features), elements=values))
    n_classes = draw(st.integers(2, 4))
    return X, np.arange(n_rows) % n_classes


networks = st.builds(
    plain,
    st.lists(st.integers(1, 40), max_size=3).map(tuple),
    learning_rate=st.just(1e-3),
    momentum=st.sampled_from([0.0, 0.9]),
    batch_size=st.sampled_from([1, 3, 16, "full"]),
    l2=st.sampled_from([0.0, 0.1]),
    epochs=st.integers(1, 3),
    random_state=st.integers(0, 99),
)
quiet = pytest.mark.filterwarnings("ignore:the loss became infinite or NaN")


@quiet
@TRIALS
@given(tables(), networks)
def test_probabilities_are_probabilities(table, network):
    X, y = table
    probabilities = network.fit(X, y).predict_proba(X)
    assert np.isfinite(probabilities).all()
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


@quiet
@TRIALS
@given(tables(), networks)
def test_threads_and_instruction_sets_change_no_bit(table, network):
    X, y = table
    bits = set()
    with pytest.MonkeyPatch.context() as patch:
        for isa in ("portable", None):
            if isa:
                patch.setenv("MOODCORE_ISA", isa)
            else:
                patch.delenv("MOODCORE_ISA")
            for n_jobs in (1, 2):
                network.set_params(n_jobs=n_jobs).fit(X, y)
                bits.add(
                    b"".join(array.tobytes() for array in network.coefs_ + network.intercepts_)
                )
    assert len(bits) == 1


@quiet
@settings(TRIALS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables(), networks)
def test_a_saved_network_is_the_same_network(tmp_path, table, network):
    X, y = table
    network.fit(X, y).save(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors")
    assert again.predict_proba(X).tobytes() == network.predict_proba(X).tobytes()


@quiet
@TRIALS
@given(tables(), networks, st.integers(0, 3))
def test_a_row_twice_is_a_row_of_weight_two(table, network, row):
    """By gradient descent on all rows, where the order of rows does not matter either."""
    X, y = table
    network.set_params(batch_size="full")
    weight = np.where(np.arange(len(X)) == row, 2.0, 1.0)
    weighted = [array.copy() for array in network.fit(X, y, sample_weight=weight).coefs_]
    repeated = network.fit(np.vstack([X, X[row]]), np.append(y, y[row])).coefs_
    for ours, theirs in zip(weighted, repeated, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@TRIALS
@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 99))
def test_downsampling_leaves_classes_equal_and_rows_themselves(labels, seed):
    drawn = downsample(np.array(labels), random_state=seed)
    assert len(set(drawn.indices.tolist())) == len(drawn.indices)
    counts = np.unique(np.array(labels)[drawn.indices], return_counts=True)[1]
    assert set(counts.tolist()) == {int(drawn.counts_before.min())}
    assert drawn.counts_before.sum() == len(labels)
