"""Workflows of the shapes and sizes of published WfCommons instances, as files in that form.

The shapes are those of Montage (mosaics of the sky), Epigenomics (maps of DNA) and 1000Genome (overlaps of mutations) as
https://github.com/wfcommons/WfInstances describes them; task counts are those of its tables, edge counts those that its
tasks' parents give. Nothing is copied: each is built here from its rule. Run times are drawn from ranges of ours, by a
fixed seed. How many pieces each sequence file of Epigenomics has is not in the tables: they are shared out evenly.

  python3 wfcommons_instances.py --list
  python3 wfcommons_instances.py --out DIRECTORY [NAME...]
  python3 wfcommons_instances.py --old NAME        # in the form before 1.5, on stdout
"""

import argparse
import json
import pathlib
import random
import sys

# Seconds that one task of a kind takes: from, to.
RUN_TIMES = {
    "mProject": (8, 16), "mDiffFit": (0.4, 1.2), "mConcatFit": (1, 30), "mBgModel": (2, 60), "mBackground": (0.5, 2),
    "mImgtbl": (1, 6), "mAdd": (3, 40), "mViewer": (1, 12),
    "fastqSplit": (10, 40), "filterContams": (0.5, 3), "sol2sanger": (0.3, 1.5), "fast2bfq": (0.3, 2), "map": (40, 120),
    "mapMerge": (2, 20), "chr21": (3, 20), "pileup": (20, 60),
    "individuals": (60, 180), "individuals_merge": (20, 120), "sifting": (5, 20), "mutation_overlap": (5, 40),
    "frequency": (60, 200),
}


class Instance:
    def __init__(self, name):
        self.name = name
        self.random = random.Random(name)
        self.tasks = []  # id, kind, seconds
        self.parents = {}

    def add(self, kind, *parents):
        """A task that needs `parents`; its id."""
        name = f"{kind}_ID{len(self.tasks) + 1:07d}"
        seconds = round(self.random.uniform(*RUN_TIMES[kind]), 3)
        self.tasks.append((name, kind, seconds))
        self.parents[name] = list(parents)
        return name

    def edge_count(self):
        return sum(len(parents) for parents in self.parents.values())

    def children(self):
        children = {name: [] for name, _, _ in self.tasks}
        for name, parents in self.parents.items():
            for parent in parents:
                children[parent].append(name)
        return children

    def new_form(self):
        children = self.children()
        specification = [{"name": name, "id": name, "parents": self.parents[name], "children": children[name],
                          "inputFiles": [], "outputFiles": []} for name, _, _ in self.tasks]
        execution = [{"id": name, "runtimeInSeconds": seconds, "command": {"program": kind, "arguments": []}}
                     for name, kind, seconds in self.tasks]
        return {"name": self.name, "schemaVersion": "1.5",
                "workflow": {"specification": {"tasks": specification, "files": []},
                             "execution": {"makespanInSeconds": 0, "executedAt": "2026-01-01T00:00:00Z", "tasks": execution}}}

    def old_form(self):
        """Only one end of an edge names it, by turns; tasks are meant by their names."""
        children = self.children()
        tasks = []
        for number, (name, kind, seconds) in enumerate(self.tasks):
            tasks.append({"name": name, "id": name.rsplit("_", 1)[1], "category": kind, "type": "compute", "runtime": seconds,
                          "parents": [p for p in self.parents[name] if number % 2 == 0],
                          "children": [c for c in children[name] if int(c[-7:]) % 2 == 0], "files": []})
        return {"name": self.name, "schemaVersion": "1.3", "workflow": {"makespan": 0, "tasks": tasks}}


def montage(name, images, overlaps):
    """Three colours of the sky; of each `images` tiles, of which `overlaps` pairs lie over one another."""
    instance = Instance(name)
    mosaics = []
    for _ in range(3):
        projected = [instance.add("mProject") for _ in range(images)]
        pairs = [(i, i + distance) for distance in range(1, images) for i in range(images - distance)][:overlaps]
        fits = [instance.add("mDiffFit", projected[i], projected[j]) for i, j in pairs]
        model = instance.add("mBgModel", instance.add("mConcatFit", *fits))
        corrected = [instance.add("mBackground", image, model) for image in projected]
        mosaics.append(instance.add("mAdd", *corrected, instance.add("mImgtbl", *corrected)))
        instance.add("mViewer", mosaics[-1])
    instance.add("mViewer", *mosaics)
    return instance


def epigenomics(name, sequences, pieces):
    """`sequences` files, cut into `pieces` pieces together; each goes through four steps, and all are merged."""
    instance = Instance(name)
    merged = []
    for number in range(sequences):
        split = instance.add("fastqSplit")
        mapped = []
        for _ in range(pieces // sequences + (1 if number < pieces % sequences else 0)):
            filtered = instance.add("filterContams", split)
            mapped.append(instance.add("map", instance.add("fast2bfq", instance.add("sol2sanger", filtered))))
        merged.append(instance.add("mapMerge", *mapped))
    instance.add("pileup", instance.add("chr21", instance.add("mapMerge", *merged)))
    return instance


def genome(name, chromosomes, individuals):
    """Of each chromosome `individuals` parts, and seven populations that are compared in two ways."""
    instance = Instance(name)
    for _ in range(chromosomes):
        parts = [instance.add("individuals") for _ in range(individuals)]
        merge, sifting = instance.add("individuals_merge", *parts), instance.add("sifting")
        for _ in range(7):
            instance.add("mutation_overlap", merge, sifting)
            instance.add("frequency", merge, sifting)
    return instance


# Name of the published instance: its tasks, its edges, how it is built.
INSTANCES = {
    "montage-chameleon-2mass-005d-001": (58, 114, lambda name: montage(name, 4, 6)),
    "montage-chameleon-2mass-05d-001": (1738, 4698, lambda name: montage(name, 80, 414)),
    "epigenomics-chameleon-hep-1seq-100k-001": (41, 48, lambda name: epigenomics(name, 1, 9)),
    "epigenomics-chameleon-ilmn-6seq-50k-001": (1695, 2108, lambda name: epigenomics(name, 6, 420)),
    "1000genome-chameleon-2ch-100k-001": (52, 76, lambda name: genome(name, 2, 10)),
    "1000genome-chameleon-22ch-250k-001": (902, 1166, lambda name: genome(name, 22, 25)),
}


def make(name):
    tasks, edges, build = INSTANCES[name]
    instance = build(name)
    assert (len(instance.tasks), instance.edge_count()) == (tasks, edges), f"{name} is not as published"
    return instance


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--old")
    parser.add_argument("names", nargs="*", default=[])
    arguments = parser.parse_args()
    if arguments.list:
        for name, (tasks, edges, _) in INSTANCES.items():
            print(f"{name} {tasks} {edges}")
    if arguments.old:
        json.dump(make(arguments.old).old_form(), sys.stdout)
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        for name in arguments.names or INSTANCES:
            (arguments.out / f"{name}.json").write_text(json.dumps(make(name).new_form()))


if __name__ == "__main__":
    main()
