"""Compares Sextant's isolation forest with scikit-learn's on the same rows.

    mkdir rows && go run ./bench/techniques -rows rows ait
    python3 bench/techniques/isolation_forest.py rows/*.csv

Each line of a file is what the forest is given of an hour, what Sextant's says, and whether
it is true. Prints the AUC of both, scikit-learn's with ten seeds.
"""
import csv
import sys

from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

for path in sys.argv[1:]:
    with open(path) as f:
        lines = list(csv.reader(f))
    rows = [[float(x) for x in line[:-2]] for line in lines]
    ours = [float(line[-2]) for line in lines]
    true = [line[-1] == "true" for line in lines]
    theirs = []
    for seed in range(10):
        forest = IsolationForest(n_estimators=100, max_samples=min(256, len(rows)), random_state=seed).fit(rows)
        theirs.append(roc_auc_score(true, -forest.score_samples(rows)))
    print(f"{path}: Sextant {roc_auc_score(true, ours):.3f}, scikit-learn {sum(theirs) / 10:.3f} ({min(theirs):.3f} to {max(theirs):.3f})")
