"""How often one more block of the same wobbling process exceeds a learned tolerance.

    python bench/tolerance.py [--runs 1000]

A number whose mean wobbles from block to block (Gaussian or heavy-tailed, independent or dependent in
time) is taught from 12, 26 or 52 blocks, and one more block is held against the limit. Blocks are so
large that the noise of their rows does not count.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtr

from undertow.stats.calendar import LEAST, limit, worth

POINTS = np.linspace(-4, 4, 161)
CASES = [("Gaussian", phi, 0.3) for phi in (0.0, 0.3, 0.6)]
CASES += [("heavy-tailed (t, 4)", 0.0, 0.3), ("Gaussian", 0.0, 0.1)]


def wobble(random: np.random.Generator, kind: str, phi: float, blocks: int) -> np.ndarray:
    """Return the means of blocks, in units of their spread; phi is the correlation of neighbours."""
    if kind != "Gaussian":
        return random.standard_t(4, blocks) * 0.7
    steps = random.standard_normal(blocks)
    for i in range(1, blocks):
        steps[i] = phi * steps[i - 1] + np.sqrt(1 - phi * phi) * steps[i]
    return steps


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    random = np.random.default_rng(5)
    print(
        "| blocks | wobble | correlation | spread, sd | unknown | exceeded, of the taught | tolerance |"
    )
    print("|---|---|---|---|---|---|---|")
    for blocks in (12, 26, 52):
        for kind, phi, spread in CASES:
            taught: list[float] = []
            over = 0
            for _ in range(runs):
                shift = spread * wobble(random, kind, phi, blocks + 1)
                curves = ndtr(POINTS[None] - shift[:, None])
                past, now = curves[:blocks], curves[blocks]
                total = past.sum(0)
                effects = np.abs(past - (total - past) / (blocks - 1)).max(1)
                apart = np.abs(past[:, None] - past[None, :]).max(-1)
                independent = min(worth(apart), blocks)
                if independent < LEAST:
                    continue
                tolerance = max(0.1, limit(effects, 0.0002, independent))
                if tolerance < 0.5:
                    taught.append(tolerance)
                    over += np.abs(now - total / blocks).max() > tolerance
            share = over / max(len(taught), 1)
            middle = f"{np.median(taught):.2f}" if taught else "-"
            unknown = f"{1 - len(taught) / runs:.0%}"
            cells = (blocks, kind, phi, spread, unknown, f"{share:.2%}", middle)
            print(f"| {' | '.join(str(each) for each in cells)} |", flush=True)


if __name__ == "__main__":
    main()
