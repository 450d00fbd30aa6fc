#!/usr/bin/env python3
"""A service as others would write it, on Python's standard library alone: assigns units, tracks conversions
(each event twice), asks every unit again, and compares what the daemon reports with what it sent.

The daemon may be killed and restarted at any moment: every request is retried until it is answered, which is
safe because an assignment is sticky and an event carries an id. The address is read again before each new
connection, from the addresses.json that the daemon writes.

    real_input.py --addresses DIR/addresses.json --experiment KEY [--units 5000] [--conversions 300]

Prints one JSON object; exits 1 if anything differs.
"""

import argparse
import http.client
import json
import sys
import time
import zlib

PATIENCE_SECONDS = 60


class Service:
    def __init__(self, addresses, experiment):
        self.addresses = addresses
        self.experiment = experiment
        self.connection = None
        self.retries = 0

    def connect(self):
        with open(self.addresses, encoding="utf-8") as file:
            host, port = json.load(file)["data"].rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=10)

    def call(self, method, path, body=None):
        """Sends until it is answered with a success; a 4xx is a mistake of ours and ends the run."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                if self.connection is None:
                    self.connect()
                payload = None if body is None else json.dumps(body)
                self.connection.request(method, path, payload, {"Content-Type": "application/json"})
                answer = self.connection.getresponse()
                text = answer.read()
                if answer.status < 300:
                    return json.loads(text)
                if answer.status < 500:
                    sys.exit(f"{method} {path}: {answer.status} {text.decode()}")
            except (OSError, http.client.HTTPException, ValueError):
                if self.connection is not None:
                    self.connection.close()
                self.connection = None
            if time.monotonic() > give_up:
                sys.exit(f"{method} {path}: no answer for {PATIENCE_SECONDS} s")
            self.retries += 1
            time.sleep(0.02)

    def assign(self, unit):
        return self.call("POST", f"/api/experiments/{self.experiment}/assign", {"unit": unit})

    def track(self, unit, event, event_id):
        body = {"unit": unit, "event": event, "id": event_id}
        return self.call("POST", f"/api/experiments/{self.experiment}/track", body)

    def results(self):
        """The results once everything received is folded."""
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            results = self.call("GET", f"/api/experiments/{self.experiment}/results")
            if results["unfolded"] == 0 or time.monotonic() > give_up:
                return results
            time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--addresses", required=True)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--units", type=int, default=5000)
    parser.add_argument("--conversions", type=int, default=300)
    parser.add_argument("--event", default="conversion")
    options = parser.parse_args()

    service = Service(options.addresses, options.experiment)
    units = [f"customer-{number}" for number in range(options.units)]
    arms = {unit: service.assign(unit)["arm"] for unit in units}

    converted = sorted(units, key=lambda unit: zlib.crc32(unit.encode()))[: options.conversions]
    for unit in converted:
        for _ in range(2):
            service.track(unit, options.event, f"order-of-{unit}")

    moved = [unit for unit in units if service.assign(unit)["arm"] != arms[unit]]
    results = service.results()
    counted = {arm: 0 for arm in set(arms.values())}
    for lane in results["lanes"]:
        for arm in lane["arms"]:
            counted[arm["name"]] = counted.get(arm["name"], 0) + arm["assigned"]
    sent = {arm: sum(1 for unit in units if arms[unit] == arm) for arm in counted}
    by_name = dict(map(tuple, results["events_by_name"]))

    problems = []
    if moved:
        problems.append(f"{len(moved)} units moved, such as {moved[0]}")
    if results["assignments"] != len(units):
        problems.append(f"{len(units)} units sent, {results['assignments']} assignments counted")
    if counted != sent:
        problems.append(f"per arm: sent {sent}, counted {counted}")
    if by_name.get(options.event, 0) != len(converted):
        problems.append(f"{len(converted)} events sent, {by_name.get(options.event, 0)} counted")
    report = {
        "units": len(units),
        "arms": sent,
        "events": len(converted),
        "sent_twice": True,
        "duplicates": results["duplicates"],
        "retries": service.retries,
        "problems": problems,
    }
    print(json.dumps(report))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
