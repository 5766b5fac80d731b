"""Rates of flows over shared links: progressive filling, class by class."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit

# What is left of a link below this share of it is rounding: it is full.
_FULL_FRACTION = 1e-12


@njit(cache=True)
def _is_full(left, capacity):
    # What has no limit is never full, though any part of infinity is infinite.
    return left < np.inf and left <= _FULL_FRACTION * capacity


@njit(cache=True)
def fill(offset, link, weight, wanted, priority, portions, floor_fraction, capacity, rate):
    """Raise all flows together, stage by stage, each until a link that it uses is full; fills rate (M,).

    offset (M+1,), link (U,), weight (U,)  which links a flow uses, and how much of each for a unit of rate
    wanted (M,); priority (M,) from 1; capacity (L,), inf for no limit
    portions  (S, classes) as of ScheduleRules.portions

    Stage 0 takes every flow to floor_fraction of what it wants; stage k adds the portion of its class of the
    rest, in row k - 1, to each: all together, in equal fractions of what the stage has for each.
    """
    m, n_links = len(wanted), len(capacity)
    left = capacity.copy()
    stuck = np.zeros(m, np.bool_)
    # The same by link: who uses it.
    by_link = np.zeros(n_links + 1, np.int64)
    for u in range(len(link)):
        by_link[link[u] + 1] += 1
    for item in range(n_links):
        by_link[item + 1] += by_link[item]
    put = by_link[:-1].copy()
    user = np.empty(len(link), np.int64)
    for i in range(m):
        rate[i] = 0.0
        stuck[i] = wanted[i] <= 0.0
        for u in range(offset[i], offset[i + 1]):
            user[put[link[u]]] = i
            put[link[u]] += 1
    step = np.zeros(m)
    load = np.zeros(n_links)
    users = np.zeros(n_links, np.int64)
    for stage in range(len(portions) + 1):
        load[:] = 0.0
        users[:] = 0
        active = 0
        for i in range(m):
            step[i] = 0.0
            if stuck[i]:
                continue
            part = floor_fraction
            if stage > 0:
                part = (1.0 - floor_fraction) * portions[stage - 1, priority[i] - 1]
            step[i] = wanted[i] * part
            if step[i] <= 0.0:
                continue
            active += 1
            for u in range(offset[i], offset[i + 1]):
                load[link[u]] += weight[u] * step[i]
                users[link[u]] += 1
        risen = 0.0
        while active > 0:
            rise = 1.0 - risen
            for item in range(n_links):
                if users[item] > 0 and left[item] < rise * load[item]:
                    rise = left[item] / load[item]
            risen += rise
            for item in range(n_links):
                if users[item] > 0:
                    left[item] = max(left[item] - rise * load[item], 0.0)
            for i in range(m):
                rate[i] += rise * step[i]
            if risen >= 1.0:
                break
            for item in range(n_links):
                if users[item] == 0 or not _is_full(left[item], capacity[item]):
                    continue
                left[item] = 0.0
                for k in range(by_link[item], by_link[item + 1]):
                    i = user[k]
                    if step[i] <= 0.0:
                        continue
                    for u in range(offset[i], offset[i + 1]):
                        load[link[u]] -= weight[u] * step[i]
                        users[link[u]] -= 1
                    stuck[i] = True
                    step[i] = 0.0
                    active -= 1
        # A link that became full as the stage ended stops whoever uses it.
        for item in range(n_links):
            if _is_full(left[item], capacity[item]):
                for k in range(by_link[item], by_link[item + 1]):
                    stuck[user[k]] = True
