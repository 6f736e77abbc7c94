"""`average`: an average of what is trained, in variables of its own."""

from __future__ import annotations

from dotnn.core.arguments import Bound
from dotnn.library.averages import Average
from dotnn.model.model import Model
from dotnn.targets.keras.optimizer import in_tensorflow
from dotnn.targets.keras.settings import IN_A_GRAPH, Setting

TEXT = '''
class Average:
    """The average of what is trained that is evaluated and kept: {call}.
{equations}
    Source: {source}.
    """

    def __init__(self, network):
        self.of = trained(network)
        self.values = {{name: tf.Variable(variable.numpy()) for name, variable in self.of.items()}}
        self.begun = tf.Variable(0)
        self.variables = [*self.values.values(), self.begun]

{renew}

    def keep(self):
        """Put the averages in the place of what is trained."""
        for name, value in self.values.items():
            self.of[name].assign(value)

    def within(self, compute):
        """Return what a function computes while the network has the averages."""
        kept = {{name: variable.numpy() for name, variable in self.of.items()}}
        self.keep()
        result = compute()
        for name, value in kept.items():
            self.of[name].assign(value)
        return result
'''
RENEW = '''
    def renew(self):
        """Take the weights after an update."""
        for name, value in self.values.items():
            a, w = tf.convert_to_tensor(value), tf.convert_to_tensor(self.of[name])
{equations}
            value.assign(tf.where(self.begun > 0, a, w))
        self.begun.assign(1)
'''
RENEW_LAST = '''
    def renew(self, recent, epoch):
        """Take the weights after an epoch; `recent` holds those of the last epochs."""
        recent[str(epoch % {epochs})] = {{name: variable.numpy() for name, variable in self.of.items()}}
        for name, value in self.values.items():
            value.assign(sum(weights[name] for weights in recent.values()) / len(recent))
'''


def _lines(model: Model, average: Bound[Average]) -> list[str]:
    if average.entry.equations is None:
        renew, shown = RENEW_LAST.format(epochs=average.attrs["epochs"]), ""
    else:
        equations = average.entry.equations(average.attrs)
        numbers = {name: float(value) for name, value in average.attrs.items()}
        given = [f"            {name} = {value!r}" for name, value in numbers.items()]
        written = [f"            {in_tensorflow(line, numbers)}" for line in equations]
        renew = RENEW.format(equations="\n".join([*given, *written]))
        shown = "\n".join(["", *(f"        {line}" for line in equations), "    It begins as w."])
    text = TEXT.format(call=average, source=average.entry.source, equations=shown, renew=renew.strip("\n"))
    return text.strip("\n").split("\n")


def _refused(model: Model, average: Bound[Average]) -> str:
    return IN_A_GRAPH if average.attrs.get("updates") else ""


AVERAGE = Setting("average", _lines, shows=True, refuses=_refused)
