"""Judges a history of a cluster under accidents: what was asked for, what was acknowledged, what was seen, what ran.

    history = History()
    history.asked("r-1", mode=HOLD, codes=[0, 3])
    history.acknowledged("r-1", ["7", "8"])
    history.seen("7", "RUNNING")
    history.ran(Mark("begin", "7", 1, time=10.0))
    history.ended("7", "SUCCEEDED", attempts=[Attempt(1, "EXITED")])
    for line in violations(history): ...

Pure: it reads no clock, file or process. Each rule is a function of the history that yields what breaks it, in words.
What really ran comes from marks that the commands leave outside the cluster; a mark is written at once, by one write.
"""

import collections
import dataclasses

RERUN, FENCE, HOLD = "RERUN", "RERUN_AFTER_FENCE", "HOLD"
TERMINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "LOST", "POISONED"})
# Ends of an attempt that say that its command never began.
NEVER_BEGAN = frozenset({"REJECTED", "START_FAILED"})


@dataclasses.dataclass(frozen=True)
class Mark:
    """`begin`; `overlap`: another copy was alive when this one began; `end`: with the code that it exited with."""
    kind: str
    task: str
    attempt: int
    time: float
    code: int = 0


@dataclasses.dataclass(frozen=True)
class Attempt:
    """As the store tells it. `reason` is empty while it has no end."""
    number: int
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Call:
    """One submit: as many tasks as `codes`, each of which exits with its code when it is let run."""
    mode: str
    codes: tuple


@dataclasses.dataclass(frozen=True)
class End:
    state: str
    attempts: tuple


class History:
    """`workers_were_hurt`: false when nothing was done to any worker, so that nothing may be lost or run again."""

    def __init__(self, workers_were_hurt=True):
        self.workers_were_hurt = workers_were_hurt
        self.calls = {}                                   # request -> Call
        self.answers = collections.defaultdict(list)      # request -> lists of ids, one for each answer
        self.states = collections.defaultdict(list)       # task -> states in the order seen, repeats left out
        self.marks = collections.defaultdict(list)        # task -> marks in the order written
        self.ends = collections.defaultdict(list)         # task -> rows found in the end

    def asked(self, request, mode, codes):
        self.calls[request] = Call(mode, tuple(codes))

    def acknowledged(self, request, ids):
        self.answers[request].append(list(ids))

    def seen(self, task, state):
        if self.states[task][-1:] != [state]:
            self.states[task].append(state)

    def ran(self, mark):
        self.marks[mark.task].append(mark)

    def ended(self, task, state, attempts):
        self.ends[task].append(End(state, tuple(attempts)))

    def promised(self):
        """Every acknowledged task with its call and the code that it exits with."""
        for request, answers in self.answers.items():
            call = self.calls[request]
            for task, code in zip(answers[0], call.codes):
                yield task, call, code


def violations(history):
    """All that breaks a promise, one line each."""
    return [f"{rule.__name__.replace('_', ' ')}: {line}" for rule in RULES for line in rule(history)]


def begins(history, task):
    return [mark for mark in history.marks.get(task, []) if mark.kind == "begin"]


# --- Rules

def every_acknowledged_task_has_one_outcome(history):
    for task, _, _ in history.promised():
        rows = history.ends.get(task, [])
        if not rows:
            yield f"task {task} was acknowledged and does not exist"
        elif len(rows) > 1:
            yield f"task {task} has {len(rows)} outcomes: {', '.join(row.state for row in rows)}"
        elif rows[0].state not in TERMINAL:
            yield f"task {task} is still {rows[0].state}"


def a_terminal_state_never_changes(history):
    for task, states in history.states.items():
        final = [end.state for end in history.ends.get(task, [])[:1]]
        whole = states + [state for state in final if states[-1:] != [state]]
        for place, state in enumerate(whole[:-1]):
            if state in TERMINAL:
                yield f"task {task} went on from {state} to {whole[place + 1]}"
                break


def a_request_is_answered_with_the_same_tasks(history):
    owner = {}
    for request, answers in history.answers.items():
        wanted = len(history.calls[request].codes)
        for ids in answers:
            if len(ids) != wanted or len(set(ids)) != wanted:
                yield f"request {request} asked for {wanted} tasks and was answered with {ids}"
            if ids != answers[0]:
                yield f"request {request} was answered with {answers[0]}, and later with {ids}"
        for task in answers[0]:
            if owner.setdefault(task, request) != request:
                yield f"task {task} was the answer to {owner[task]} and to {request}"


def no_task_is_nobodys(history):
    """Once every call has its answer, whatever else is there was made by a call that was carried out twice."""
    if any(request not in history.answers for request in history.calls):
        return
    known = {task for task, _, _ in history.promised()}
    for task in history.ends:
        if task not in known:
            yield f"task {task} exists, and no call was answered with it"


def a_held_task_begins_at_most_once(history):
    for task, call, _ in history.promised():
        found = begins(history, task)
        if call.mode == HOLD and len(found) > 1:
            yield f"task {task} began {len(found)} times: attempts {[mark.attempt for mark in found]}"


def fenced_copies_never_overlap(history):
    for task, call, _ in history.promised():
        if call.mode != FENCE:
            continue
        for mark in history.marks.get(task, []):
            if mark.kind == "overlap":
                yield f"task {task}: another copy was alive when attempt {mark.attempt} began"
        yield from _crossing(task, history.marks.get(task, []))


def _crossing(task, marks):
    ends = {mark.attempt: mark.time for mark in marks if mark.kind == "end"}
    runs = sorted((mark.time, mark.attempt) for mark in marks if mark.kind == "begin")
    for (_, earlier), (time, later) in zip(runs, runs[1:]):
        if ends.get(earlier, float("-inf")) > time:
            yield f"task {task}: attempt {earlier} had not ended when attempt {later} began"


def attempt_numbers_rise(history):
    """Strictly in the store; no number begins twice; no command runs under a number that the store does not know; and
    but for RERUN, where an old copy may be slow, the numbers also begin in their order."""
    for task, call, _ in history.promised():
        stored = [attempt.number for end in history.ends.get(task, [])[:1] for attempt in end.attempts]
        ran = [mark.attempt for mark in begins(history, task)]
        if any(later <= earlier for earlier, later in zip(stored, stored[1:])):
            yield f"task {task}: the store has attempts {stored}"
        for number, times in collections.Counter(ran).items():
            if times > 1:
                yield f"task {task}: attempt {number} began {times} times"
            if task in history.ends and number not in stored:
                yield f"task {task}: attempt {number} ran, and the store has only {stored}"
        if call.mode != RERUN and ran != sorted(ran):
            yield f"task {task}: attempts began in the order {ran}"


def a_success_has_a_complete_mark(history):
    yield from _reported_exits_happened(history, "SUCCEEDED", lambda code: code == 0)


def a_failure_has_a_complete_mark(history):
    yield from _reported_exits_happened(history, "FAILED", lambda code: code != 0, reasons={"EXITED"})


def _reported_exits_happened(history, state, fits, reasons=frozenset()):
    for task, _, code in history.promised():
        for end in history.ends.get(task, [])[:1]:
            if end.state != state or not end.attempts or (reasons and end.attempts[-1].reason not in reasons):
                continue
            last = end.attempts[-1].number
            kinds = {mark.kind: mark.code for mark in history.marks.get(task, []) if mark.attempt == last}
            if not fits(code) or "begin" not in kinds or kinds.get("end") != code:
                yield f"task {task} is {state} by attempt {last}, which left {kinds or 'no mark'} and should exit with {code}"


def a_task_ends_as_its_command_does(history):
    """Accidents cost attempts, not outcomes: only HOLD may end LOST, and only when a worker was hurt."""
    for task, call, code in history.promised():
        expected = {"SUCCEEDED" if code == 0 else "FAILED"}
        if call.mode == HOLD and history.workers_were_hurt:
            expected.add("LOST")
        for end in history.ends.get(task, [])[:1]:
            if end.state in TERMINAL and end.state not in expected:
                yield f"task {task} ({call.mode}) is {end.state}, not {' or '.join(sorted(expected))}"


def nothing_runs_again_without_a_cause(history):
    """While no worker is hurt, an attempt that began is followed by another only because its command failed."""
    if history.workers_were_hurt:
        return
    for task, _, _ in history.promised():
        ran = {mark.attempt for mark in begins(history, task)}
        for end in history.ends.get(task, [])[:1]:
            for attempt in end.attempts[:-1]:
                if attempt.number in ran and attempt.reason != "EXITED":
                    yield f"task {task}: attempt {attempt.number} had begun, was given up ({attempt.reason}), and no worker was hurt"


def what_never_began_left_no_mark(history):
    for task, _, _ in history.promised():
        ran = {mark.attempt for mark in begins(history, task)}
        for end in history.ends.get(task, [])[:1]:
            for attempt in end.attempts:
                if attempt.reason in NEVER_BEGAN and attempt.number in ran:
                    yield f"task {task}: attempt {attempt.number} ended {attempt.reason}, and had begun"


RULES = (every_acknowledged_task_has_one_outcome, a_terminal_state_never_changes,
         a_request_is_answered_with_the_same_tasks, no_task_is_nobodys, a_held_task_begins_at_most_once,
         fenced_copies_never_overlap, attempt_numbers_rise, a_success_has_a_complete_mark,
         a_failure_has_a_complete_mark, a_task_ends_as_its_command_does, nothing_runs_again_without_a_cause,
         what_never_began_left_no_mark)
