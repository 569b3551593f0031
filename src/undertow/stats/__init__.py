"""Numbers from counts: effects with intervals, their evidence, and the rows they need; no state.

Every function here is pure and deterministic: the same counts give the same bits. Where rows are
split at random, the seed is a constant.
"""
