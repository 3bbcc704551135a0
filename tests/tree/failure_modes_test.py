"""The pages of docs/failure-modes against what is really there: a page that names a metric, a test, a key, a default, a
command or a refusal that does not exist is worse than none, for it is read in a hurry.

Each check takes a page's text and returns what is wrong with it; the last test shows each of them a falsehood.
"""

import functools
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/failure-modes"
SECTIONS = ["Symptom", "Cause", "What muster does", "What you can do", "The metric", "The test"]
LINES = range(40, 81)
FILES = {"store.mark"}  # they look like keys of the configuration
GRPC_CODES = {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}


@functools.cache
def sources(*folders):
    """All code of these folders as one text."""
    return "\n".join(path.read_text() for folder in folders for path in sorted((ROOT / folder).rglob("*"))
                     if path.suffix in (".cc", ".h", ".proto"))


def product():
    return sources("common", "master", "worker", "cli", "proto")


@functools.cache
def metrics():
    names = set(re.findall(r'"(muster_[a-z_]+)"', product()))
    for histogram in re.findall(r'AddHistogram\(\s*"(\w+)"', product()):
        names |= {histogram + suffix for suffix in ("_bucket", "_sum", "_count")}
    return names


@functools.cache
def defaults():
    """Key: its defaults, of either daemon."""
    found = {}
    for row in re.findall(r"^\| `([a-z_.]+)` \|[^|]*\|([^|]*)\|", (ROOT / "docs/configuration.md").read_text(), re.M):
        found.setdefault(row[0], set()).add(row[1].strip(" `"))
    return found


def section(text, name):
    return (text.split(f"\n## {name}\n", 1) + [""])[1].split("\n## ", 1)[0]


def code(text):
    """What is set as code: blocks, and words between backquotes."""
    blocks = re.findall(r"^```\w+\n(.*?)^```", text, re.M | re.S)
    prose = re.sub(r"^```\w+\n.*?^```", "", text, flags=re.M | re.S)
    return "\n".join(blocks + re.findall(r"`([^`]+)`", prose))


def promql(text):
    return "\n".join(re.findall(r"^```promql\n(.*?)^```", text, re.M | re.S))


# --- What may be wrong with a page

def wrong_shape(text):
    wrong = [] if re.findall(r"^## (.*)$", text, re.M) == SECTIONS else [f"its sections are not {SECTIONS}"]
    if len(text.splitlines()) not in LINES:
        wrong.append(f"it has {len(text.splitlines())} lines, not {LINES.start} to {LINES.stop - 1}")
    return wrong


def wrong_metrics(text):
    wrong = [f"no metric is named {name}" for name in re.findall(r"\bmuster_[a-z_]+", text) if name not in metrics()]
    if not re.search(r"\bmuster_[a-z_]+", promql(section(text, "The metric"))):
        wrong.append("it has no expression about a metric")
    for labels in re.findall(r"\bmuster_\w+\{([^}]*)\}", promql(text)):
        for value in re.findall(r'=~?"([^"]*)"', labels):
            wrong += [f"no label has the value {word}" for word in value.split("|") if f'"{word}"' not in product()]
    for line in promql(text).splitlines():
        expression = line.split("#")[0]
        wrong += [f"unbalanced: {expression.strip()}" for pair in ("()", "[]", "{}")
                  if expression.count(pair[0]) != expression.count(pair[1])]
    return wrong


def wrong_tests(text):
    named = re.findall(r"^- `([^`]+)` `([^`]+)`", section(text, "The test"), re.M)
    wrong = [] if named and len(named) == len(re.findall(r"^- ", section(text, "The test"), re.M)) else ["it names no test"]
    for path, case in named:
        if not (ROOT / path).is_file():
            wrong.append(f"there is no file {path}")
            continue
        suite, _, name = case.partition(".")
        pattern = rf"^TEST(_F|_P)?\(\s*{suite},\s*{name}\)" if name else rf"^    def {suite}\(self\)"
        if not re.search(pattern, (ROOT / path).read_text(), re.M):
            wrong.append(f"{path} has no test {case}")
    return wrong


def wrong_keys(text):
    groups = {key.split(".")[0] for key in defaults() if "." in key}
    words = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:=[^`]*)?`", text) + re.findall(r"--([a-z_]+(?:\.[a-z_]+)+)", text)
    wrong = [f"no key is named {word}" for word in words
             if word.split(".")[0] in groups and word not in defaults() and word not in FILES]
    for key, value in re.findall(r"`([a-z_.]+)` \(([^)\s]+)\)", text):
        if key in defaults() and value not in defaults()[key]:
            wrong.append(f"the default of {key} is {' or '.join(defaults()[key])}, not {value}")
    return wrong


def wrong_commands(text):
    verbs = re.findall(r'root\.Verb\("(\w+)"', sources("cli"))
    of_worker = re.findall(r'flags\.Verb\("(\w+)"', (ROOT / "cli/worker.cc").read_text())
    of_stores = re.findall(r'"(check|backup|restore|salvage)"', (ROOT / "master/app/store_commands.cc").read_text())
    wrong = [f"there is no `{program} {verb}`" for program, behind, there in [
                 ("muster", r"(?<![-\w/.])muster ", verbs), ("muster worker", r"\bmuster worker ", of_worker),
                 ("muster-master", r"^(?:\$ )?muster-master ", of_stores)]
             for verb in re.findall(behind + r"([a-z]+)", code(text), re.M) if verb not in there]
    return wrong + [f"there is no flag {flag}" for flag in re.findall(r"(?<!\w)(--[a-z-]+)(?![a-z.-])", code(text))
                    if not re.search(rf'[",]{flag}\b', sources("cli"))]


def wrong_words(text):
    return [f"nothing is called {word}" for word in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", text)
            if word not in GRPC_CODES and not re.search(rf"(?<![A-Z]){word}\b", product())]


def said_by_a_program(text):
    """Lines and words that a page shows as the programs' own: sentences in backquotes, and what stands in console blocks
    behind a program's name or a log's level."""
    prose = re.sub(r"^```\w+\n.*?^```", "", text, flags=re.M | re.S)
    spans = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", prose)]
    blocks = "".join(re.findall(r"^```console\n(.*?)^```", text, re.M | re.S))
    lines = re.findall(r"(?:^|\s)muster(?:-master|-worker)?: (?:error: )?(.*)", blocks)
    reasons = re.findall(r"^Reason: +(.*)", blocks, re.M)
    return [words for words in spans + lines + reasons if len(words.split()) >= 4 and not re.match(r"(muster|curl|-)", words)]


def wrong_texts(text):
    """A sentence with figures and names in it cannot be found whole; most of its words can, by pairs."""
    source = re.sub(r'"\s*\n\s*"', "", product())
    wrong = []
    for said in said_by_a_program(text):
        words = [word for word in said.split() if not re.search(r"[=/\d]|^\W+$", word)]
        pairs = [" ".join(pair) in source for pair in zip(words, words[1:])]
        if sum(pairs) < len(pairs) / 2:
            wrong.append(f"no program says: {said}")
    return wrong


def wrong_links(text):
    return [f"a link leads nowhere: {target}" for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
            if not (PAGES / target).exists()]


CHECKS = [wrong_shape, wrong_metrics, wrong_tests, wrong_keys, wrong_commands, wrong_words, wrong_texts, wrong_links]


def pages():
    return sorted(path for path in PAGES.glob("*.md") if path.name != "README.md")


class FailureModes(unittest.TestCase):
    maxDiff = None

    def test_every_page_says_only_what_is_there(self):
        self.assertGreaterEqual(len(pages()), 12)
        self.assertEqual([f"{page.name}: {wrong}" for page in pages() for check in CHECKS
                          for wrong in check(page.read_text())], [])

    def test_the_index_lists_every_page_and_its_links_lead_somewhere(self):
        index = (PAGES / "README.md").read_text()
        rows = re.findall(r"^\|.*\]\((.*)\) \|$", index, re.M)
        self.assertEqual(sorted(rows), [page.name for page in pages()])
        self.assertEqual(wrong_links(index) + wrong_commands(index) + wrong_words(index) + wrong_keys(index), [])

    def test_each_kind_of_falsehood_is_found(self):
        queue, blindness = ((PAGES / f"{name}.md").read_text() for name in ("queue-explosion", "feedback-blindness"))
        for true, false, check in [
                ("## Cause", "## Reason", wrong_shape),
                ("## Cause\n", "## Cause\n" + 80 * "\n", wrong_shape),
                ("muster_queue_delay_seconds", "muster_queue_wait_seconds", wrong_metrics),
                ("muster_queue_delay_seconds", "muster_queue_delay_seconds_bucket", wrong_metrics),
                ('"QUEUE_FULL|', '"QUEUE_IS_FULL|', wrong_metrics),
                ("[30m])", "[30m]", wrong_metrics),
                ("e2e/overload_test.py", "e2e/overloaded_test.py", wrong_tests),
                ("test_ten_times", "test_twenty_times", wrong_tests),
                ("Accidents.AFullQueue", "Accidents.AnEmptyQueue", wrong_tests),
                ("`queue.delay_target`", "`queue.delay`", wrong_keys),
                ("(1000000)", "(100000)", wrong_keys),
                ("`muster log ", "`muster divine ", wrong_commands),
                ("--queue-timeout", "--queue-limit", wrong_commands),
                ("MASTER_BUSY", "MASTER_TIRED", wrong_words),
                ("`muster version`", "`muster worker empty`", wrong_commands),
                ("the loop has not turned for", "the loop sleeps since", wrong_texts),
                ("(worker-cut-off.md)", "(worker-cut.md)", wrong_links)]:
            page = queue if true in queue else blindness
            self.assertIn(true, page)
            self.assertEqual(check(page), [], "before")
            self.assertNotEqual(check(page.replace(true, false)), [], f"{false} for {true}")


if __name__ == "__main__":
    unittest.main(verbosity=2)
