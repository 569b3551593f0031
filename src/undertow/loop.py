"""The loop over a model: the steps composed, and what was said of the columns held for all of them.

A check fits a plan on the reference, measures both sides under it, asks every check, and judges all
the answers together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Unpack

from threadpoolctl import threadpool_limits

from undertow import plugins
from undertow.adapters.maps import named_map, projection
from undertow.core.check import History
from undertow.core.dataset import Dataset
from undertow.core.errors import ProfileError, UsageError, did_you_mean
from undertow.core.finding import Finding
from undertow.core.profile import Profile
from undertow.core.report import Report, Source
from undertow.core.schema import Kind, Role, Schema
from undertow.core.verdict import EFFECT_MAXIMUM
from undertow.detect.skew import pair_checks
from undertow.detect.wobble import Taught, teach
from undertow.observe import blocks, measure
from undertow.observe.declare import Declared, named
from undertow.observe.dimensions import same_dimension, same_space
from undertow.observe.encode import both_encoded, unencoded
from undertow.opening import opened
from undertow.options import Encoder, Options, Progress, declared, tolerances
from undertow.sources import (
    both,
    split_by,
    split_by_time,
    vector_names,
)
from undertow.stats.calendar import Layout


@dataclass(frozen=True)
class Loop:
    """What the verbs need to know about the columns, said once and used for every side.

    >>> import pyarrow as pa
    >>> before, now = pa.table({"p": ["a", "b"] * 500}), pa.table({"p": ["a"] * 900 + ["b"] * 100})
    >>> Loop.of(prediction="p").check(before, now).verdict
    <Verdict.CHANGED: 'changed'>
    """

    declared: Declared = field(default_factory=Declared)
    tolerances: Mapping[str, float] = field(default_factory=dict)
    auto: frozenset[str] = frozenset()
    encoder: Encoder | None = None
    image_encoder: Any = None
    by: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()
    map: str = "pca"
    progress: Progress | None = None

    @classmethod
    def of(cls, **options: Unpack[Options]) -> Loop:
        """Return a loop from the options of the command line; raise UsageError for a wrong one."""
        given = declared(options)
        fixed, auto = tolerances(options.get("tolerance"))
        by, evidence = (frozenset(named(each, options.get(each))) for each in ("by", "evidence"))
        encoders = options.get("encoder"), options.get("image_encoder")
        drawn = named_map(options.get("map") or "pca")
        return cls(given, fixed, auto, *encoders, by, evidence, drawn, options.get("progress"))

    def check(
        self,
        reference: Any,
        current: Any = None,
        *,
        where: str | None = None,
        reference_where: str | None = None,
        current_where: str | None = None,
    ) -> Report:
        """Compare current with reference; without current, the last part of one set with the rest."""
        if reference is current and hasattr(current, "read_next_batch"):
            raise UsageError(
                "both sides are the same stream, which is read only once; give a table"
            )
        notes: list[str] = []
        second: Dataset | Profile
        first: Dataset | Profile = self._opened(reference, both(where, reference_where))
        if current is None:
            clock = next((n for n, role in self.declared.roles.items() if role == "time"), None)
            if isinstance(first, Profile) or clock is None:
                raise UsageError(
                    "one data set alone needs --time COLUMN: its last part is compared"
                )
            first, second, cut = split_by_time(first, clock)
            notes.append(cut)
        else:
            second = self._opened(current, both(where, current_where), like=first)
        before = self._fitted(first) if isinstance(first, Dataset) else self._given(first)
        if current is not None:
            schema, left = self.declared.without(
                before.schema, split_by(reference_where, current_where)
            )
            before = replace(before, schema=schema)
            notes += left
        if isinstance(second, Profile):
            if second.plan_id != before.plan_id:
                raise ProfileError(
                    f"{second.source}: made with another plan ({second.plan_id}) than the reference "
                    f"({before.plan_id}); make it again with --like of the reference's profile"
                )
            now = second
        else:
            same_dimension(before, second)
            now = self._measured(second, before, "current")
        same_space(before, now)
        taught = self._taught(first, second, before)
        before, now, told = self._encoded(before, now)
        return self.compare(before, now, notes=[*notes, *told], taught=taught)

    def compare(
        self,
        reference: Profile,
        now: Profile,
        *,
        notes: Iterable[str] = (),
        taught: Taught | None = None,
    ) -> Report:
        """Ask every check about two profiles of one plan, and judge the answers together."""
        before = reference if taught is None else taught.reference(reference)
        history = self._history(before, now)
        findings = [found for check in plugins.checks() for found in check(history)]
        self._known_tolerances(reference.all_columns, findings)
        if taught is not None:
            findings = list(taught.over(findings, filter(self._learns, findings)))
            notes = [*notes, taught.note]
        return Report.of(
            Source(reference.source, reference.rows, reference.digest),
            Source(now.source, now.rows, now.digest),
            findings,
            columns=reference.schema,
            notes=notes,
        )

    def skew(self, sets: Mapping[str, Any], *, where: str | None = None) -> Report:
        """Compare named sets pairwise under the first one's plan, all findings judged together."""
        if len(sets) < 2:
            raise UsageError("skew compares sets: give two or more, each with a name")
        if self.auto:
            raise UsageError("--tolerance auto learns from one set over time; give skew a number")
        rows: dict[str, Dataset | Profile] = {}
        for name, data in sets.items():
            rows[name] = self._opened(data, where, like=next(iter(rows.values()), None))
        for name, side in rows.items():
            if isinstance(side, Profile):
                raise UsageError(f"{name}: a saved profile holds no rows to compare; give the data")
        (first, *others), checks = sets, plugins.checks()
        asked = (*checks, *pair_checks(first, others[0]))
        lenses = plugins.lenses()
        source = _rows(rows[first])
        with threadpool_limits(1):
            plan = measure.fit(source, self._declared(source), asked, lenses, self._tick(first))
        seen, notes = {first: plan}, dict[str, None]()
        for name in others:
            same_dimension(plan, _rows(rows[name]))
            measured = self._measured(_rows(rows[name]), plan, name)
            same_space(plan, measured)
            seen[first], seen[name], told = self._encoded(seen[first], measured)
            notes |= dict.fromkeys(told)
        findings = [
            replace(found, subject=f"{one}→{other}: {found.subject}")
            for one, other in itertools.combinations(sets, 2)
            for check in (*checks, *pair_checks(one, other))
            for found in check(self._history(seen[one], seen[other]))
        ]
        self._known_tolerances(plan.all_columns, findings)
        named = {name: f"{name}={side.source}" for name, side in seen.items()}
        counted = sum(seen[name].rows for name in others)
        digest = seen[others[0]].digest if len(others) == 1 else None
        return Report.of(
            Source(named[first], plan.rows, plan.digest),
            Source(", ".join(named[name] for name in others), counted, digest),
            findings,
            columns=seen[first].schema,
            notes=notes,
        )

    def profile(self, data: Any, *, like: Any = None, where: str | None = None) -> Profile:
        """Return the profile of some rows: their own plan, or the plan of `like`."""
        plan = None if like is None else self._opened(like, None)
        dataset = self._opened(data, where, like=plan)
        if isinstance(dataset, Profile):
            raise UsageError(f"{dataset.source} is a profile already")
        if plan is not None:
            if not isinstance(plan, Profile):
                raise UsageError(
                    f"--like {plan.source}: that is no profile; make one with `undertow profile`"
                )
            same_dimension(plan, dataset)
            return self._measured(dataset, plan, "rows")
        made = self._fitted(dataset)
        return self._encoded(made, made)[0]

    def _fitted(self, rows: Dataset) -> Profile:
        said, checks, lenses = self._declared(rows), plugins.checks(), plugins.lenses()
        with threadpool_limits(1):  # beside a model, threads that spin cost more than they bring
            return measure.fit(rows, said, checks, lenses, self._tick("reference"))

    def _measured(self, rows: Dataset, plan: Profile, stage: str) -> Profile:
        with threadpool_limits(1):
            return measure.measure(rows, plan, self._tick(stage))

    def infer_schema(self, data: Any, *, where: str | None = None) -> Schema:
        """Return how the columns of some rows are read, and why."""
        dataset = self._opened(data, where)
        if isinstance(dataset, Profile):
            return dataset.schema
        return measure.survey_of(dataset, self._declared(dataset), self._tick("rows")).schema

    def _history(self, reference: Profile, now: Profile) -> History:
        for name in sorted(self.by):
            if reference.column(name).kind is Kind.VECTOR:  # or say what the name may have meant
                raise UsageError(f"--by {name}: a vector has no values to compare within")
        offered = {name for check in plugins.checks() for name in getattr(check, "offers", ())}
        for name in sorted(self.evidence - offered):
            raise UsageError(f"no evidence {name!r}{did_you_mean(name, sorted(offered))}")
        return History(
            reference,
            now,
            tolerances=self.tolerances,
            by=self.by,
            evidence=self.evidence,
            place=None if self.map == "pca" else partial(projection, self.map),
        )

    def _opened(
        self, data: Any, where: str | None, *, like: Dataset | Profile | None = None
    ) -> Dataset | Profile:
        return opened(data, self.declared, where=where, like=like, encoder=self.image_encoder)

    def _declared(self, data: Dataset | Profile) -> Declared:
        """Return what was said, its patterns of vector columns replaced by what those became."""
        names = data.schema.names if isinstance(data, Profile) else data.arrow.names
        said = self.declared.with_vectors(vector_names(self.declared.vectors, names))
        return said.with_images(getattr(data, "images", ()))

    def _encoded(self, before: Profile, now: Profile) -> tuple[Profile, Profile, tuple[str, ...]]:
        """Return both sides with vectors of the texts, if an encoder was named, and what to note."""
        if self.encoder is None:
            return unencoded(before, now)
        from undertow.adapters.encoders import open_encoder

        column, encoder = self.declared.text(before.schema), open_encoder(self.encoder)
        return both_encoded(before, now, column, encoder, tick=self._tick("texts"))

    def _given(self, profile: Profile) -> Profile:
        """Return a saved reference with the roles that were said now; kinds are part of its plan."""
        said = self._declared(profile)
        schema = said.over(profile.schema, profile.source)
        for before, after in zip(profile.schema, schema, strict=True):
            if before.kind is not after.kind and before.name in said.kinds:
                raise ProfileError(
                    f"{profile.source} was made with {before.name!r} as {before.kind}; to read it as "
                    f"{after.kind}, make the profile again"
                )
        kept = tuple(replace(a, kind=b.kind) for a, b in zip(schema, profile.schema, strict=True))
        return replace(profile, schema=Schema(kept))

    def _taught(self, first: object, second: object, reference: Profile) -> Taught | None:
        """Return the tolerances the reference teaches by its own blocks of time, if asked for."""
        if not self.auto:
            return None
        for side in (first, second):
            if not isinstance(side, Dataset):
                name = getattr(side, "source", "")
                raise ProfileError(
                    f"{name}: a saved profile holds no blocks of time; --tolerance auto needs the rows"
                )
        assert isinstance(first, Dataset)
        assert isinstance(second, Dataset)
        clock = reference.schema.one(Role.TIME)
        if clock is None:
            return Taught(nothing="the reference has no time column; name it with --time")
        if clock.name not in second.arrow.names:
            return Taught(nothing=f"the current set has no {clock.name!r} to say how long it is")
        spans = blocks.span(first, clock.name), blocks.span(second, clock.name)
        if not all(span.length for span in spans):
            return Taught(nothing=f"{clock.name!r} holds no times")
        layout = Layout.of(*spans)
        parts, rest = blocks.cut(first, reference, layout, clock.name, self._tick("blocks"))
        return teach(layout, parts, rest, plugins.checks())

    def _learns(self, finding: Finding) -> bool:
        """Tell whether a finding's tolerance is to be learned: its own name wins over "*"."""
        names = [finding.check, finding.effect.name] if finding.effect is not None else []
        names += [finding.column] if finding.column is not None else []
        named = any(name in self.auto for name in names)
        return named or ("*" in self.auto and not any(name in self.tolerances for name in names))

    def _known_tolerances(self, schema: Schema, findings: Iterable[Finding]) -> None:
        """Raise UsageError for a tolerance that speaks of no column, check or effect."""
        checks = {check.name for check in plugins.checks()} | {found.check for found in findings}
        known = {*schema.names, *checks, *EFFECT_MAXIMUM, "*"}
        for name in (*self.tolerances, *sorted(self.auto)):
            if name not in known:
                hint = did_you_mean(name, sorted(known - {"*"}))
                raise UsageError(f"tolerance for {name!r}: no such column, check or effect{hint}")

    def _tick(self, stage: str) -> Callable[[int], None]:
        done = 0

        def tick(rows: int) -> None:
            nonlocal done
            done += rows
            if self.progress is not None:
                self.progress(stage, done, None)

        return tick


def _rows(data: Dataset | Profile) -> Dataset:
    assert isinstance(data, Dataset)
    return data
