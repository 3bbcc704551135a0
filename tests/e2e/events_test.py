"""Events with the real binaries: by the CLI, by gRPC and by HTTP, each starts what waits for it once, over kill -9 of the
master too; and what is wrong is refused in one line."""

import http.client
import json
import socket
import subprocess
import unittest

from cluster import BIN, Cluster, eventually

FLOW = """
parameters:
  branch: {default: main}
  build: {}
tasks:
  test: {run: 'printf "%%s|" "$MUSTER_EVENT" {{ branch }} {{ build }} >> %(ledger)s'}
  ship: {run: echo >> %(ledger)s, needs: test}
"""


class Events(unittest.TestCase):
    def post(self, cluster, path, body, kind="application/json", method="POST", headers=()):
        host, port = cluster.master.addresses["http"].rsplit(":", 1)
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        if isinstance(body, dict):
            body = json.dumps(body)
        connection.request(method, path, body, {"Content-Type": kind, **dict(headers)} if kind else dict(headers))
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, (json.loads(text) if answer.status == 200 else text)

    def add(self, cluster, name="show", event="push"):
        cluster.ok("schedule", "add", name, f"on {event}", "--", "sh", "-c", 'echo "$@" $MUSTER_EVENT $MUSTER_EVENT_ID', "sh", "{{ branch }}")

    def test_one_event_by_each_way_and_again(self):
        with Cluster(workers=1, slots=2) as cluster:
            self.add(cluster)
            sent = cluster.muster("event", "send", "push", "--id", "7", "--set", "branch=a b; $(id)", text=True)
            self.assertEqual((sent.returncode, sent.stderr), (0, ""))
            task = sent.stdout.strip()
            cluster.await_state(task, "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", task), "a b; $(id) push 7\n")

            again = cluster.muster("event", "send", "push", "--id", "7", "--set", "branch=other", text=True)
            self.assertEqual((again.stdout.strip(), again.stderr), (task, "muster: schedule show: repeated\n"))
            status, answer = self.post(cluster, "/v1/events/push", {"id": "7", "parameters": {"branch": "x"}})
            self.assertEqual((status, answer["id"], answer["runs"][0]["task_id"], answer["runs"][0]["result"]),
                             (200, "7", task, "EVENT_RUN_RESULT_REPEATED"))

            status, answer = self.post(cluster, "/v1/events/push", {"parameters": {"branch": 12, "more": [1]}}, "application/json; charset=utf-8")
            self.assertEqual((status, answer["runs"][0]["result"]), (200, "EVENT_RUN_RESULT_STARTED"))
            cluster.await_state(answer["runs"][0]["task_id"], "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", answer["runs"][0]["task_id"]), f"12 push {answer['id']}\n")

            body = {"event": "push", "id": "8", "parameters": {"branch": "grpc"}}
            called = subprocess.run([BIN / "reflect", "-plaintext", "-d", json.dumps(body), cluster.address,
                                     "muster.v1.ScheduleService/SendEvent"], capture_output=True, text=True, timeout=30)
            self.assertEqual(called.returncode, 0, called.stderr)
            run = json.loads(called.stdout)["runs"][0]
            cluster.await_state(run["task_id"], "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", run["task_id"]), "grpc push 8\n")

            file = cluster.directory / "push.json"
            file.write_text('{"id": "9", "parameters": {"branch": "file"}}')
            task = cluster.ok("event", "send", "push", "--data", str(file)).strip()
            cluster.await_state(task, "SUCCEEDED")
            self.assertEqual(cluster.ok("logs", task), "file push 9\n")
            self.assertRegex(cluster.ok("schedule", "ls"), rf"(?m)^show +on push +- +ACTIVE +- +SUCCEEDED +.* {task}$")
            self.assertRegex(cluster.ok("schedule", "get", "show"), rf"SUCCEEDED  {task}  .*event 9")
            self.assertIn("started by event push", cluster.ok("log"))

    def test_a_workflow_takes_what_it_declares_and_each_schedule_its_own(self):
        with Cluster(workers=1, slots=2) as cluster:
            ledger = cluster.directory / "ledger"
            file = cluster.directory / "deploy.yaml"
            file.write_text(FLOW % {"ledger": ledger})
            cluster.ok("schedule", "add", "deploy", "on push", "--flow", str(file))
            status, answer = self.post(cluster, "/v1/events/push", {"parameters": {"branch": "x"}})
            self.assertEqual(status, 400)
            self.assertIn("no value for the parameter build", answer)
            self.assertEqual(answer.count("\n"), 1)
            self.add(cluster)
            status, answer = self.post(cluster, "/v1/events/push", {"id": "1", "parameters": {"branch": "x'y", "build": 4711, "sender": {"a": 1}}})
            self.assertEqual((status, [run["schedule"] for run in answer["runs"]]), (200, ["deploy", "show"]))
            flow = answer["runs"][0]["workflow_id"]
            eventually(lambda: json.loads(cluster.ok("flow", "get", "-o", "json", flow))["workflow"]["state"] == "WORKFLOW_STATE_SUCCEEDED",
                       what="the workflow's end")
            self.assertEqual(ledger.read_text(), "push|x'y|4711|\n")
            # One that cannot be run with it leaves the other alone.
            status, answer = self.post(cluster, "/v1/events/push", {"id": "2", "parameters": {"branch": "x"}})
            self.assertEqual([(run["schedule"], run["result"]) for run in answer["runs"]],
                             [("deploy", "EVENT_RUN_RESULT_REFUSED"), ("show", "EVENT_RUN_RESULT_STARTED")])
            self.assertIn("no value for the parameter build", answer["runs"][0]["reason"])

            cluster.ok("schedule", "pause", "deploy")
            sent = cluster.muster("event", "send", "push", "--id", "3", "--set", "branch=x", "--set", "build=1", text=True)
            self.assertEqual(sent.returncode, 0)
            self.assertEqual(sent.stderr, "muster: schedule deploy: skipped: the schedule was paused\n")
            cluster.ok("schedule", "resume", "deploy")
            by_hand = cluster.muster("schedule", "run", "deploy", text=True)
            self.assertEqual(by_hand.returncode, 125)
            self.assertIn("muster event send push", by_hand.stderr)
            cluster.ok("schedule", "rm", "deploy", "show")
            self.assertEqual(self.post(cluster, "/v1/events/push", {})[0], 404)

    def test_a_sender_that_repeats_over_kills_of_the_master_starts_each_once(self):
        with Cluster(workers=1, slots=4) as cluster:
            ledger = cluster.directory / "ledger"
            cluster.ok("schedule", "add", "note", "on order", "--", "sh", "-c", f"echo $MUSTER_EVENT_ID >> {ledger}")
            started = {}

            def send(number):
                try:
                    status, answer = self.post(cluster, "/v1/events/order", {"id": f"o-{number}"})
                except (OSError, http.client.HTTPException):
                    return False
                if status == 200:
                    started.setdefault(number, set()).add(answer["runs"][0]["task_id"])
                return status == 200

            for number in range(40):
                if number % 10 == 5:
                    sender = cluster.start("event", "send", "order", "--id", f"o-{number}")
                    cluster.kill_master()
                    cluster.start_master()
                    sender.communicate(timeout=60)
                eventually(lambda: send(number), what="a master that takes the event")
                send(number)
            cluster.kill_master()
            cluster.start_master()
            for number in (0, 5, 39):
                self.assertTrue(eventually(lambda: send(number), what="a repeated event"))
            self.assertEqual([ids for ids in started.values() if len(ids) != 1], [], "an event started twice")
            eventually(lambda: len(ledger.read_text().split()) >= 40, what="all runs")
            self.assertEqual(len({task for ids in started.values() for task in ids}), 40)
            tasks = cluster.json("ps", "-a", "-l", "muster/schedule=note", "--limit", "1000")["tasks"]
            self.assertEqual(len(tasks), 40)

    def test_what_is_wrong_is_refused_in_one_line(self):
        with Cluster(workers=0) as cluster:
            self.add(cluster)

            def refused(status, words, *arguments, **named):
                code, text = self.post(cluster, *arguments, **named)
                self.assertEqual(code, status, text)
                self.assertEqual(text.count("\n"), 1, text)
                self.assertIn(words, text)

            push = "/v1/events/push"
            refused(404, "no schedule waits for event pull", "/v1/events/pull", {})
            refused(400, "[A-Za-z0-9._-]", "/v1/events/pu%20sh", {})
            refused(400, "[A-Za-z0-9._-]", "/v1/events/", {})
            refused(400, "body:1:13: expected a key", push, '{"id": "1", []}')
            refused(400, "expected an object", push, "[]")
            refused(400, "expected an object", push, "")
            refused(400, "an event has no member parametres", push, {"parametres": {}})
            refused(400, "is not UTF-8", push, b'{"id": "\xff"}')
            refused(400, "without blanks", push, {"id": "a b"})
            refused(400, "{{ branch }} is no parameter", push, {"parameters": {"brunch": "x"}})
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
                refused(415, "application/json", push, "{}", kind=kind)
            refused(403, "a web page may not", push, "{}", headers={"Origin": "http://evil.example"})
            refused(405, "POST", push, None, method="GET")
            refused(413, "64 KiB", push, {"parameters": {"branch": "x" * (70 << 10)}})
            refused(400, "more than 1000 parameters", push, {"parameters": {f"p{i}": 1 for i in range(1001)}})
            self.assertEqual(self.chunked(cluster, b"1000\r\n" + b"x" * 4096 + b"\r\n", 20), 413)
            refused(400, "nested", push, '{"parameters": {"branch": ' + "[" * 1000 + "]" * 1000 + "}}")

            add = lambda *arguments: cluster.muster("schedule", "add", "other", *arguments, "--", "true", text=True)
            self.assertIn("event pu/sh at column 4", add("on pu/sh").stderr)
            self.assertIn("none is missed", add("on push", "--missed", "all").stderr)
            self.assertIn("allow or forbid", add("on push", "--overlap", "replace").stderr)
            self.assertIn("when it is sent", add("on push", "--zone", "Europe/Berlin").stderr)
            self.assertEqual(cluster.muster("event", "send", "push", "--data", "/nowhere").returncode, 2)
            self.assertEqual(cluster.muster("event", "send", "pull").returncode, 125)
            eventually(lambda: "RequestsRefused" in cluster.ok("log"), what="the refusals in the log")

    # A body whose length nobody says, sent a part at a time.
    def chunked(self, cluster, part, times):
        host, port = cluster.master.addresses["http"].rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(b"POST /v1/events/push HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(times):
                    connection.sendall(part)
            except OSError:
                pass  # it has been answered
            return int(connection.recv(4096).split()[1])

    def test_forbid_skips_an_event_while_its_run_goes_on(self):
        with Cluster(workers=1, slots=4) as cluster:
            gate = cluster.directory / "gate"
            cluster.ok("schedule", "add", "one", "on push", "--overlap", "forbid", "--", "sh", "-c",
                       f"until [ -e {gate} ]; do sleep 0.02; done")
            first = cluster.ok("event", "send", "push", "--id", "1").strip()
            status, answer = self.post(cluster, "/v1/events/push", {"id": "2"})
            self.assertEqual((status, answer["runs"][0]["result"], answer["runs"][0]["reason"]),
                             (200, "EVENT_RUN_RESULT_SKIPPED", "the run before still went on"))
            gate.touch()
            cluster.await_state(first, "SUCCEEDED")
            status, answer = self.post(cluster, "/v1/events/push", {"id": "2"})
            self.assertEqual(answer["runs"][0]["result"], "EVENT_RUN_RESULT_STARTED", "it is looked at anew")


if __name__ == "__main__":
    unittest.main()
