#!/usr/bin/env python3
"""The worked example as it is done with structlog and pandas, for comparison.

It makes a network log with structlog, loads it with pandas, counts login
attempts by user, prints the table and the interpretation, and, where
matplotlib is installed and --chart is given, draws the figure.

    /usr/bin/python3 bench/python/nids.py --rows 1000000

Debian packages: python3-pandas python3-structlog (python3-matplotlib).
The same with Sextant: see BenchmarkWorkedExample in internal/logins.
"""

import argparse
import random
import resource
import sys
import time
from datetime import datetime, timedelta, timezone

import pandas as pd
import structlog

ACTIONS = ["login_attempt", "file_access", "data_transfer", "logout", "privilege_change", "port_scan"]
WEIGHTS = [114, 58, 34, 36, 8, 6]


def simulate(rows, seed, path):
    """Log rows events through structlog, gather them, and write them as CSV."""
    rng = random.Random(seed)
    users = max(20, min(rows // 8, 50_000))
    names = [f"user_{i:05d}" for i in range(users)]
    rng.shuffle(names)
    total, cumulative = 0.0, []
    for rank in range(users):
        total += 1 / (rank + 3)
        cumulative.append(total)
    events = []

    def gather(logger, method, event):
        events.append(event)
        raise structlog.DropEvent

    structlog.configure(processors=[gather], cache_logger_on_first_use=True)
    log = structlog.get_logger()
    now = datetime(2026, 1, 5, tzinfo=timezone.utc)
    gap = 7 * 86400 / max(rows, 1)
    drawn = rng.choices(names, cum_weights=cumulative, k=rows)
    actions = rng.choices(ACTIONS, weights=WEIGHTS, k=rows)
    for user, action in zip(drawn, actions):
        now += timedelta(seconds=rng.expovariate(1 / gap))
        log.info(
            "network_event",
            timestamp=now.isoformat(timespec="milliseconds"),
            user_id=user,
            source_ip=f"10.{rng.randint(20, 35)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}",
            destination_ip=f"10.0.{rng.randint(0, 3)}.{rng.randint(10, 25)}",
            action=action,
            success=rng.random() < 0.85,
        )
    columns = ["timestamp", "user_id", "source_ip", "destination_ip", "action", "success"]
    pd.DataFrame(events)[columns].to_csv(path, index=False)


def analyse(path):
    """Count login attempts by user."""
    frame = pd.read_csv(path)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True)
    logins = frame[frame["action"] == "login_attempt"]
    table = logins.groupby("user_id").agg(
        attempts=("success", "size"),
        successes=("success", "sum"),
        success_rate=("success", "mean"),
        distinct_sources=("source_ip", "nunique"),
        first=("timestamp", "min"),
        last=("timestamp", "max"),
    )
    table["failures"] = table["attempts"] - table["successes"]
    return table.reset_index().sort_values(["attempts", "user_id"], ascending=[False, True])


def interpret(table, top):
    leader, head, counts = table.iloc[0], table.head(top), table["attempts"]
    q1, q3 = counts.quantile(0.25), counts.quantile(0.75)
    fence = q3 + 1.5 * (q3 - q1)
    return (
        f"{leader.user_id} leads with {leader.attempts} login attempts. The top {len(head)} range from "
        f"{head.attempts.min()} to {head.attempts.max()}. {(counts == 1).sum()} of {len(table)} users attempted once. "
        f"Skewness {counts.skew():.1f}; {(counts > fence).sum()} users above {fence:g}."
    )


def draw(table, top, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(14, 5))
    head = table.head(top)
    left.bar(head["user_id"], head["attempts"])
    left.set(title=f"Top {top} users by login attempts", xlabel="User", ylabel="Login attempts")
    left.tick_params(axis="x", rotation=45)
    right.hist(table["attempts"], bins=30)
    right.set(title="Login attempts per user", xlabel="Login attempts", ylabel="Users")
    figure.tight_layout()
    figure.savefig(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--file", default="network_logs.csv")
    parser.add_argument("--analyse-only", action="store_true", help="read FILE instead of making it")
    parser.add_argument("--chart", help="draw the figure here (needs matplotlib)")
    args = parser.parse_args()

    begin = time.perf_counter()
    if not args.analyse_only:
        simulate(args.rows, args.seed, args.file)
    made = time.perf_counter()
    table = analyse(args.file)
    print(table.head(args.top).to_string(index=False))
    print(interpret(table, args.top))
    counted = time.perf_counter()
    if args.chart:
        draw(table, args.top, args.chart)
    end = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"simulate {made - begin:.2f} s, analyse {counted - made:.2f} s, draw {end - counted:.2f} s, "
        f"total {end - begin:.2f} s, peak {peak:.0f} MiB",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
