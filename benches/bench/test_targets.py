import unittest

from bench import made_up, targets


def verdict(results, cell, what):
    found = [
        each
        for each in targets.verdicts(results)
        if each.target.cell == cell and each.target.what == what
    ]
    assert len(found) == 1, (cell, what, found)
    return found[0]


class Figures(unittest.TestCase):
    def test_a_whole_run_leaves_none_open(self):
        for each in targets.verdicts(made_up.results()):
            self.assertIsNotNone(each.value, each.target)

    def test_each_asks_for_something(self):
        for target in targets.every():
            self.assertFalse(target.must is None and target.goal is None, target)

    def test_a_goal_is_no_easier_than_what_must_be(self):
        for target in targets.every():
            if target.must is not None and target.goal is not None:
                harder = target.goal <= target.must if target.is_limit else target.goal >= target.must
                self.assertTrue(harder, target)

    def test_the_best_peer_counts(self):
        # socket.io-client costs 40 times the limit, sio twice.
        found = verdict(
            made_up.results(), "receive/websocket/text-64", "processor time, less than the best peer"
        )
        self.assertAlmostEqual(found.value, 20.0)
        self.assertTrue(found.must)
        self.assertTrue(found.goal)

    def test_less_of_the_limit_is_better(self):
        found = verdict(made_up.results(), "receive/websocket/binary-1m", "processor time, to the limit")
        self.assertAlmostEqual(found.value, 2.0)
        self.assertFalse(found.must)

    def test_the_worst_size_counts_over_tls(self):
        results = made_up.results()
        for run in results.runs("emit/tls/text-1k", "sio", "pinned"):
            run["cpu_us"] *= 30
        found = verdict(
            results, "emit/tls/*", "processor time, less than the best peer, the worst of all sizes"
        )
        self.assertAlmostEqual(found.value, 20 / 30)
        self.assertFalse(found.must)

    def test_python_is_compared_with_python(self):
        found = verdict(
            made_up.results(),
            "receive/websocket/text-64, Python",
            "less than python-socketio's SimpleClient",
        )
        self.assertAlmostEqual(found.value, 400 / 30)

    def test_what_a_part_did_not_measure_is_not_missed(self):
        found = targets.verdicts(made_up.results(("receive/*",)))
        missed = targets.missed(found, is_whole=False)
        self.assertTrue(missed)
        self.assertTrue(all(each.value is not None for each in missed))

    def test_what_a_whole_run_did_not_measure_is_missed(self):
        found = targets.verdicts(made_up.results(("receive/*",)))
        missed = targets.missed(found, is_whole=True)
        self.assertTrue(any(each.value is None for each in missed))
        self.assertFalse(any(each.target.must is None for each in missed))


if __name__ == "__main__":
    unittest.main()
