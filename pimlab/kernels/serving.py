"""When does each request get its tokens, on replicas that batch whoever is there? The event loop of
a service.

A replica works in steps. A step grants tokens to the sequences that run, in the order they came,
then takes in those that wait, as far as the batch, the tokens of a step and the pages of the cache
allow (iteration-level scheduling: Yu et al., Orca, OSDI 2022; paged cache and preemption of the
last: Kwon et al., vLLM, SOSP 2023; prompts in parts: Agrawal et al., Sarathi-Serve, OSDI 2024). At
the end of a step every sequence whose cache holds all of its tokens gives its next token. With
replicas apart (Zhong et al., DistServe, OSDI 2024) a prompt's cache then crosses a link.

Where a draft model guesses ahead (Leviathan et al., ICML 2023), a decoding sequence takes a token
and all guesses behind it in a step, and gives as many tokens as hold, and one.

Times are sums and maxima of what is given, so the plain twin gives the same bits. All state is in
arrays: a run can stop at any time and go on.
"""

from __future__ import annotations

import numpy as np

from pimlab.kernels.jit import lean
from pimlab.kernels.philox import block
from pimlab.kernels.serving_state import (
    ABSENT,
    DECODES,
    ENERGY,
    HERE,
    NOBODY,
    PAGES,
    PREFIX_AWARE,
    PROMPTS,
    QUEUED,
    ROUND_ROBIN,
    RUNNING,
    SENT,
    SWAPPED,
)
from pimlab.kernels.step_times import COLUMNS, across, along


@lean
def _put_last(line, behind, r, i):
    """Put request i at the end of the line of replica r."""
    behind[i] = NOBODY
    if line[r, 0] == NOBODY:
        line[r, 0] = i
    else:
        behind[line[r, 1]] = i
    line[r, 1] = i


@lean
def _put_first(line, behind, r, i):
    """Put request i at the front of the line of replica r."""
    behind[i] = line[r, 0]
    if line[r, 0] == NOBODY:
        line[r, 1] = i
    line[r, 0] = i


@lean
def _take_first(line, behind, r):
    """The first of the line of replica r, which loses it."""
    i = line[r, 0]
    line[r, 0] = behind[i]
    if line[r, 0] == NOBODY:
        line[r, 1] = NOBODY
    return i


@lean
def _keep_unused(prefixes, r, b):
    """Put block b at the newest end of the unused blocks."""
    last = prefixes.ends[r, 1]
    prefixes.older[r, b], prefixes.newer[r, b] = last, NOBODY
    if last == NOBODY:
        prefixes.ends[r, 0] = b
    else:
        prefixes.newer[r, last] = b
    prefixes.ends[r, 1] = b
    prefixes.unused[r] += 1


@lean
def _drop_unused(prefixes, r, b):
    """Take block b out of the unused blocks."""
    before, after = prefixes.older[r, b], prefixes.newer[r, b]
    if before == NOBODY:
        prefixes.ends[r, 0] = after
    else:
        prefixes.newer[r, before] = after
    if after == NOBODY:
        prefixes.ends[r, 1] = before
    else:
        prefixes.older[r, after] = before
    prefixes.unused[r] -= 1


@lean
def _matched(load, prefixes, rules, r, i):
    """(blocks of prompt i that replica r holds from its start, those of them nobody uses); one
    token at least is left to compute.
    """
    found, unused = 0, 0
    if rules.prefix:
        most = min(load.first[i + 1] - load.first[i], (load.prompt[i] - 1) // rules.block)
        while found < most:
            users = prefixes.users[r, load.blocks[load.first[i] + found]]
            if users == ABSENT:
                break
            unused += users == 0
            found += 1
    return found, unused


@lean
def _share(load, prefixes, r, i, found):
    """Let request i use the first `found` blocks of its prompt."""
    for b in load.blocks[load.first[i] : load.first[i] + found]:
        if prefixes.users[r, b] == 0:
            _drop_unused(prefixes, r, b)
        prefixes.users[r, b] += 1


@lean
def _publish(load, progress, fleet, prefixes, rules, r, i):
    """Turn the pages of whole blocks of prompt i into blocks that others may use; pages of blocks
    that are there by now become free.
    """
    for at in range(load.first[i] + progress.shared[i], load.first[i + 1]):
        b, pages = load.blocks[at], rules.each
        users = prefixes.users[r, b]
        if users == ABSENT:
            prefixes.users[r, b] = 0
        else:
            fleet.free[r] += pages
            if users == 0:
                _drop_unused(prefixes, r, b)
        prefixes.users[r, b] += 1
        progress.pages[i] -= pages
        progress.shared[i] += 1


@lean
def _release(load, progress, fleet, prefixes, r, i):
    """Give back the pages of request i; blocks that nobody uses stay until their pages are
    needed, the last of a prompt going first.
    """
    fleet.free[r] += progress.pages[i]
    progress.pages[i] = 0
    for at in range(progress.shared[i] - 1, -1, -1):
        b = load.blocks[load.first[i] + at]
        prefixes.users[r, b] -= 1
        if prefixes.users[r, b] == 0:
            _keep_unused(prefixes, r, b)
    progress.shared[i] = 0


@lean
def _hold(progress, fleet, prefixes, rules, r, i, tokens):
    """Whether request i has pages for `tokens` tokens, taken from free ones or unused blocks."""
    each = rules.each
    have = progress.shared[i] * each + progress.pages[i]
    if tokens <= have * rules.page:
        return True
    need = -(-tokens // rules.page) - have
    if need > fleet.free[r] + prefixes.unused[r] * each:
        return False
    while fleet.free[r] < need:
        b = prefixes.ends[r, 0]
        _drop_unused(prefixes, r, b)
        prefixes.users[r, b] = ABSENT
        fleet.free[r] += each
    fleet.free[r] -= need
    progress.pages[i] += need
    return True


@lean
def _preempt(load, answers, progress, fleet, prefixes, rules, r):
    """Send the last running sequence back to the front of the queue; s of moving its cache."""
    fleet.count[r] -= 1
    i = fleet.running[r, fleet.count[r]]
    _release(load, progress, fleet, prefixes, r, i)
    answers.preempted[i] += 1
    progress.granted[i] = 0
    _put_first(fleet.queue, progress.behind, r, i)
    fleet.waiting[r] += 1
    if rules.swap >= 0:
        progress.cache[i] = SWAPPED
        answers.moved[i] += progress.computed[i]
        return rules.swap * progress.computed[i]
    progress.computed[i] = 0
    return 0.0


@lean
def _decodes(load, progress, i):
    """Whether all but the last token that sequence i gave are in the cache."""
    behind = load.prompt[i] + progress.generated[i] - progress.computed[i]
    return behind == 1 and progress.generated[i] > 0


@lean
def _grant(load, answers, progress, fleet, prefixes, rules, r):
    """Grant tokens to the running sequences of replica r, preempting the last where pages lack:
    (tokens left, s of swapping, whether anyone was preempted).
    """
    left, moving, short, place = rules.tokens, 0.0, False, 0
    while place < fleet.count[r]:
        i = fleet.running[r, place]
        need = load.prompt[i] + progress.generated[i] - progress.computed[i]
        if _decodes(load, progress, i):
            need += rules.ahead
        new = min(need, left)
        while place < fleet.count[r] and not _hold(
            progress, fleet, prefixes, rules, r, i, progress.computed[i] + new
        ):
            moving += _preempt(load, answers, progress, fleet, prefixes, rules, r)
            short = True
        if place < fleet.count[r]:
            progress.granted[i] = new
            left -= new
        place += 1
    return left, moving, short


@lean
def _admit(load, answers, progress, fleet, prefixes, rules, r, left, now):
    """Take in those that wait at replica r, in order: (s of swapping, prompt tokens granted)."""
    moving, prompts, each = 0.0, 0, rules.each
    while fleet.queue[r, 0] != NOBODY and fleet.count[r] < rules.batch and left > 0:
        i, found, unused = fleet.queue[r, 0], 0, 0
        if progress.cache[i] == HERE:
            found, unused = _matched(load, prefixes, rules, r, i)
        computed = progress.computed[i] + found * rules.block
        need = load.prompt[i] + progress.generated[i]
        whole = not rules.mixed
        if _decodes(load, progress, i):
            need, whole = need + rules.ahead, True
        new = need - computed if whole else min(need - computed, left)
        pages = -(-need // rules.page) - found * each
        room = fleet.free[r] + (prefixes.unused[r] - unused) * each
        if pages > room or (new > left and (prompts > 0 or rules.mixed)):
            break
        _take_first(fleet.queue, progress.behind, r)
        fleet.waiting[r] -= 1
        _share(load, prefixes, r, i, found)
        progress.shared[i], progress.computed[i], progress.granted[i] = found, computed, new
        _hold(progress, fleet, prefixes, rules, r, i, computed + new)
        fleet.running[r, fleet.count[r]] = i
        fleet.count[r] += 1
        left -= new
        if progress.cache[i] == SWAPPED:
            moving += rules.swap * computed
            answers.moved[i] += computed
        elif progress.cache[i] == HERE:
            prompts += new
        progress.cache[i] = HERE
        if np.isnan(answers.begun[i]):
            answers.begun[i], answers.reused[i] = now, found * rules.block
    return moving, prompts


@lean
def _schedule(load, answers, progress, fleet, prefixes, rules, r, now):
    """Grant the tokens of the next step of replica r; s of swapping."""
    if rules.mixed:
        left, moving, short = _grant(load, answers, progress, fleet, prefixes, rules, r)
        if short:
            return moving
        more, _ = _admit(load, answers, progress, fleet, prefixes, rules, r, left, now)
        return moving + more
    moving, prompts = _admit(load, answers, progress, fleet, prefixes, rules, r, rules.tokens, now)
    if prompts > 0:
        return moving
    _, more, _ = _grant(load, answers, progress, fleet, prefixes, rules, r)
    return moving + more


@lean
def _charge(load, answers, progress, fleet, tables, r, moving, cost):
    """Add up a step in cost[0] and deal it out over its sequences: the rest by tokens, decoding's
    attention by context, that of prompts to each its own. How many tokens it has.
    """
    total, rest, looks, part = cost[0], cost[1], cost[2], cost[3]
    total[:] = 0.0
    looks[:] = 0.0
    tokens, decoding, contexts = 0, 0, 0
    for i in fleet.running[r, : fleet.count[r]]:
        new = progress.granted[i]
        tokens += new
        if new > 0 and _decodes(load, progress, i):
            decoding += 1
            contexts += progress.computed[i] + new
        elif new > 0:
            across(
                tables.queries, tables.behind, tables.prompt, new, progress.computed[i] + new, part
            )
            for c in range(COLUMNS):
                total[c] += part[c]
                answers.spent[i, c] += part[c]
    if tokens == 0:
        return 0
    along(tables.tokens, tables.rest, tokens, rest)
    rest[0] += moving
    if decoding > 0:
        mean = contexts / decoding
        across(tables.batch, tables.context, tables.decode, decoding, mean, looks)
    for c in range(COLUMNS):
        total[c] += rest[c] + looks[c]
        rest[c] /= tokens
        looks[c] /= max(contexts, 1)
    for i in fleet.running[r, : fleet.count[r]]:
        new, seen = progress.granted[i], 0
        if new > 0 and _decodes(load, progress, i):
            seen = progress.computed[i] + new
        for c in range(COLUMNS):
            answers.spent[i, c] += new * rest[c] + seen * looks[c]
    return tokens


@lean
def _charge_draft(load, answers, progress, fleet, drafts, rules, r, cost):
    """Add to cost[0] what the draft does in a step, and deal it out: it reads prompts, each its own
    attention, the rest by tokens; then it guesses `ahead` tokens, dealt out evenly.
    """
    total, rest, looks, part = cost[0], cost[1], cost[2], cost[3]
    prompts, decoding, contexts = 0, 0, 0
    for i in fleet.running[r, : fleet.count[r]]:
        new = progress.granted[i]
        if new > 0 and _decodes(load, progress, i):
            decoding += 1
            contexts += progress.computed[i]
        elif new > 0:
            prompts += new
            across(
                drafts.queries, drafts.behind, drafts.prompt, new, progress.computed[i] + new, part
            )
            for c in range(COLUMNS):
                total[c] += part[c]
                answers.spent[i, c] += part[c]
    rest[:] = 0.0
    looks[:] = 0.0
    if prompts > 0:
        along(drafts.tokens, drafts.rest, prompts, rest)
    if decoding > 0:
        mean = contexts / decoding + (rules.ahead + 1) / 2
        along(drafts.tokens, drafts.rest, decoding, part)
        across(drafts.batch, drafts.context, drafts.decode, decoding, mean, looks)
        for c in range(COLUMNS):
            looks[c] = rules.ahead * (looks[c] + part[c])
    for c in range(COLUMNS):
        total[c] += rest[c] + looks[c]
        rest[c] /= max(prompts, 1)
        looks[c] /= max(decoding, 1)
    for i in fleet.running[r, : fleet.count[r]]:
        new = progress.granted[i]
        if new > 0:
            decodes = _decodes(load, progress, i)
            for c in range(COLUMNS):
                answers.spent[i, c] += looks[c] if decodes else new * rest[c]


@lean
def _accepted(rules, i, given):
    """How many guesses of request i hold after it gave so many tokens: the first k hold with
    probability acceptance^k. Drawn by Philox from (request, tokens), so that nothing else matters.
    """
    row, k0, k1 = np.uint64(i), np.uint64(rules.key[0]), np.uint64(rules.key[1])
    low, high = row & np.uint64(0xFFFFFFFF), row >> np.uint64(32)
    w0, w1, _, _ = block(np.uint64(given), low, np.uint64(0), high, k0, k1)
    drawn = (np.float64(w0 >> np.uint64(5)) * 2.0**26 + np.float64(w1 >> np.uint64(6))) * 2.0**-53
    held, least = 0, rules.acceptance
    while held < rules.ahead and drawn < least:
        held += 1
        least *= rules.acceptance
    return held


@lean
def _start(load, answers, progress, fleet, prefixes, tables, drafts, rules, r, now, cost):
    """Begin a step of replica r, if anyone can take part."""
    moving = _schedule(load, answers, progress, fleet, prefixes, rules, r, now)
    if _charge(load, answers, progress, fleet, tables, r, moving, cost) > 0:
        if rules.ahead > 0:
            _charge_draft(load, answers, progress, fleet, drafts, rules, r, cost)
        fleet.end[r] = now + cost[0, 0]
        fleet.watts[r] = cost[0, 1] / cost[0, 0] if cost[0, 0] > 0 else 0.0


@lean
def _finish_step(load, answers, progress, fleet, prefixes, rules, r, now):
    """End the step of replica r: who has all of its tokens in the cache gives the next. How many
    requests are done.
    """
    kept, done = 0, 0
    for i in fleet.running[r, : fleet.count[r]]:
        new, given, stays = progress.granted[i], 1, True
        progress.granted[i] = 0
        if new > 0 and rules.ahead > 0 and _decodes(load, progress, i):
            given += _accepted(rules, i, progress.generated[i])
            given = new = min(given, load.output[i] - progress.generated[i])
            answers.rounds[i] += 1
        progress.computed[i] += new
        due = load.prompt[i] + progress.generated[i] + given - 1
        if new > 0 and progress.computed[i] == due:
            if rules.prefix:
                _publish(load, progress, fleet, prefixes, rules, r, i)
            progress.generated[i] += given
            if progress.generated[i] == 1:
                answers.token[i] = now
            if progress.generated[i] == load.output[i]:
                answers.finish[i] = now
                fleet.work[r] -= load.prompt[i]
                _release(load, progress, fleet, prefixes, r, i)
                stays, done = False, done + 1
            elif fleet.role[r] == PROMPTS:
                crossing = rules.delay + rules.send * load.prompt[i]
                fleet.link[r] = max(now, fleet.link[r]) + crossing
                progress.ready[i] = fleet.link[r]
                _put_last(fleet.outgoing, progress.behind, r, i)
                stays = False
        if stays:
            fleet.running[r, kept] = i
            kept += 1
    fleet.count[r], fleet.end[r], fleet.watts[r] = kept, np.inf, 0.0
    return done


@lean
def _chosen(load, fleet, prefixes, rules, i, other):
    """The replica that request i goes to, of those that do not have the role `other`."""
    pool = 0 if other == DECODES else 1
    if rules.router == ROUND_ROBIN:
        r = fleet.turn[pool]
        while fleet.role[r] == other:
            r = (r + 1) % fleet.role.size
        fleet.turn[pool] = (r + 1) % fleet.role.size
        return r
    best, least = NOBODY, 0
    for r in range(fleet.role.size):
        if fleet.role[r] != other:
            work = fleet.work[r]
            if rules.router == PREFIX_AWARE:
                work -= _matched(load, prefixes, rules, r, i)[0] * rules.block
            if best == NOBODY or work < least:
                best, least = r, work
    return best


@lean
def _arrive(load, answers, progress, fleet, prefixes, rules, i):
    """Queue request i at a replica; 1 where it is refused."""
    r = _chosen(load, fleet, prefixes, rules, i, DECODES)
    if fleet.waiting[r] >= rules.queue:
        return 1
    answers.replica[i] = r
    fleet.work[r] += load.prompt[i]
    fleet.waiting[r] += 1
    _put_last(fleet.queue, progress.behind, r, i)
    return 0


@lean
def _handed_over(load, progress, fleet, prefixes, rules, r):
    """Let the cache that has crossed the link of replica r wait at one that decodes."""
    i = _take_first(fleet.outgoing, progress.behind, r)
    _release(load, progress, fleet, prefixes, r, i)
    fleet.work[r] -= load.prompt[i]
    to = _chosen(load, fleet, prefixes, rules, i, PROMPTS)
    progress.cache[i] = SENT
    fleet.work[to] += load.prompt[i]
    fleet.waiting[to] += 1
    _put_last(fleet.queue, progress.behind, to, i)


@lean
def _comes(load, rules, counts):
    """Whether another request may arrive: there is one, and not all users wait for an answer."""
    arrived = counts[0]
    return arrived < load.arrival.size and arrived - counts[1] - counts[2] < rules.users


@lean
def _next(load, progress, fleet, rules, counts):
    """When something happens next; infinity when nothing will."""
    now = load.arrival[counts[0]] if _comes(load, rules, counts) else np.inf
    for r in range(fleet.role.size):
        now = min(now, fleet.end[r])
        i = fleet.outgoing[r, 0]
        if i != NOBODY:
            now = min(now, progress.ready[i])
    return now


@lean
def _pass(fleet, prefixes, rules, seconds, sums):
    """Add what was there for so many seconds to `sums`."""
    for r in range(fleet.role.size):
        used = fleet.pages[r] - fleet.free[r] - prefixes.unused[r] * rules.each
        sums[QUEUED] += seconds * fleet.waiting[r]
        sums[RUNNING] += seconds * fleet.count[r]
        sums[PAGES] += seconds * used
        sums[ENERGY] += seconds * fleet.watts[r]


@lean
def _happen(load, answers, progress, fleet, prefixes, rules, clock, counts):
    """Whatever is due now: ends of steps, caches that crossed a link, arrivals, in this order."""
    now = clock[0]
    for r in range(fleet.role.size):
        if fleet.end[r] == now:
            counts[1] += _finish_step(load, answers, progress, fleet, prefixes, rules, r, now)
    for r in range(fleet.role.size):
        while fleet.outgoing[r, 0] != NOBODY and progress.ready[fleet.outgoing[r, 0]] == now:
            _handed_over(load, progress, fleet, prefixes, rules, r)
    while _comes(load, rules, counts) and load.arrival[counts[0]] <= now:
        if answers.sent.size > 0:
            answers.sent[counts[0]] = now
        counts[2] += _arrive(load, answers, progress, fleet, prefixes, rules, counts[0])
        counts[0] += 1


@lean
def advance(
    load,
    answers,
    progress,
    fleet,
    prefixes,
    tables,
    decoders,
    drafts,
    rules,
    clock,
    counts,
    sums,
    cost,
    until,
):
    """Run the service on to `until` (s), or until everything is answered.

    load, answers, progress, fleet, prefixes, rules : as their classes say.  tables, decoders : step
    costs of replicas, and of those that decode only; drafts : of the model that guesses ahead.
    clock : float64 (1,), s, the time; counts : int64 (3,), requests that arrived, were answered,
    were refused; sums : float64 (4,), added to; all written.  cost : float64 (4, COLUMNS), room
    for the costs of a step.
    """
    while True:
        now = _next(load, progress, fleet, rules, counts)
        stop = min(now, until)
        if np.isfinite(stop):
            _pass(fleet, prefixes, rules, stop - clock[0], sums)
            clock[0] = stop
        if now > until or not np.isfinite(now):
            return
        _happen(load, answers, progress, fleet, prefixes, rules, clock, counts)
        for r in range(fleet.role.size):
            if not np.isfinite(fleet.end[r]) and (fleet.count[r] > 0 or fleet.waiting[r] > 0):
                own = decoders if fleet.role[r] == DECODES else tables
                _start(load, answers, progress, fleet, prefixes, own, drafts, rules, r, now, cost)
