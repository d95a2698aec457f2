"""Try two ways on from the same moment, keep the better one, give the other's space back."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import casckpt

ROUTES = {
    "train": [("Berlin", "Paris", 118), ("Paris", "Lisbon", 149)],
    "plane": [("Berlin", "Lisbon", 211)],
}


def plan(thread: casckpt.Thread, legs: list[tuple[str, str, int]]) -> None:
    """Book one leg a step."""
    state: dict[str, Any] = thread.load()
    for origin, destination, price in legs:
        state["legs"].append({"from": origin, "to": destination, "price": price})
        state["cost"] += price
        thread.save(state, label="booked")


def main() -> None:
    """Fork twice, compare, keep one."""
    with (
        tempfile.TemporaryDirectory() as folder,
        casckpt.open(Path(folder) / "trips.casckpt") as store,
    ):
        trip = store.thread("trip")
        start = {
            "traveller": "Alice",
            "notes": "by noon, no red-eye. " * 400,
            "legs": [],
            "cost": 0,
        }
        trip.save(start, label="asked")

        # A fork is a name that points at a checkpoint: it copies nothing.
        tries = {name: trip.fork(f"trip/{name}", at=":asked") for name in ROUTES}
        for name, thread in tries.items():
            plan(thread, ROUTES[name])

        print("the two plans differ in:")
        for change in store.diff(tries["train"].head, tries["plane"].head):
            print(" ", change)

        best = min(tries, key=lambda name: int(tries[name].load(path=["cost"])))
        other = next(name for name in tries if name != best)
        print("cheaper:", best)

        # Where the values are JSON, a diff is also an RFC 6902 patch.
        patch = store.diff(trip.head, tries[best].head).to_json_patch()
        print("patch:", [operation["op"] + " " + operation["path"] for operation in patch])

        trip.rewind(tries[best].checkpoint())
        tries[other].delete()
        report = store.gc(grace=timedelta(0))
        print("collected:", report.objects_removed, "objects")
        assert trip.load(path=["cost"]) == min(211, 118 + 149)


if __name__ == "__main__":
    main()
