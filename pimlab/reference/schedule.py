"""List scheduling in plain Python, a moment at a time: what `pimlab.kernels.schedule` must
equal.
"""

from __future__ import annotations

import itertools

import numpy as np


def list_schedule(resource, seconds, capacity, first, follower, lag, arrival, start, finish):
    """As `pimlab.kernels.schedule.list_schedule`: at each moment every task is looked at.

    seconds : float64, shape (tasks,) [s];  arrival : float64, shape (inferences,) [s];  start,
    finish : float64, shape (inferences, tasks) [s], written;  returns how many tasks ran.
    """
    before: dict[int, list[tuple[int, int]]] = {}
    everything = list(itertools.product(range(arrival.size), range(seconds.size)))
    for task in range(seconds.size):
        for edge in range(first[task], first[task + 1]):
            before.setdefault(int(follower[edge]), []).append((task, int(lag[edge])))
    ended: dict[tuple[int, int], float] = {}

    def may_start(i, task, now):
        needs = [(i - back, t) for t, back in before.get(task, []) if back <= i]
        in_time = any(j == i for j, _ in needs) or arrival[i] <= now
        return in_time and all(ended.get(need, np.inf) <= now for need in needs)

    waiting = list(everything)
    running: dict[tuple[int, int], float] = {}
    moments = {float(time) for time in arrival}
    while moments:
        now = min(moments)
        moments.discard(now)
        while True:
            ended |= {one: end for one, end in running.items() if end <= now}
            running = {one: end for one, end in running.items() if end > now}
            chosen = []
            for place in range(capacity.size):
                used = sum(resource[task] == place for _, task in running)
                able = [
                    one for one in waiting if resource[one[1]] == place and may_start(*one, now)
                ]
                chosen += able[: capacity[place] - used]
            if not chosen:
                break
            for i, task in chosen:
                start[i, task], finish[i, task] = now, now + seconds[task]
                running[i, task] = float(finish[i, task])
                waiting.remove((i, task))
                moments.add(float(finish[i, task]))
        moments.discard(now)
    return len(ended)
