"""scikit-learn's MLPClassifier. It draws its own initial weights, and every `run` starts anew."""

from __future__ import annotations

import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from peers.workloads import CannotDo

warnings.simplefilter("ignore", ConvergenceWarning)


class Runner:
    def __init__(self, workload):
        if workload.kind in ("dag", "cnn", "lstm", "rnn"):
            raise CannotDo("MLPClassifier builds chains only")
        self.workload = workload
        self.x, y = workload.data()
        self.y = y.ravel().astype(int)

    def run(self, epochs):
        w = self.workload
        model = MLPClassifier(
            w.dims[1:-1],
            activation="tanh" if w.kind == "xor" else "relu",
            alpha=0.0,
            solver="adam" if w.optimizer == "adam" else "sgd",
            batch_size=w.batch,
            learning_rate_init=w.lr,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=10**9,
            momentum=w.mu if w.optimizer == "momentum" else 0.0,
            nesterovs_momentum=False,
            shuffle=w.count > w.batch,
            random_state=1,
        )
        model.fit(self.x, self.y)
        assert model.n_iter_ == epochs
        return model.loss_


def build(workload, variant, threads):
    return Runner(workload)
