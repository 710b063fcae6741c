"""Boosted trees by brute force: the readable twin of the core, in plain NumPy and float64.

Every threshold of every feature is tried with sums taken anew over the rows; there are no
histograms, no integers and no subtraction. Equation numbers are Chen and Guestrin's (2016).
"""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass
class Options:
    """What a tree may look like; names and defaults as in `moodcore.GBT`."""

    learning_rate: float = 0.1
    max_leaves: int | None = 31
    max_depth: int | None = None
    grow_policy: str = "lossguide"
    min_child_samples: float = 20
    min_child_weight: float = 1e-3
    reg_alpha: float = 0.0
    reg_lambda: float = 1.0
    gamma: float = 0.0
    max_delta_step: float = 0.0
    multi_strategy: str = "one_output_per_tree"
    monotone: dict[int, list[int]] = field(default_factory=dict)
    interaction: list[list[int]] = field(default_factory=list)
    path_smooth: float = 0.0
    categorical: list[int] = field(default_factory=list)
    max_cat_to_onehot: int = 4
    max_cat_threshold: int = 32
    cat_smooth: float = 10.0
    cat_l2: float = 10.0
    min_data_per_group: float = 100.0


@dataclass
class Node:
    """A node with the rows that reach it."""

    rows: np.ndarray
    depth: int
    bounds: list[tuple[float, float]]
    path: frozenset[int]
    value: np.ndarray
    gain: float = 0.0
    feature: int = -1
    threshold: float | frozenset[int] = np.nan
    missing_left: bool = False
    left: int = -1
    right: int = -1


def shrink(g, alpha):
    return np.sign(g) * np.maximum(np.abs(g) - alpha, 0)


def leaf_value(g, h, o: Options, bounds=(-np.inf, np.inf)):
    """Equation 5 with L1, a largest step, and bounds."""
    if h + o.reg_lambda <= 0:
        return 0.0
    value = -shrink(g, o.reg_alpha) / (h + o.reg_lambda)
    if o.max_delta_step > 0:
        value = np.clip(value, -o.max_delta_step, o.max_delta_step)
    return float(np.clip(value, *bounds))


def score(g, h, o: Options, bounds=(-np.inf, np.inf)):
    """Twice the fall of the objective at the leaf's value: equation 6, with L1."""
    w = leaf_value(g, h, o, bounds)
    return -(2 * g * w + (h + o.reg_lambda) * w * w) - 2 * o.reg_alpha * abs(w)


class Grower:
    """Grows one tree on gradients of shape (n_rows, n_outputs), with signs for each output."""

    def __init__(self, X, g, h, count, options: Options, signs):
        self.X, self.g, self.h, self.count, self.o, self.signs = X, g, h, count, options, signs
        self.cuts = []
        for column in X.T:
            values = np.unique(column[~np.isnan(column)])
            self.cuts.append((values[:-1] + values[1:]) / 2)

    def sums(self, rows):
        return self.g[rows].sum(0), self.h[rows].sum(0), self.count[rows].sum()

    def total_score(self, rows, bounds):
        g, h, _ = self.sums(rows)
        return sum(score(a, b, self.o, ends) for a, b, ends in zip(g, h, bounds, strict=True))

    def values(self, rows, bounds, options):
        g, h, _ = self.sums(rows)
        outputs = zip(g, h, bounds, strict=True)
        return np.array([leaf_value(a, b, options, ends) for a, b, ends in outputs])

    def make(self, rows, depth, bounds, path, parent=None, l2=0.0):
        _, h, weight = self.sums(rows)
        options = replace(self.o, reg_lambda=self.o.reg_lambda + l2)
        value = self.values(rows, bounds, options)
        if h.mean() < self.o.min_child_weight:
            value = np.zeros(len(value))
        value = self.o.learning_rate * value
        if parent is not None:
            share = weight / (weight + self.o.path_smooth)
            value = share * value + (1 - share) * parent
            value = np.clip(value, *(self.o.learning_rate * np.array(bounds).T))
        return Node(rows, depth, bounds, path, value)

    def is_ordered(self, feature):
        """Whether the feature's categories are ordered, not split one against the others."""
        n_categories = len(self.cuts[feature]) + 1
        return feature in self.o.categorical and n_categories > self.o.max_cat_to_onehot

    def category_sets(self, node, feature):
        """The sets of categories that may go left without the rest, and the rest."""
        column = self.X[node.rows, feature]
        present = np.unique(column[~np.isnan(column)]).astype(int).tolist()
        sums = {c: self.sums(node.rows[column == c]) for c in present}
        if not self.is_ordered(feature):
            return [{category} for category in present], set()
        o, total = self.o, self.count[node.rows].sum()
        used = [category for category in present if sums[category][2] >= o.cat_smooth]
        groups = [*sums.values(), self.sums(node.rows[np.isnan(column)])]
        outputs = range(self.g.shape[1])
        energy = [sum(score(g[k], h[k], o) for g, h, _ in groups) for k in outputs]
        k = int(np.argmax(energy))
        key = {c: sums[c][0][k] / (sums[c][1][k] + o.cat_smooth) for c in used}
        order = sorted(used, key=lambda category: (key[category], category))
        tried = set()
        for direction in (1, -1):
            taken = since = 0.0
            for count, category in enumerate(order[::direction][: o.max_cat_threshold], 1):
                taken += sums[category][2]
                since += sums[category][2]
                if total - taken < o.min_data_per_group:
                    break
                if since >= o.min_data_per_group:
                    since = 0.0
                    tried.add(count if direction == 1 else len(order) - count)
        sets = [set(order[:count]) for count in sorted(tried) if count > 0]
        return sets, set(present) - set(used)

    def category_candidates(self, node, feature, parent):
        column = self.X[node.rows, feature]
        sets, rare = self.category_sets(node, feature)
        rest = np.isnan(column) | np.isin(column, list(rare))
        l2 = self.o.cat_l2 if self.is_ordered(feature) else 0.0
        for rest_left in (False, True) if rest.any() else (None,):
            for left_set in sets:
                left = np.isin(column, list(left_set))
                if rest_left:
                    left |= rest
                if left.all() or not left.any():
                    continue
                gain = self.gain(node, node.rows[left], node.rows[~left], feature, parent, l2)
                if gain is not None:
                    chosen = left_set | (rare if rest_left else set())
                    yield gain, feature, frozenset(chosen), rest_left

    def allowed(self, feature, path):
        groups = self.o.interaction
        if not groups or not path - {feature}:
            return True
        return any(feature in group and path <= set(group) for group in groups)

    def candidates(self, node):
        """All splits as (gain, feature, threshold, missing_left), best ties first."""
        parent = self.total_score(node.rows, node.bounds)
        for feature in range(self.X.shape[1]):
            if not self.allowed(feature, node.path):
                continue
            if feature in self.o.categorical:
                yield from self.category_candidates(node, feature, parent)
                continue
            column = self.X[node.rows, feature]
            missing = np.isnan(column)
            for missing_left in (False, True) if missing.any() else (None,):
                cuts = list(self.cuts[feature])
                if missing_left is False:
                    cuts.append(np.inf)
                for cut in cuts:
                    left = column <= cut
                    if missing_left:
                        left |= missing
                    gain = self.gain(node, node.rows[left], node.rows[~left], feature, parent)
                    if gain is not None:
                        yield gain, feature, cut, missing_left

    def gain(self, node, left, right, feature, parent, l2=0.0):
        o, values = self.o, []
        children = replace(o, reg_lambda=o.reg_lambda + l2)
        for rows in (left, right):
            _, h, count = self.sums(rows)
            if count < o.min_child_samples or h.mean() < o.min_child_weight:
                return None
            values.append(self.values(rows, node.bounds, o))
        if (self.signs[:, feature] * (values[1] - values[0]) < 0).any():
            return None
        gain = -parent
        for rows in (left, right):
            g, h, _ = self.sums(rows)
            outputs = zip(g, h, node.bounds, strict=True)
            gain += sum(score(a, b, children, bounds) for a, b, bounds in outputs)
        return gain if gain > max(o.gamma, 1e-9 * abs(parent)) else None

    def best(self, node):
        """The candidate of largest gain; of equal ones the first."""
        if len(node.rows) < 2 or self.count[node.rows].sum() < 2 * self.o.min_child_samples:
            return None
        if self.o.max_depth is not None and node.depth >= self.o.max_depth:
            return None
        best = None
        for candidate in self.candidates(node):
            # Sums in another order differ in their last bits: that is no better gain.
            if best is None or candidate[0] > best[0] * (1 + 1e-9):
                best = candidate
        return best

    def grow(self):
        """Nodes in the order of their creation."""
        everything = [(-np.inf, np.inf)] * self.g.shape[1]
        nodes = [self.make(np.arange(len(self.X)), 0, everything, frozenset())]
        waiting = {0: self.best(nodes[0])}
        n_leaves = 1
        while n_leaves < (self.o.max_leaves or np.inf):
            can = {at: split for at, split in waiting.items() if split is not None}
            if not can:
                break
            if self.o.grow_policy == "lossguide":
                at = min(can, key=lambda at: (-can[at][0], at))
            else:
                at = min(can, key=lambda at: (nodes[at].depth, at))
            del waiting[at]
            for child in self.split(nodes, at, *can[at]):
                waiting[child] = self.best(nodes[child])
            n_leaves += 1
        return nodes

    def split(self, nodes, at, gain, feature, threshold, missing_left):
        node = nodes[at]
        column = self.X[node.rows, feature]
        is_set = isinstance(threshold, frozenset)
        left = np.isin(column, list(threshold)) if is_set else column <= threshold
        if missing_left is None:
            count = self.count[node.rows]
            missing_left = count[left].sum() >= count[~left].sum()
        else:
            left |= np.isnan(column) & missing_left
        rows = node.rows[left], node.rows[~left]
        bounds = [node.bounds.copy(), node.bounds.copy()]
        middles = sum(self.values(part, node.bounds, self.o) for part in rows) / 2
        for output, sign in enumerate(self.signs[:, feature]):
            if sign:
                (low, high), middle = node.bounds[output], middles[output]
                ends = [(low, middle), (middle, high)][::sign]
                bounds[0][output], bounds[1][output] = ends
        node.gain, node.feature, node.threshold = gain, feature, threshold
        node.missing_left = bool(missing_left)
        node.left, node.right = len(nodes), len(nodes) + 1
        path = node.path | {feature}
        l2 = self.o.cat_l2 if self.is_ordered(feature) else 0.0
        nodes += [
            self.make(part, node.depth + 1, bound, path, node.value, l2)
            for part, bound in zip(rows, bounds, strict=True)
        ]
        return node.left, node.right


def probabilities(margins):
    """Softmax; one margin stands for the second of two classes."""
    if margins.shape[1] == 1:
        margins = np.hstack([np.zeros_like(margins), margins])
    e = np.exp(margins - margins.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def boost(X, y, rounds, options: Options, weight=None):
    """Trees round by round, each a list of nodes, and the final margins of the training rows."""
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    n_classes = int(y.max()) + 1
    # Whole weights are repetitions of rows; other weights do not change the number of rows.
    count = weight if (weight == np.round(weight)).all() else np.ones(len(y))
    shares = np.bincount(y, weights=weight) / weight.sum()
    base = np.log(shares)
    if n_classes == 2:
        base = base[1:] - base[:1]
    margins = np.tile(base, (len(y), 1))
    trees = []
    free = [0] * X.shape[1]
    for _ in range(rounds):
        p = probabilities(margins)
        g = (p - np.eye(n_classes)[y]) * weight[:, None]
        h = p * (1 - p) * weight[:, None]
        if n_classes == 2:
            g, h = g[:, 1:], h[:, 1:]
        together = options.multi_strategy == "multi_output_tree"
        groups = [list(range(g.shape[1]))] if together else [[k] for k in range(g.shape[1])]
        for outputs in groups:
            signs = np.array([options.monotone.get(output, free) for output in outputs])
            nodes = Grower(X, g[:, outputs], h[:, outputs], count, options, signs).grow()
            trees.append(nodes)
            for node in nodes:
                if node.feature < 0:
                    margins[np.ix_(node.rows, outputs)] += node.value
    return trees, margins
