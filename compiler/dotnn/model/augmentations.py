"""Reading `augment`: how the examples of the training part are changed at random, anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dotnn.core.arguments import Bound
from dotnn.core.diagnostics import Span
from dotnn.library.augmentations import AUGMENTATIONS, Augmentation
from dotnn.model import messages
from dotnn.model.bind import bind
from dotnn.model.messages.base import Fail
from dotnn.model.model import Augmented, Declared
from dotnn.model.preparations import Declarations, declared_name
from dotnn.model.section import SectionReader
from dotnn.model.synonyms import suggest
from dotnn.syntax import nodes

KEY = "augment"


def read_augmentations(section: SectionReader, declared: Declarations) -> tuple[Augmented, ...]:
    """Return what is done to the examples, in order; errors go to the reporter of `section`."""
    found: list[Augmented] = []
    reader = _Reader(section, declared)
    section.each(KEY, lambda expr: found.append(reader.one(expr)))
    return tuple(found)


@dataclass(frozen=True)
class _Reader:
    section: SectionReader
    declared: Declarations

    def one(self, expr: nodes.Expr) -> Augmented:
        """Return one augmentation; arrays that it names are changed alike."""
        call = nodes.Call(expr.span, expr, ()) if isinstance(expr, nodes.Name) else expr
        if not isinstance(call, nodes.Call):
            raise Fail(messages.data.way_form(expr.span, KEY, list(AUGMENTATIONS)))
        entry = AUGMENTATIONS.get(call.func.id)
        if entry is None:
            hint = suggest(call.func.id, AUGMENTATIONS)
            raise Fail(messages.data.way_form(call.func.span, KEY, list(AUGMENTATIONS), hint))
        named = [arg for arg in call.args if self._is_array(entry, arg)]
        others = [arg for arg in call.args if arg not in named]
        attrs = bind(entry.name, entry.args, others, call.span, self.section.constants)
        chosen = [(declared_name(arg.value, self.declared), arg.span) for arg in named]
        if entry.of == "all" and chosen:
            raise Fail(messages.data.mixes_all(chosen[0][1], entry.name))
        items = chosen or [(item, call.span) for item in self._usual(entry)]
        way = Bound(entry, attrs)
        for item, span in items:
            self._check(way, item, span)
        self._check_whole(entry, [item for item, _ in items], call.span)
        return Augmented(way, tuple(item.name for item, _ in items))

    def _is_array(self, entry: Augmentation, arg: nodes.Arg) -> bool:
        """Whether an argument names an array, and is no number and no word of the augmentation's."""
        if arg.name is not None or not isinstance(arg.value, nodes.Name):
            return False
        words = {word for known in entry.args for word in known.kind.choices}
        return arg.value.id in self.declared or arg.value.id not in {*words, *self.section.constants}

    def _usual(self, entry: Augmentation) -> Iterator[Declared]:
        """Yield what an augmentation without names is of."""
        for item in filter(None, self.declared.values()):
            suits = item.kind == "real" and (entry.of != "image" or len(item.type.example) == 3)
            if entry.of == "all" or (item.role == "input" and suits):
                yield item

    def _check(self, way: Bound[Augmentation], item: Declared, span: Span) -> None:
        """Raise `Fail` where an augmentation does not suit an array."""
        if way.entry.of == "all" and item.kind == "class":
            raise Fail(messages.data.classes_mixed(span, way.name, item.name, item.bound))
        if way.entry.of == "all" and item.kind == "weight":
            raise Fail(messages.data.weights_mixed(span, way.name))
        if item.kind != "real":
            raise Fail(messages.data.unsuited(span, item.name, item.kind, KEY))
        if way.entry.of == "image" and len(item.type.example) not in (2, 3):
            raise Fail(messages.data.no_image(span, way.name, item.name, str(list(item.type.example))))
        problem = way.entry.misfit(way.attrs, item.type.example)
        if problem:
            raise Fail(messages.data.image_too_small(span, item.name, str(list(item.type.example)), problem))

    def _check_whole(self, entry: Augmentation, items: list[Declared], span: Span) -> None:
        """Raise `Fail` where there is nothing to change, or arrays that are to be changed alike differ in size."""
        if not items:
            raise Fail(messages.data.nothing_to_augment(span, entry.name, image=entry.of == "image"))
        sizes = {item.name: list(item.type.example[:2]) for item in items}
        first = items[0].name
        odd = next((name for name in sizes if sizes[name] != sizes[first]), "")
        if entry.of == "image" and odd:
            raise Fail(messages.data.images_differ(span, first, str(sizes[first]), odd, str(sizes[odd])))
