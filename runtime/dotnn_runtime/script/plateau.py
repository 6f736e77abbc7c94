"""Learning rates that change when a quantity stops improving."""


class Plateau:
    """The learning rate `lr`, times `factor` after `patience` epochs in which a quantity did not improve.

    A change of less than `min_delta` is no improvement; `cooldown` epochs
    after a reduction do not count; `lr` does not fall below `least`. `sign`
    is 1 where less is better, -1 where more is. As Keras's ReduceLROnPlateau.
    """

    def __init__(
        self,
        lr: float,
        factor: float,
        patience: int,
        min_delta: float,
        cooldown: int,
        least: float,
        sign: int,
    ) -> None:
        self.lr, self.factor, self.patience, self.min_delta = lr, factor, patience, min_delta
        self.cooldown, self.least, self.sign = cooldown, least, sign
        self.best, self.waited, self.resting = float("inf"), 0, 0

    def observe(self, quantity: float) -> None:
        """Take the quantity of an epoch that has ended."""
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.sign * quantity < self.best - self.min_delta:
            self.best, self.waited = self.sign * quantity, 0
        elif not self.resting:
            self.waited += 1
            if self.waited >= self.patience and self.lr > self.least:
                self.lr, self.waited, self.resting = max(self.factor * self.lr, self.least), 0, self.cooldown


class Rise:
    """The learning rate `lr`, times `factor` after `patience` epochs in which a quantity did not improve.

    A change of less than `min_delta` is no improvement; `lr` does not rise
    above `most`, and with an improvement it is again what it was at the start. `sign`
    is 1 where less is better, -1 where more is.
    """

    def __init__(
        self, lr: float, factor: float, patience: int, min_delta: float, most: float, sign: int
    ) -> None:
        self.lr, self.factor, self.patience, self.min_delta = lr, factor, patience, min_delta
        self.start, self.most, self.sign = lr, max(most, lr), sign
        self.best, self.waited = float("inf"), 0

    def observe(self, quantity: float) -> None:
        """Take the quantity of an epoch that has ended."""
        if self.sign * quantity < self.best - self.min_delta:
            self.best, self.waited, self.lr = self.sign * quantity, 0, self.start
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.lr, self.waited = min(self.factor * self.lr, self.most), 0
