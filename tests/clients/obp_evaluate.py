#!/usr/bin/env python3
"""Evaluates a log with the Open Bandit Pipeline, beside `pitboss evaluate` on the same file.

    python3 -m venv /tmp/obp
    /tmp/obp/bin/pip install numpy==1.26.4 scipy==1.11.4 'pandas<2.3' scikit-learn==1.3.2 tqdm pyyaml
    /tmp/obp/bin/pip install --no-deps --ignore-requires-python obp==0.5.7
    /tmp/obp/bin/python obp_evaluate.py LOG.csv --policy uniform [--policy arm:NAME]

The log has columns arm, reward, propensity. obp imports torch, matplotlib, seaborn and pyieoe for learners, plots and searches that
are not used here; where they are missing, empty modules stand in. Without obp (or with --formulas) its documented formulas in
numpy stand in for it, and the output says so.

Times the reading and the estimating apart, for IPW, SNIPW, DM, DR, SNDR, Switch-DR and DRos with tabular predictions
(S + 10 m) / (n + 10), and prints one JSON object.
"""

import argparse
import importlib.abc
import importlib.machinery
import json
import sys
import time
import types

import numpy as np
import pandas as pd

LAMBDA = 10.0


class Anything(type):
    """A class of which everything can be asked, derived and called."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything(name, (), {"__init__": lambda self, *args, **named: None})


class Stand(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        return getattr(Anything("Stand", (), {}), name)


class Missing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Stands in for modules that obp imports and that nothing here uses."""

    NAMES = ("torch", "matplotlib", "seaborn", "pyieoe", "mypy_extensions")

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.NAMES:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return Stand(spec.name)

    def exec_module(self, module):
        pass


def by_obp():
    sys.meta_path.append(Missing())
    import obp
    from obp.ope import (
        DirectMethod,
        DoublyRobust,
        DoublyRobustWithShrinkage,
        InverseProbabilityWeighting,
        SelfNormalizedDoublyRobust,
        SelfNormalizedInverseProbabilityWeighting,
        SwitchDoublyRobust,
    )

    estimators = [
        InverseProbabilityWeighting(),
        SelfNormalizedInverseProbabilityWeighting(),
        DirectMethod(),
        DoublyRobust(),
        SelfNormalizedDoublyRobust(),
        SwitchDoublyRobust(lambda_=LAMBDA, estimator_name="switch-dr"),
        DoublyRobustWithShrinkage(lambda_=LAMBDA, estimator_name="dr-os"),
    ]

    def estimate(reward, action, pscore, policy, predictions):
        rounds = len(reward)
        given = dict(
            reward=reward,
            action=action,
            pscore=pscore,
            position=np.zeros(rounds, dtype=int),
            action_dist=np.tile(policy[None, :, None], (rounds, 1, 1)),
            estimated_rewards_by_reg_model=np.tile(predictions[None, :, None], (rounds, 1, 1)),
        )
        return {e.estimator_name: float(e.estimate_policy_value(**given)) for e in estimators}

    return f"obp {obp.__version__}", estimate


def by_formulas():
    def estimate(reward, action, pscore, policy, predictions):
        weight = policy[action] / pscore
        direct = float(policy @ predictions)
        residual = reward - predictions[action]
        switched = np.where(weight <= LAMBDA, weight, 0.0)
        shrunk = LAMBDA * weight / (weight**2 + LAMBDA)
        return {
            "ipw": float(np.mean(weight * reward)),
            "snipw": float(np.mean(weight * reward) / np.mean(weight)),
            "dm": direct,
            "dr": direct + float(np.mean(weight * residual)),
            "sndr": direct + float(np.mean(weight * residual) / np.mean(weight)),
            "switch-dr": direct + float(np.mean(switched * residual)),
            "dr-os": direct + float(np.mean(shrunk * residual)),
        }

    return "obp's formulas in numpy (obp itself did not run)", estimate


def tool(formulas):
    if formulas:
        return by_formulas()
    try:
        return by_obp()
    except ImportError as error:
        print(f"obp cannot be imported ({error}): its formulas stand in", file=sys.stderr)
        return by_formulas()


def policy_of(text, arms):
    policy = np.zeros(len(arms))
    if text == "uniform":
        policy[:] = 1.0 / len(arms)
    elif text.startswith("arm:"):
        policy[list(arms).index(text[4:])] = 1.0
    else:
        sys.exit(f"`{text}` is neither uniform nor arm:NAME")
    return policy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("--policy", default="uniform")
    parser.add_argument("--formulas", action="store_true")
    arguments = parser.parse_args()
    name, estimate = tool(arguments.formulas)

    begun = time.perf_counter()
    log = pd.read_csv(arguments.log, dtype={"arm": str}, usecols=["arm", "reward", "propensity"])
    action, arms = pd.factorize(log["arm"], sort=False)
    reward, pscore = log["reward"].to_numpy(float), log["propensity"].to_numpy(float)
    read = time.perf_counter() - begun

    begun = time.perf_counter()
    rows = np.bincount(action, minlength=len(arms))
    sums = np.bincount(action, weights=reward, minlength=len(arms))
    predictions = (sums + 10.0 * reward.mean()) / (rows + 10.0)
    policy = policy_of(arguments.policy, arms)
    estimates = estimate(reward, action, pscore, policy, predictions)
    estimated = time.perf_counter() - begun
    count = len(log)
    print(
        json.dumps(
            {
                "tool": name,
                "rows": count,
                "read_seconds": round(read, 4),
                "estimate_seconds": round(estimated, 4),
                "estimate_rows_per_second": round(count / estimated),
                "whole_rows_per_second": round(count / (read + estimated)),
                "estimates": estimates,
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
