#!/usr/bin/env python3
"""Holds `sextant stats` against SciPy, on any logs.

    /usr/bin/python3 bench/python/statistics.py bin/sextant LOG…

The events are those of `sextant parse`; everything said of them is worked out
again: counts, distinct values, entropy, Wilson's and Garwood's intervals,
quantiles, mean and deviation, expected counts and residuals, chi-square,
shares and divergence of two periods, Welch's test over blocks, the
Kolmogorov-Smirnov distance. It prints what differs by more than one part in a
million, and how many figures were held against each other.

Debian package: python3-scipy.
"""

import collections
import json
import math
import re
import subprocess
import sys
from datetime import datetime, timezone

import numpy as np
from scipy import stats

binary, logs = sys.argv[1], sys.argv[2:]
compared, differ = collections.Counter(), 0


def run(*args):
    return subprocess.run([binary, *args, *logs], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout


def rows(*args):
    return [json.loads(line) for line in run("stats", *args, "-o", "jsonl").splitlines()]


def same(what, got, want, tolerance=1e-6):
    global differ
    compared[what.split(":")[0]] += 1
    if isinstance(want, str) or isinstance(got, str):
        ok = got == want
    else:
        ok = got == want or math.isclose(got, want, rel_tol=tolerance, abs_tol=1e-9)
    if not ok:
        differ += 1
        print(f"{what}: {got!r}, want {want!r}")


def nanoseconds(text):
    """RFC 3339 in UTC."""
    m = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d+))?Z", text)
    whole = datetime.strptime(m[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return int(whole.timestamp()) * 10**9 + int((m[2] or "").ljust(9, "0"))


events = [json.loads(line) for line in run("parse").splitlines()]


def values(event, field):
    """What a field of an event holds, as text; several where it is a list; an empty one is none, as in the store."""
    for name in field.split("."):
        event = event.get(name) if isinstance(event, dict) else None
    if event is None:
        return []
    return [v if isinstance(v, str) else json.dumps(v) for v in (event if isinstance(event, list) else [event]) if v != ""]


when = [nanoseconds(e["@timestamp"]) if "@timestamp" in e else None for e in events]
timed = [t for t in when if t is not None]
profile = {r["field"]: r for r in rows()}
print(f"{len(events)} events, {len(profile)} fields")
for field, r in profile.items():
    if field == "log.pattern.id":
        continue  # parse does not mine
    count = collections.Counter(v for e in events for v in values(e, field))
    n = sum(count.values())
    same("records: " + field, r["records"], n)
    same("distinct: " + field, r["distinct"], len(count))
    same("once: " + field, r["once"], sum(c == 1 for c in count.values()))
    same("entropy: " + field, r["entropy"], round(stats.entropy(list(count.values()), base=2), 4), 1e-3)

    first = min(count, key=lambda v: (-count[v], v.encode()))
    same("top: " + field, r["top"], first)
    for row in rows("--by", field, "--top", "50") + rows("--by", field, "--bottom", "20"):
        v = row[field]
        k = count[v]
        same(f"count: {field} {v}", row["records"], k)
        ci = stats.binomtest(k, n).proportion_ci(method="wilson")
        same(f"share: {field} {v}", row["share"], k / n)
        same(f"Wilson: {field} {v}", row["share_low"], ci.low)
        same(f"Wilson: {field} {v}", row["share_high"], ci.high)
        if "per_hour" in row:
            hours = (max(timed) - min(timed)) / 3.6e12
            same(f"Garwood: {field} {v}", row["per_hour_low"], stats.chi2.ppf(0.025, 2 * k) / 2 / hours)
            same(f"Garwood: {field} {v}", row["per_hour_high"], stats.chi2.ppf(0.975, 2 * k + 2) / 2 / hours)
        at = [t for t, e in zip(when, events) if t is not None and v in values(e, field)]
        same(f"first: {field} {v}", row["first"] and nanoseconds(row["first"]), min(at, default=""))
        same(f"last: {field} {v}", row["last"] and nanoseconds(row["last"]), max(at, default=""))


def numbers(field, of=events):
    out = []
    for e in of:
        for v in values(e, field):
            try:
                x = float(v)
            except ValueError:
                continue
            if math.isfinite(x) and "_" not in v:
                out.append(x)
    return np.sort(out)


for field in profile:
    x = numbers(field)
    if len(x) < 2 or not re.search(r"bytes|duration|status_code|port", field):
        continue
    r = rows("--value", field)[0]
    same("n: " + field, r["n"], len(x))
    for p in (5, 25, 50, 75, 95, 99):
        same(f"quantile: {field} p{p}", r[f"p{p}"], np.quantile(x, p / 100, method="inverted_cdf"))
    same("mean: " + field, r["mean"], x.mean())
    same("sd: " + field, r["sd"], x.std(ddof=1))
    same("sum: " + field, r["sum"], x.sum())

few = [f for f, r in profile.items() if 1 < r["distinct"] <= 60 and f != "log.pattern.id"]
for a, b in zip(few, few[1:]):
    # An event counts once for each pair of its values.
    pairs = collections.Counter((v, w) for e in events for v in values(e, a) for w in values(e, b))
    if not pairs:
        continue
    names = sorted({v for v, _ in pairs}), sorted({w for _, w in pairs})
    table = np.array([[pairs[v, w] for w in names[1]] for v in names[0]])
    expected = stats.contingency.expected_freq(table)
    n = table.sum()
    spread = expected * np.outer(1 - table.sum(1) / n, 1 - table.sum(0) / n)
    for row in rows("--by", f"{a},{b}", "--top", "100"):
        i, j = names[0].index(row[a]), names[1].index(row[b])
        same(f"cell: {a} {b}", row["records"], table[i, j])
        same(f"expected: {a} {b}", row["expected"], expected[i, j])
        same(f"residual: {a} {b}", row["residual"], (table[i, j] - expected[i, j]) / math.sqrt(spread[i, j]) if spread[i, j] > 0 else 0)
    if table.shape[0] <= 20 and table.shape[1] <= 6 and min(table.shape) > 1:
        x = stats.chi2_contingency(table, correction=False)
        said = " ".join(run("stats", "--by", f"{a},{b}").split())
        m = re.search(r"V ([\d.]+) \(chi-square ([^ ,]+(?:,\d+)*), ([\d,]+) degrees of freedom, p (<|=) ([\d.]+)", said)
        same(f"chi-square: {a} {b}", float(m[2].replace(",", "")), x.statistic, 5e-3)
        same(f"freedom: {a} {b}", int(m[3]), x.dof)
        same(f"V: {a} {b}", float(m[1]), round(stats.contingency.association(table, method="cramer"), 2))
        if m[4] == "=" and abs(float(m[5]) - x.pvalue) > 1e-4 or m[4] == "<" and x.pvalue > 1e-4:
            same(f"p: {a} {b}", float(m[5]), x.pvalue)

# Two halves of the time, cut at a whole second.
begin, end = min(timed) // 10**9, max(timed) // 10**9 + 1
middle = (begin + end) // 2
periods = [(begin * 10**9, middle * 10**9), (middle * 10**9, end * 10**9)]
stamp = lambda s: datetime.fromtimestamp(s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
halves = f"{stamp(begin)}..{stamp(middle)}/{stamp(middle)}..{stamp(end)}"
steps = [1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200, 86400, 604800, 2592000]
block = next(s for s in steps if s * 10**9 >= min(p[1] - p[0] for p in periods) // 48) * 10**9


def blocks(field, value, period):
    n = np.zeros(-(-(period[1] - period[0]) // block))
    for t, e in zip(when, events):
        if t is not None and period[0] <= t < period[1]:
            have = values(e, field)
            n[(t - period[0]) // block] += len(have) if value is None else have.count(value)
    return n


def ratio(x, n):
    share, m = x.sum() / n.sum(), (n > 0).sum()
    if m < 2:
        return share, math.inf, m
    return share, math.sqrt(((x - share * n) ** 2).sum() * m / (m - 1)) / n.sum(), m


for r in [r for r in rows("--compare", halves) if r["field"] != "log.pattern.id"][:150]:
    of = [(blocks(r["field"], r["value"], p), blocks(r["field"], None, p)) for p in periods]
    same(f"before: {r['field']} {r['value']}", r["before"], of[0][0].sum())
    same(f"after: {r['field']} {r['value']}", r["after"], of[1][0].sum())
    same(f"blocks: {r['field']} {r['value']}", r["blocks_before"], (of[0][0] > 0).sum())
    (a, va, na), (b, vb, nb) = [(s, e * e, m) for s, e, m in (ratio(*o) for o in of)]
    same(f"divergence: {r['field']} {r['value']}", r["divergence_bits"], sum(p / 2 * math.log2(2 * p / (a + b)) for p in (a, b) if p))
    if math.isinf(va + vb):
        p = 1
    elif va + vb == 0:
        p = 1 if a == b else 0
    else:
        df = (va + vb) ** 2 / (va**2 / max(na - 1, 1) + vb**2 / max(nb - 1, 1))
        p = 2 * stats.t.sf(abs(b - a) / math.sqrt(va + vb), max(df, 1))
    # A value of one period only cannot be surer than its blocks are unlikely to fall there.
    ka, kb = (of[0][0] > 0).sum(), (of[1][0] > 0).sum()
    if not ka or not kb:
        p = max(p, min(1, 2 * stats.hypergeom.pmf(max(ka, kb), na + nb, na if ka else nb, max(ka, kb))))
    same(f"Welch: {r['field']} {r['value']}", r["p"], p, 1e-5)
said = " ".join(run("stats", "--compare", halves).split())
for m in re.finditer(r"([a-z.]+bytes|event\.duration): the numbers are .*?KS distance ([\d.]+)", said):
    x, y = ([float(v) for t, e in zip(when, events) if t is not None and p[0] <= t < p[1] for v in values(e, m[1])] for p in periods)
    same("KS: " + m[1], float(m[2]), stats.ks_2samp(x, y).statistic, 0.02)
print(f"{sum(compared.values())} figures, {differ} differ:", ", ".join(f"{n} {k}" for k, n in sorted(compared.items())))
sys.exit(1 if differ else 0)
