"""When does each task start, when resources serve one task at a time and the oldest inference goes
first? Event-driven list scheduling (Graham 1966), without preemption.

Every inference has the same tasks. A task waits for those that come before it, for a free place on
its resource, and for the arrival of its inference. Whenever something ends or arrives, each free
resource takes the waiting task of the oldest inference, and among its tasks the one of the lowest
number. Times are sums and maxima of what is given, so the plain twin gives the same bits.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import kernel


@kernel
def _push(heap, size, key):
    """Put `key` into the binary heap heap[:size]."""
    at = size
    # parents move down until the key fits: half the stores of swapping
    while at > 0 and heap[(at - 1) // 2] > key:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = key


@kernel
def _pop(heap, size):
    """The smallest key of the binary heap heap[:size], which loses it."""
    top, last, at = heap[0], heap[size - 1], 0
    while 2 * at + 1 < size - 1:
        child = 2 * at + 1
        if child + 1 < size - 1 and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = last
    return top


@kernel
def _push_event(times, keys, size, time, key):
    """Put (time, key) into the heap of events times[:size], keys[:size]."""
    at = size
    while at > 0:
        up = (at - 1) // 2
        if times[up] < time or (times[up] == time and keys[up] < key):
            break
        times[at], keys[at] = times[up], keys[up]
        at = up
    times[at], keys[at] = time, key


@kernel
def _pop_event(times, keys, size):
    """The key of the earliest event of the heap times[:size], keys[:size], which loses it."""
    top, time, last, at = keys[0], times[size - 1], keys[size - 1], 0
    while 2 * at + 1 < size - 1:
        child = 2 * at + 1
        right = child + 1
        if right < size - 1 and (
            times[right] < times[child]
            or (times[right] == times[child] and keys[right] < keys[child])
        ):
            child = right
        if times[child] > time or (times[child] == time and keys[child] >= last):
            break
        times[at], keys[at] = times[child], keys[child]
        at = child
    times[at], keys[at] = time, last
    return top


@kernel
def _waiting(tasks, inferences, first, follower, lag):
    """int32, shape (inferences, tasks): what each task waits for, and one for the arrival of its
    inference where nothing of that inference comes before it.
    """
    counts = np.zeros((inferences, tasks), np.int32)
    begins = np.ones(tasks, np.int32)
    for edge in range(first[tasks]):
        for i in range(lag[edge], inferences):
            counts[i, follower[edge]] += 1
        if lag[edge] == 0:
            begins[follower[edge]] = 0
    for i in range(inferences):
        for task in range(tasks):
            counts[i, task] += begins[task]
    return counts, begins


@kernel
def _offer(key, place, ready, size, marked, touched, count):
    """Put the task `key` into its resource's heap; how many resources are touched by now."""
    _push(ready, size[place], key)
    size[place] += 1
    return _touch(place, marked, touched, count)


@kernel
def _touch(place, marked, touched, count):
    """Note that the resource has something new to decide; how many have by now."""
    if marked[place]:
        return count
    marked[place], touched[count] = True, place
    return count + 1


@kernel
def list_schedule(resource, seconds, capacity, first, follower, lag, arrival, start, finish):
    """Start and finish of every task; the number of tasks that ran (fewer than all: they wait for
    each other).

    resource : int64, shape (tasks,), where each task runs.  seconds : float64, shape (tasks,), s.
    capacity : int64, shape (resources,), tasks that a resource serves at once.
    first : int64, shape (tasks + 1,), follower and lag : int64, shape (edges,): when task t of
    inference i ends, the task follower[e] of inference i + lag[e] waits for one thing less,
    first[t] <= e < first[t + 1].
    arrival : float64, shape (inferences,), s, not falling.
    start, finish : float64, shape (inferences, tasks), s, written.
    """
    tasks, inferences, places = seconds.size, arrival.size, capacity.size
    waiting, begins = _waiting(tasks, inferences, first, follower, lag)
    heaps, size = np.zeros(places + 1, np.int64), np.zeros(places, np.int64)
    for task in range(tasks):
        heaps[resource[task] + 1] += inferences
    # every resource's heap has room for all that may ever wait there, in one array
    heaps = np.cumsum(heaps)
    ready = np.empty(tasks * inferences, np.int64)
    free, busy = capacity.copy(), min(int(capacity.sum()), tasks * inferences)
    times, keys, running = np.empty(busy), np.empty(busy, np.int64), 0
    touched, marked, count = np.empty(places, np.int64), np.zeros(places, np.bool_), 0
    arrived, done = 0, 0
    while running > 0 or arrived < inferences:
        now = times[0] if running > 0 else arrival[arrived]
        if arrived < inferences:
            now = min(now, arrival[arrived])
        while arrived < inferences and arrival[arrived] == now:
            for task in range(tasks):
                waiting[arrived, task] -= begins[task]
                if begins[task] and waiting[arrived, task] == 0:
                    key, place = arrived * tasks + task, resource[task]
                    count = _offer(key, place, ready[heaps[place] :], size, marked, touched, count)
            arrived += 1
        # all that ends now ends before anything starts, so that the order of events does not matter
        while running > 0 and times[0] == now:
            i, task = divmod(_pop_event(times, keys, running), tasks)
            running, done = running - 1, done + 1
            free[resource[task]] += 1
            count = _touch(resource[task], marked, touched, count)
            for edge in range(first[task], first[task + 1]):
                j, then = i + lag[edge], follower[edge]
                if j < inferences:
                    waiting[j, then] -= 1
                    if waiting[j, then] == 0:
                        key, place = j * tasks + then, resource[then]
                        heap = ready[heaps[place] :]
                        count = _offer(key, place, heap, size, marked, touched, count)
        # only resources with a new task or a free place can start something
        for place in touched[:count]:
            marked[place] = False
            while free[place] > 0 and size[place] > 0:
                key = _pop(ready[heaps[place] :], size[place])
                i, task = divmod(key, tasks)
                size[place], free[place] = size[place] - 1, free[place] - 1
                start[i, task], finish[i, task] = now, now + seconds[task]
                _push_event(times, keys, running, finish[i, task], key)
                running += 1
        count = 0
    return done
