"""The event loop of a service in plain Python, with objects, lists and an ordered dictionary for
each prefix cache: what `pimlab.kernels.serving` must equal.
"""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from pimlab.kernels.serving_state import (
    DECODES,
    ENERGY,
    LEAST_WORK,
    PAGES,
    PREFIX_AWARE,
    PROMPTS,
    QUEUED,
    ROUND_ROBIN,
    RUNNING,
)
from pimlab.reference import philox
from pimlab.reference.step_times import across, along

COLUMNS = 5


class _Request:
    """One request: its numbers, and what has become of it."""

    def __init__(self, i, load):
        self.number, self.arrival = i, float(load.arrival[i])
        self.prompt, self.output = int(load.prompt[i]), int(load.output[i])
        self.blocks = [int(b) for b in load.blocks[load.first[i] : load.first[i + 1]]]
        self.computed = self.generated = self.granted = self.pages = self.preempted = self.moved = 0
        self.rounds = 0
        self.held: list[int] = []
        self.cache, self.ready, self.replica, self.reused = "here", np.nan, -1, 0
        self.begun = self.token = self.finish = self.sent = np.nan
        self.spent = np.zeros(COLUMNS)

    @property
    def need(self):
        """Tokens that its cache holds before it gives the next."""
        return self.prompt + self.generated

    @property
    def decodes(self):
        """Whether all but the last token that it gave are in its cache."""
        return self.need - self.computed == 1 and self.generated > 0


class _Replica:
    """One replica: its queue, its batch, its pages, and blocks in the order of their last use."""

    def __init__(self, number, fleet, tables, drafts, rules):
        self.number, self.role = number, int(fleet.role[number])
        self.pages = self.free = int(fleet.pages[number])
        self.tables, self.drafts, self.rules = tables, drafts, rules
        self.queue, self.running, self.outgoing = [], [], []
        self.users: OrderedDict[int, int] = OrderedDict()
        self.work, self.end, self.link, self.watts = 0, np.inf, 0.0, 0.0

    @property
    def block(self):
        """Pages of a block."""
        return self.rules.each

    @property
    def unused(self):
        """Blocks that nobody uses, the one unused for longest first."""
        return [b for b, users in self.users.items() if users == 0]

    def matched(self, one):
        """The blocks of its prompt that are here, from its start."""
        most = (one.prompt - 1) // self.rules.block if self.rules.prefix else 0
        found = []
        for b in one.blocks[:most]:
            if b not in self.users:
                break
            found.append(b)
        return found

    def use(self, blocks):
        """One more user of each."""
        for b in blocks:
            self.users[b] = self.users.get(b, 0) + 1

    def hold(self, one, tokens):
        """Whether it has pages for so many tokens."""
        need = -(-tokens // self.rules.page) - len(one.held) * self.block - one.pages
        if need > self.free + len(self.unused) * self.block:
            return False
        if need > 0:
            while self.free < need:
                del self.users[self.unused[0]]
                self.free += self.block
            self.free -= need
            one.pages += need
        return True

    def release(self, one):
        """Give back its pages; the last block of a prompt goes first."""
        self.free += one.pages
        one.pages = 0
        for b in reversed(one.held):
            self.users[b] -= 1
            if self.users[b] == 0:
                self.users.move_to_end(b)
        one.held = []

    def publish(self, one):
        """Whole blocks of its prompt become blocks that others may use."""
        for b in one.blocks[len(one.held) :]:
            if b in self.users:
                self.free += self.block
            self.use([b])
            one.pages -= self.block
            one.held.append(b)

    def preempt(self):
        """The last that runs goes back to the front of the queue; seconds of moving its cache."""
        one = self.running.pop()
        self.release(one)
        one.preempted += 1
        one.granted = 0
        self.queue.insert(0, one)
        if self.rules.swap >= 0:
            one.cache = "swapped"
            one.moved += one.computed
            return self.rules.swap * one.computed
        one.computed = 0
        return 0.0

    def grant(self):
        """(tokens left, seconds of moving, whether anyone was preempted)."""
        left, moving, short = self.rules.tokens, 0.0, False
        for one in list(self.running):
            ahead = self.rules.ahead if one.decodes else 0
            new = min(one.need + ahead - one.computed, left)
            while one in self.running and not self.hold(one, one.computed + new):
                moving += self.preempt()
                short = True
            if one in self.running:
                one.granted = new
                left -= new
        return left, moving, short

    def admit(self, left, now):
        """(seconds of moving, prompt tokens granted)."""
        moving, prompts = 0.0, 0
        while self.queue and len(self.running) < self.rules.batch and left > 0:
            one = self.queue[0]
            found = self.matched(one) if one.cache == "here" else []
            computed = one.computed + len(found) * self.rules.block
            need = one.need + (self.rules.ahead if one.decodes else 0)
            new = need - computed
            new = min(new, left) if self.rules.mixed and not one.decodes else new
            others = len([b for b in self.unused if b not in found])
            pages = -(-need // self.rules.page) - len(found) * self.block
            too_long = new > left and (prompts > 0 or self.rules.mixed)
            if pages > self.free + others * self.block or too_long:
                break
            self.running.append(self.queue.pop(0))
            self.use(found)
            one.held, one.computed, one.granted = list(found), computed, new
            self.hold(one, computed + new)
            left -= new
            if one.cache == "swapped":
                moving += self.rules.swap * computed
                one.moved += computed
            elif one.cache == "here":
                prompts += new
            one.cache = "here"
            if np.isnan(one.begun):
                one.begun, one.reused = now, len(found) * self.rules.block
        return moving, prompts

    def schedule(self, now):
        """Grant the tokens of the next step; seconds of moving caches."""
        if self.rules.mixed:
            left, moving, short = self.grant()
            return moving if short else moving + self.admit(left, now)[0]
        moving, prompts = self.admit(self.rules.tokens, now)
        return moving if prompts > 0 else moving + self.grant()[1]

    def charge(self, moving):
        """The cost of the step that was granted, dealt out; None for a step without tokens."""
        t, granted = self.tables, [one for one in self.running if one.granted > 0]
        if not granted:
            return None
        decoding, total = [one for one in granted if one.decodes], np.zeros(COLUMNS)
        tokens, contexts = sum(one.granted for one in granted), 0
        for one in granted:
            if not one.decodes:
                part = np.empty(COLUMNS)
                across(t.queries, t.behind, t.prompt, one.granted, one.computed + one.granted, part)
                total += part
                one.spent += part
        rest, looks = np.empty(COLUMNS), np.zeros(COLUMNS)
        along(t.tokens, t.rest, tokens, rest)
        rest[0] += moving
        if decoding:
            contexts = sum(one.computed + one.granted for one in decoding)
            mean = contexts / len(decoding)
            across(t.batch, t.context, t.decode, len(decoding), mean, looks)
        for one in granted:
            seen = one.computed + one.granted if one.decodes else 0
            one.spent += one.granted * (rest / tokens) + seen * (looks / max(contexts, 1))
        return total + (rest + looks)

    def charge_draft(self, total):
        """`total` with what the draft does, dealt out as well."""
        t, granted = self.drafts, [one for one in self.running if one.granted > 0]
        decoding = [one for one in granted if one.decodes]
        reading = [one for one in granted if not one.decodes]
        rest, looks, part = np.zeros(COLUMNS), np.zeros(COLUMNS), np.empty(COLUMNS)
        for one in reading:
            across(t.queries, t.behind, t.prompt, one.granted, one.computed + one.granted, part)
            total = total + part
            one.spent += part
        prompts, ahead = sum(one.granted for one in reading), self.rules.ahead
        if reading:
            along(t.tokens, t.rest, prompts, rest)
        if decoding:
            mean = sum(one.computed for one in decoding) / len(decoding) + (ahead + 1) / 2
            along(t.tokens, t.rest, len(decoding), part)
            across(t.batch, t.context, t.decode, len(decoding), mean, looks)
            looks = ahead * (looks + part)
        for one in granted:
            mine = looks / len(decoding) if one.decodes else one.granted * (rest / prompts)
            one.spent += mine
        return total + (rest + looks)

    def accepted(self, one):
        """How many guesses hold: as many as powers of the acceptance lie above one number."""
        counter = [one.generated, one.number % 2**32, 0, one.number >> 32]
        words = philox.block(np.array(counter), *self.rules.key).astype(np.int64)
        drawn = ((words[0] >> 5) * 2**26 + (words[1] >> 6)) * 2.0**-53
        powers = np.cumprod([self.rules.acceptance] * self.rules.ahead)
        return int((drawn < powers).sum())

    def start(self, now):
        """Begin a step, if anyone can take part."""
        total = self.charge(self.schedule(now))
        if total is not None:
            total = self.charge_draft(total) if self.rules.ahead else total
            self.end = now + total[0]
            self.watts = total[1] / total[0] if total[0] > 0 else 0.0

    def finish_step(self, now):
        """The requests that are done with this step."""
        running, done = self.running, []
        self.running, self.end, self.watts = [], np.inf, 0.0
        for one in running:
            new, given, one.granted = one.granted, 1, 0
            if new > 0 and self.rules.ahead and one.decodes:
                given = new = min(1 + self.accepted(one), one.output - one.generated)
                one.rounds += 1
            one.computed += new
            stays = True
            if new > 0 and one.computed == one.need + given - 1:
                stays = self.answer(one, given, now)
                done += [] if np.isnan(one.finish) else [one]
            if stays:
                self.running.append(one)
        return done

    def answer(self, one, given, now):
        """It gives tokens; whether it goes on here."""
        if self.rules.prefix:
            self.publish(one)
        one.generated += given
        one.token = now if one.generated == 1 else one.token
        if one.generated == one.output:
            one.finish = now
            self.work -= one.prompt
            self.release(one)
            return False
        if self.role == PROMPTS:
            self.link = max(now, self.link) + (self.rules.delay + self.rules.send * one.prompt)
            one.ready = self.link
            self.outgoing.append(one)
            return False
        return True


def _chosen(replicas, rules, turn, one, other):
    """The replica that a request goes to, of those that do not have the role `other`."""
    pool = 0 if other == DECODES else 1
    allowed = [r for r in replicas if r.role != other]
    if rules.router == ROUND_ROBIN:
        order = [r for r in replicas[turn[pool] :] + replicas[: turn[pool]] if r.role != other]
        turn[pool] = (order[0].number + 1) % len(replicas)
        return order[0]
    assert rules.router in (LEAST_WORK, PREFIX_AWARE)
    saved = {r.number: len(r.matched(one)) * rules.block for r in allowed}
    aware = rules.router == PREFIX_AWARE
    return min(allowed, key=lambda r: r.work - (saved[r.number] if aware else 0))


def _comes(requests, rules, counts):
    """Whether another request may arrive: there is one, and a user who waits for no answer."""
    return counts[0] < min(len(requests), counts[1] + counts[2] + rules.users)


def _happen(now, requests, replicas, rules, turn, counts):
    """Ends of steps, caches that crossed a link, arrivals."""
    for replica in replicas:
        if replica.end == now:
            counts[1] += len(replica.finish_step(now))
    for replica in replicas:
        while replica.outgoing and replica.outgoing[0].ready == now:
            one = replica.outgoing.pop(0)
            replica.release(one)
            replica.work -= one.prompt
            to = _chosen(replicas, rules, turn, one, PROMPTS)
            one.cache = "sent"
            to.work += one.prompt
            to.queue.append(one)
    while _comes(requests, rules, counts) and requests[counts[0]].arrival <= now:
        one = requests[counts[0]]
        one.sent = now
        counts[0] += 1
        replica = _chosen(replicas, rules, turn, one, DECODES)
        if len(replica.queue) >= rules.queue:
            counts[2] += 1
        else:
            one.replica = replica.number
            replica.work += one.prompt
            replica.queue.append(one)


def _pass(replicas, seconds, sums):
    """What was there for so many seconds."""
    for replica in replicas:
        sums[QUEUED] += seconds * len(replica.queue)
        sums[RUNNING] += seconds * len(replica.running)
        sums[PAGES] += seconds * (
            replica.pages - replica.free - len(replica.unused) * replica.block
        )
        sums[ENERGY] += seconds * replica.watts


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
    """As `pimlab.kernels.serving.advance`, from the start to the end: `until` is infinite, and of
    the state `answers`, `clock`, `counts` and `sums` are written.
    """
    assert (counts[0], until) == (0, np.inf)
    requests = [_Request(i, load) for i in range(load.arrival.size)]
    replicas = [
        _Replica(r, fleet, decoders if fleet.role[r] == DECODES else tables, drafts, rules)
        for r in range(fleet.role.size)
    ]
    turn = [0, 0]
    while True:
        coming = [requests[counts[0]].arrival] if _comes(requests, rules, counts) else [np.inf]
        coming += [replica.end for replica in replicas]
        coming += [replica.outgoing[0].ready for replica in replicas if replica.outgoing]
        now = min(coming)
        if now == np.inf:
            break
        _pass(replicas, now - clock[0], sums)
        clock[0] = now
        _happen(now, requests, replicas, rules, turn, counts)
        for replica in replicas:
            if replica.end == np.inf and (replica.running or replica.queue):
                replica.start(now)
    for i, one in enumerate(requests):
        for name in answers._fields:
            if getattr(answers, name).size:
                getattr(answers, name)[i] = getattr(one, name)
