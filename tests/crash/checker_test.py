"""The checker on hand-written histories: it passes the good ones, and finds the one thing wrong in each bad one."""

import unittest

from checker import FENCE, HOLD, RERUN, Attempt, History, Mark, violations


def begin(task, attempt, time):
    return Mark("begin", task, attempt, time)


def end(task, attempt, time, code=0):
    return Mark("end", task, attempt, time, code)


def one_task(mode=RERUN, code=0, marks=(), state="SUCCEEDED", attempts=(Attempt(1, "EXITED"),), hurt=True):
    """A history of one acknowledged task, whole."""
    history = History(workers_were_hurt=hurt)
    history.asked("r", mode, [code])
    history.acknowledged("r", ["1"])
    for mark in marks:
        history.ran(mark)
    history.ended("1", state, attempts)
    return history


ONCE = (begin("1", 1, 10), end("1", 1, 11))
RERUN_ONCE = (Attempt(1, "LOST"), Attempt(2, "EXITED"))


class Checker(unittest.TestCase):
    def passes(self, history):
        self.assertEqual(violations(history), [])

    def finds(self, history, *words):
        found = violations(history)
        self.assertTrue(found, "nothing was found")
        for word in words:
            self.assertTrue(any(word in line for line in found), f"{word!r} is not in {found}")

    # --- Good histories

    def test_a_quiet_history_is_good(self):
        self.passes(one_task(marks=ONCE, hurt=False))
        self.passes(one_task(code=3, marks=(begin("1", 1, 1), end("1", 1, 2, 3)), state="FAILED"))

    def test_a_lost_attempt_that_ran_again_is_good_under_rerun_also_when_both_copies_ran(self):
        both = (begin("1", 1, 10), begin("1", 2, 11), Mark("overlap", "1", 2, 11), end("1", 2, 12), end("1", 1, 13))
        self.passes(one_task(marks=both, attempts=RERUN_ONCE))

    def test_a_fenced_copy_that_was_killed_before_the_next_began_is_good(self):
        self.passes(one_task(FENCE, marks=(begin("1", 1, 10), begin("1", 2, 11), end("1", 2, 12)), attempts=RERUN_ONCE))

    def test_a_held_task_may_be_lost_and_one_that_never_began_runs_again(self):
        self.passes(one_task(HOLD, marks=(begin("1", 1, 10),), state="LOST", attempts=(Attempt(1, "LOST"),)))
        self.passes(one_task(HOLD, marks=(begin("1", 2, 10), end("1", 2, 11)), attempts=RERUN_ONCE))

    def test_a_repeated_request_that_is_answered_alike_is_good(self):
        history = one_task(marks=ONCE)
        history.acknowledged("r", ["1"])
        self.passes(history)

    def test_states_may_step_back_while_a_task_is_open(self):
        history = one_task(marks=ONCE)
        for state in ("RUNNING", "DISPATCHED", "RUNNING", "SUCCEEDED", "SUCCEEDED"):
            history.seen("1", state)
        self.passes(history)

    # --- Bad ones

    def test_an_acknowledged_task_that_is_gone_is_found(self):
        history = one_task(marks=ONCE)
        history.ends.clear()
        self.finds(history, "does not exist")

    def test_a_task_without_an_end_or_with_two_is_found(self):
        self.finds(one_task(state="QUEUED", attempts=()), "is still QUEUED")
        twice = one_task(marks=ONCE)
        twice.ended("1", "FAILED", [Attempt(1, "EXITED")])
        self.finds(twice, "2 outcomes")

    def test_a_terminal_state_that_changed_is_found(self):
        history = one_task(HOLD, marks=ONCE)
        history.seen("1", "LOST")
        history.seen("1", "RUNNING")
        self.finds(history, "from LOST to RUNNING")
        late = one_task(HOLD, marks=ONCE)
        late.seen("1", "LOST")
        self.finds(late, "from LOST to SUCCEEDED")

    def test_a_request_that_made_two_tasks_is_found(self):
        history = one_task(marks=ONCE)
        history.acknowledged("r", ["2"])
        self.finds(history, "and later with ['2']")

    def test_an_answer_with_too_few_tasks_is_found(self):
        history = History()
        history.asked("r", RERUN, [0, 0])
        history.acknowledged("r", ["1"])
        self.finds(history, "asked for 2 tasks")

    def test_two_requests_with_the_same_task_are_found(self):
        history = one_task(marks=ONCE)
        history.asked("other", RERUN, [0])
        history.acknowledged("other", ["1"])
        self.finds(history, "the answer to r and to other")

    def test_a_task_that_nobody_was_told_of_is_found_once_all_calls_are_answered(self):
        history = one_task(marks=ONCE)
        history.ended("2", "SUCCEEDED", [Attempt(1, "EXITED")])
        self.finds(history, "no call was answered with it")
        history.asked("unanswered", RERUN, [0])
        self.passes(history)

    def test_a_held_task_that_ran_twice_is_found(self):
        marks = (begin("1", 1, 10), begin("1", 2, 11), end("1", 2, 12))
        self.finds(one_task(HOLD, marks=marks, attempts=RERUN_ONCE), "began 2 times")

    def test_fenced_copies_that_overlap_are_found_by_their_times_and_by_what_they_saw(self):
        crossing = (begin("1", 1, 10), begin("1", 2, 11), end("1", 1, 12), end("1", 2, 13))
        self.finds(one_task(FENCE, marks=crossing, attempts=RERUN_ONCE), "had not ended when attempt 2 began")
        killed = (begin("1", 1, 10), begin("1", 2, 11), Mark("overlap", "1", 2, 11), end("1", 2, 13))
        self.finds(one_task(FENCE, marks=killed, attempts=RERUN_ONCE), "another copy was alive")

    def test_an_attempt_number_that_was_used_twice_is_found(self):
        twice = (begin("1", 1, 10), begin("1", 1, 12), end("1", 1, 13))
        self.finds(one_task(marks=twice), "attempt 1 began 2 times")
        self.finds(one_task(marks=ONCE, attempts=(Attempt(1, "LOST"), Attempt(1, "EXITED"))), "attempts [1, 1]")

    def test_an_attempt_that_ran_before_it_was_durable_is_found(self):
        unknown = (begin("1", 1, 10), begin("1", 2, 11), end("1", 1, 12))
        self.finds(one_task(marks=unknown), "attempt 2 ran, and the store has only [1]")

    def test_attempts_that_began_out_of_order_are_found_where_only_one_may_run(self):
        marks = (begin("1", 2, 10), end("1", 2, 11), begin("1", 1, 12))
        self.finds(one_task(FENCE, marks=marks, attempts=RERUN_ONCE), "in the order [2, 1]")
        self.passes(one_task(RERUN, marks=marks, attempts=RERUN_ONCE))

    def test_a_success_without_a_complete_mark_is_found(self):
        self.finds(one_task(), "left no mark")
        self.finds(one_task(marks=(begin("1", 1, 10),)), "is SUCCEEDED by attempt 1")
        self.finds(one_task(marks=ONCE, attempts=RERUN_ONCE), "is SUCCEEDED by attempt 2")

    def test_a_failure_that_did_not_happen_is_found(self):
        self.finds(one_task(code=3, marks=ONCE, state="FAILED"), "is FAILED by attempt 1")

    def test_a_task_that_ended_otherwise_than_its_command_is_found(self):
        self.finds(one_task(marks=(begin("1", 1, 1),), state="LOST", attempts=(Attempt(1, "LOST"),)), "is LOST, not SUCCEEDED")
        self.finds(one_task(HOLD, marks=(begin("1", 1, 1),), state="LOST", attempts=(Attempt(1, "LOST"),), hurt=False),
                   "is LOST, not SUCCEEDED")

    def test_a_rerun_without_a_cause_is_found(self):
        marks = (begin("1", 1, 10), begin("1", 2, 11), end("1", 2, 12))
        self.finds(one_task(marks=marks, attempts=RERUN_ONCE, hurt=False), "was given up (LOST), and no worker was hurt")
        failed = (begin("1", 1, 10), end("1", 1, 11, 3), begin("1", 2, 12), end("1", 2, 13, 3))
        self.passes(one_task(code=3, marks=failed, state="FAILED", attempts=(Attempt(1, "EXITED"), Attempt(2, "EXITED")),
                             hurt=False))

    def test_an_attempt_that_was_called_never_started_and_had_begun_is_found(self):
        marks = (begin("1", 1, 10), begin("1", 2, 11), end("1", 2, 12))
        self.finds(one_task(marks=marks, attempts=(Attempt(1, "REJECTED"), Attempt(2, "EXITED"))), "ended REJECTED")


if __name__ == "__main__":
    unittest.main()
