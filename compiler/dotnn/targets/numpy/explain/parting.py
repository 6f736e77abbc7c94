"""Which rows of the examples make the parts: by the split of a spec, or by the files that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dotnn.codegen import tree
from dotnn.codegen.data import splits_steps, stratified_by_a_unit, taken
from dotnn.codegen.lines import literal
from dotnn.model.model import Data, Model, Split


@dataclass(frozen=True)
class PartsWriter:
    """Writes what makes `rows`, the rows of each part."""

    model: Model

    @property
    def data(self) -> Data:
        """What the spec says of its data."""
        return self.model.data or Data()

    @property
    def first(self) -> str:
        """The input whose rows are counted."""
        return next(iter(self.model.inputs))

    @property
    def there(self) -> bool:
        """Whether there are other parts, or examples that are left out."""
        return bool(self.data.files or self.data.split or self.data.take)

    @property
    def by_steps(self) -> bool:
        """Whether the steps of a series are split, and its windows with them."""
        return splits_steps(self.data)

    @property
    def own(self) -> str:
        """What chooses the rows that are split, where the parts have files, too."""
        return "[own]" if self.data.files and self.data.split else ""

    def chosen(self) -> Iterator[tree.Stmt]:
        """Yield what chooses the rows of each part."""
        files, split = self.data.files, self.data.split
        if files:
            by_file = f"{{name: np.flatnonzero(part == name) for name in {literal(('train', *files))}}}"
            yield tree.assign("part", 'arrays.pop("part")')
            yield tree.assign("by_file" if split else "rows", by_file)
        if split:
            yield from [tree.assign("own", 'by_file.pop("train")')] if files else []
            yield from self.drawn()
            yield from [tree.assign("rows", "{name: own[r] for name, r in rows.items()} | by_file")] if files else []
        elif self.data.take and not files:
            yield from self.all_in_one()

    def all_in_one(self) -> Iterator[tree.Stmt]:
        """Yield the rows of the only part."""
        yield tree.assign("rows", f'{{"train": np.arange(len(arrays["{self.first}"]))}}')

    def taken(self) -> Iterator[tree.Stmt]:
        """Yield what leaves some examples in the training part."""
        if self.data.take:
            drawn = "np.sort(np.random.default_rng({seed}).permutation({rows})[:{count}])"
            yield tree.assign('rows["train"]', taken(self.data, drawn, 'rows["train"]'))

    def drawn(self) -> Iterator[tree.Stmt]:
        """Yield what draws the rows of each part."""
        split = self.data.split
        assert split is not None
        shares = {part: share for part, share in split.fractions.items() if share}
        if split.stratify:
            yield from _stratified(split, literal(tuple(shares)), [*shares.values()], self._labels(split))
        elif self.by_steps:
            assert self.data.source is not None
            yield tree.assign("rows", f"split_windows({self._count()}, {self.data.source.length}, {literal(shares)})")
        else:
            yield from self._in_shares(split, literal(tuple(shares)), [*shares.values()])

    def _labels(self, split: Split) -> str:
        """Return the expression of the classes that a split is stratified by, counted from 0."""
        labels = f'arrays["{split.stratify}"]{self.own}'
        unit = stratified_by_a_unit(self.model)
        return f"np.unique({labels}.ravel(), return_inverse=True)[1]" if unit else labels

    def _in_shares(self, split: Split, names: str, shares: Sequence[float]) -> Iterator[tree.Stmt]:
        """Yield what gives every part its share of the examples, or of the groups that they belong to."""
        if split.grouped:
            yield tree.Assign(("names", "group"), f'np.unique(arrays.pop("groups"){self.own}, return_inverse=True)')
            yield tree.assign("count", "len(names)", comment="groups are split: their examples stay together")
        else:
            yield tree.assign("count", self._count())
        yield tree.assign("exact", f"count * np.array({shares})")
        yield tree.assign("sizes", "np.floor(exact + 1e-9).astype(int)")
        yield tree.assign('sizes[np.argsort(sizes - exact, kind="stable")[: count - sizes.sum()]]', "1", "+=")
        yield tree.assign("parts", f"np.split({_order(split, self.own)}, np.cumsum(sizes)[:-1])")
        if split.grouped:
            chosen = "np.flatnonzero(np.isin(group, some))"
            yield tree.assign("rows", f"{{part: {chosen} for part, some in zip({names}, parts, strict=True)}}")
        else:
            yield tree.assign("rows", f"dict(zip({names}, map(np.sort, parts), strict=True))")

    def _count(self) -> str:
        """Return the expression of how many examples are split."""
        return "len(own)" if self.own else f'len(arrays["{self.first}"])'


def _order(split: Split, own: str) -> str:
    """Return the order in which the parts take what is split; `own` chooses the examples that are."""
    if split.order == "file":
        return "np.arange(count)"
    if split.order == "column":
        return f'np.argsort(arrays.pop("order"){own}, kind="stable")'
    return f"np.random.default_rng({split.seed}).permutation(count)"


def _stratified(split: Split, names: str, shares: Sequence[float], labels: str) -> Iterator[tree.Stmt]:
    """Yield what draws the rows of each part where every one of the classes `labels` has its share in all of them."""
    yield tree.assign("labels", labels, comment="every part gets its share of each class")
    yield tree.assign("order", f"np.random.default_rng({split.seed}).permutation(len(labels))")
    yield tree.assign("order", 'order[np.argsort(labels[order], kind="stable")]', comment="class by class")
    yield tree.assign("exact", f"np.outer([len(labels), *np.bincount(labels)], {shares})", comment="all, then classes")
    yield tree.Assign(("counts", "excess"), "np.floor(exact + 1e-9).astype(int), 0 * exact[0]")
    neediest = "np.lexsort((row - wanted, excess))[: round(wanted.sum()) - row.sum()]"
    more = tree.assign(f"row[{neediest}]", "1", "+=")
    excess = tree.assign("excess", "counts[1:].sum(axis=0) - counts[0]")
    yield tree.For(
        "for row, wanted in zip(counts, exact, strict=True)", (more, excess), "what is left goes to the neediest parts"
    )
    yield tree.assign("assigned", f"np.concatenate([np.repeat({names}, row) for row in counts[1:]])")
    yield tree.assign("rows", f"{{name: np.sort(order[assigned == name]) for name in {names}}}")
