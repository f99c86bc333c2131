#!/usr/bin/env python3
"""Compares a golden file with one made again: golden_compare.py GOLDEN NEW

Bytes must be equal; where they are not, the words between the same separators must be, except that
two numbers with a fraction may differ by 2e-5 (of the larger, where that is above 1): PyTorch's sums
depend on the processor. Exit 1 names the first difference.
"""
import re
import sys

TOLERANCE = 2e-5
SPLIT = re.compile(r"([\s:,\[\]{}]+)")


def near(a, b):
    try:
        x, y = float(a), float(b)
    except ValueError:
        return False
    return "." in a + b and abs(x - y) <= TOLERANCE * max(1.0, abs(x), abs(y))


def main():
    with open(sys.argv[1], encoding="utf-8") as f, open(sys.argv[2], encoding="utf-8") as g:
        old, new = f.read(), g.read()
    if old == new:
        print("the same bytes")
        return
    old, new = old.split("\n"), new.split("\n")
    if len(old) != len(new):
        sys.exit(f"{len(old)} lines, now {len(new)}")
    moved = 0
    for number, (a, b) in enumerate(zip(old, new), 1):
        words, others = SPLIT.split(a), SPLIT.split(b)
        if len(words) != len(others):
            sys.exit(f"line {number}: {len(words)} words, now {len(others)}")
        for word, other in zip(words, others):
            if word != other:
                moved += 1
                if not near(word, other):
                    sys.exit(f"line {number}: {word[:40]!r}, now {other[:40]!r}")
    print(f"the same within {TOLERANCE} ({moved} numbers moved)")


main()
