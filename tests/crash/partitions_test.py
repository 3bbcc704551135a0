"""Workers that are cut off, one way or both, for less and for more than the lost time: what must not run twice does
not, and what was lost runs again.

MUSTER_CRASH_CUTS sets how many cuts each network sees (16).
"""

import os
import unittest

from harness import TIME_FACTOR, TIMES, eventually
from network import NamespaceNetwork, NetworkCluster, ProxyNetwork

CUTS = int(os.environ.get("MUSTER_CRASH_CUTS", "16"))
NAMES = ("w1", "w2", "w3")
LOST_AFTER = TIMES["lost_after"]


class Partitions(unittest.TestCase):
    def test_workers_behind_a_proxy_that_holds_delays_and_resets_run_nothing_twice_that_must_not(self):
        with ProxyNetwork(NAMES) as network, NetworkCluster(network, workers=len(NAMES)) as cluster:
            def slow(name):
                network.delay(name, cluster.random.uniform(0.01, 0.15))
            self.cut_again_and_again(cluster, [network.cut, self.to_master, self.to_worker, network.sever, slow])

    def test_workers_in_network_namespaces_that_are_cut_off_run_nothing_twice_that_must_not(self):
        if why := NamespaceNetwork.possible():
            self.skipTest(why)
        with NamespaceNetwork(NAMES) as network, NetworkCluster(network, workers=len(NAMES)) as cluster:
            self.cut_again_and_again(cluster, [network.cut, self.to_master, self.to_worker])

    def to_master(self, name):
        self.network.cut(name, to_master=True, to_worker=False)

    def to_worker(self, name):
        self.network.cut(name, to_master=False, to_worker=True)

    def cut_again_and_again(self, cluster, ways):
        self.network = cluster.network
        accidents, chance = cluster.accidents, cluster.random
        cluster.begin_load()
        for number in range(CUTS):
            cluster.check_load()
            accidents.revive()
            name = chance.choice(NAMES)
            way = ways[number % len(ways)]
            way(name)
            accidents.wait(chance.choice((chance.uniform(0.05, 0.6), LOST_AFTER * chance.uniform(1.1, 1.6))))
            self.network.heal(name)
            accidents.happened[f"cut off: {way.__name__}"] += 1
            accidents.wait(chance.uniform(0, 0.8))
        self.assertGreater(self.times_lost(cluster), 0, "no cut was long enough for a loss")
        cluster.judge(self)

    @staticmethod
    def times_lost(cluster):
        return cluster.ok("log").count("LOST")

    def test_a_fenced_task_of_a_worker_that_is_cut_off_is_stopped_there_before_it_runs_elsewhere(self):
        with ProxyNetwork(NAMES) as network, NetworkCluster(network, workers=2) as cluster:
            cluster.history.asked("one", "RERUN_AFTER_FENCE", [0])
            identity = cluster.ok("submit", "--on-worker-loss", "rerun-after-fence", "--",
                                  *cluster.mark_command(milliseconds=1500)).strip()
            cluster.history.acknowledged("one", [identity])
            cluster.await_state(identity, "RUNNING")
            first = cluster.task(identity)["attempts"][0]["worker"]
            network.cut(first)
            eventually(lambda: cluster.worker_state(first) == "LOST", what=f"{first} being LOST")
            cluster.await_state(identity, "SUCCEEDED")
            self.assertEqual([a["worker"] == first for a in cluster.task(identity)["attempts"]], [True, False])
            network.heal(first)
            eventually(lambda: cluster.worker_state(first) == "ACTIVE", what=f"{first} being ACTIVE again")
            cluster.judge(self)

    def test_a_held_task_of_a_worker_that_is_cut_off_goes_on_there_and_its_result_counts(self):
        with ProxyNetwork(NAMES) as network, NetworkCluster(network, workers=2) as cluster:
            cluster.history.asked("one", "HOLD", [0])
            milliseconds = int(2000 * LOST_AFTER * TIME_FACTOR)
            identity = cluster.ok("submit", "--on-worker-loss", "hold", "--", *cluster.mark_command(milliseconds)).strip()
            cluster.history.acknowledged("one", [identity])
            cluster.await_state(identity, "RUNNING")
            first = cluster.task(identity)["attempts"][0]["worker"]
            network.cut(first)
            cluster.await_state(identity, "UNKNOWN")
            network.heal(first)
            cluster.await_state(identity, "SUCCEEDED")
            self.assertEqual(len(cluster.task(identity)["attempts"]), 1)
            cluster.judge(self)


if __name__ == "__main__":
    unittest.main(verbosity=2)
