"""Generates regular expressions and texts: writes the translation of each and what Python's own re does, a line each."""

import json
import random
import re
import sys

from replank.routes import Pattern, Untranslatable

random.seed(int(sys.argv[1]))
ATOMS = ["a", "b", "ab", "/", "-", r"\.", r"\/", "ä", "K", "7", ".", r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", "[a-c]", "[^/]", "[^/.]", r"[\w-]",
         r"[^\d/]", r"[\s\S]", r"[^\W_]", r"[\D7]", "(?i:k)", "(?i:[a-c]s)", r"\b", "^", "$", r"\Z", r"\A", r"[\]\-^]", "(?s:.)", "(?a:\\w)"]  # fmt: skip
TIMES = ["", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}?", "{0,2}"]
LETTERS = ["a", "b", "c", "ab", "/", "-", ".", "ä", "K", "k", "\u212a", "ſ", "s", "7", "٣", "²", "_", " ", "\x1c", "\x85", "\u2028", "\n", "]", "^", "é", "😀"]


def expression(depth):
    parts = []
    for _ in range(random.randint(1, 4)):
        kind = random.random()
        if depth and kind < 0.2:
            inner = expression(depth - 1)
            part = random.choice(["(%s)", "(?:%s)", "(?P<n%d>%%s)" % random.randint(0, 10**9)]) % inner
        elif depth and kind < 0.3:
            part = f"(?:{expression(depth - 1)}|{expression(depth - 1)})"
        else:
            part = random.choice(ATOMS)
        times = random.choice(TIMES)
        parts.append(part if times and part in ("^", "$", r"\b", r"\Z", r"\A", "ab") else part + times)
    return "".join(parts)


for _ in range(int(sys.argv[2])):
    text = random.choice(["^", "^", ""]) + expression(2) + random.choice(["", "", "$", r"\Z"])
    fullmatch = random.random() < 0.3
    try:
        compiled = re.compile(text)
    except (re.error, RecursionError):
        continue
    try:
        stage = Pattern(text, fullmatch).stage()
    except Untranslatable as e:
        print(json.dumps({"python": text, "untranslatable": str(e)}))
        continue
    texts = ["".join(random.choices(LETTERS, k=random.randint(0, 6))) for _ in range(12)]
    ends = [m.end() if m else -1 for m in (compiled.fullmatch(t) if fullmatch else compiled.search(t) for t in texts)]
    ends = [len(t[:e].encode()) if e >= 0 else -1 for t, e in zip(texts, ends)]
    print(json.dumps({"python": text, "fullmatch": fullmatch, "stage": stage, "texts": texts, "ends": ends}))
