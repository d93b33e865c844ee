import unittest

from bench import cells, counts
from bench.clients import BY_NAME

EVERY = cells.every(has_thread_option=True)


class Cells(unittest.TestCase):
    def test_no_name_stands_twice(self):
        names = [cell.name for cell in EVERY]
        self.assertEqual(len(names), len(set(names)))

    def test_all_clients_are_known(self):
        for cell in EVERY:
            self.assertTrue(set(cell.clients) <= BY_NAME.keys(), cell.name)
            self.assertIn("sio", cell.clients)

    def test_names_are_easy_to_type(self):
        names = [cell.name for cell in EVERY]
        for name in (
            "receive/websocket/text-64",
            "emit/polling/binary-1m",
            "receive/tls/text-64k",
            "call/polling/64",
        ):
            self.assertIn(name, names)

    def test_every_size_is_received_and_emitted_by_every_way(self):
        for way in ("websocket", "polling", "tls"):
            for verb in ("receive", "emit"):
                self.assertEqual(len(cells.chosen(EVERY, [f"{verb}/{way}/*"])), 6)

    def test_a_pattern_chooses_in_the_order_of_all(self):
        chosen = cells.chosen(EVERY, ["emit/polling/*", "receive/websocket/text-*"])
        self.assertEqual(
            [cell.name for cell in chosen][:3],
            [f"receive/websocket/text-{size}" for size in ("64", "1k", "64k")],
        )

    def test_a_pattern_that_fits_nothing_is_refused(self):
        with self.assertRaises(ValueError):
            cells.chosen(EVERY, ["receive/*", "recieve/*"])

    def test_without_the_option_its_cells_are_left_out(self):
        names = [cell.name for cell in cells.every(has_thread_option=False)]
        self.assertFalse([name for name in names if "shared" in name])


class Counts(unittest.TestCase):
    def test_every_client_gets_as_many_as_its_cell_needs(self):
        for cell in EVERY:
            for client in cell.clients:
                for quick in (False, True):
                    count = counts.count(cell, client, quick)
                    if cell.operation in ("idle", "memory", "start"):
                        self.assertIsNone(count)
                    else:
                        # A tenth is for warming up.
                        self.assertGreaterEqual(count, 10, (cell.name, client))

    def test_a_quick_look_has_something_of_everything(self):
        kept = [cell for cell in EVERY if not counts.is_left_out(cell, quick=True)]
        self.assertEqual({cell.operation for cell in kept}, {cell.operation for cell in EVERY})
        self.assertFalse([cell for cell in EVERY if counts.is_left_out(cell, quick=False)])

    def test_percentiles_have_enough_calls(self):
        for cell in EVERY:
            if cell.operation in ("call", "sleepers"):
                for client in cell.clients:
                    self.assertGreaterEqual(counts.count(cell, client, True), 100)

    def test_counts_can_be_read(self):
        for cell in EVERY:
            for client in cell.clients:
                count = counts.count(cell, client, False)
                if count is not None:
                    self.assertIn(str(count).rstrip("0"), ("1", "2", "5"))

    def test_no_run_moves_more_than_it_may(self):
        for cell in EVERY:
            for client in cell.clients:
                count = counts.count(cell, client, False) or 0
                self.assertLessEqual(count * cell.bytes, counts.MOST_BYTES)


if __name__ == "__main__":
    unittest.main()
