import unittest

from bench import text
from bench.series import Spread


class Numbers(unittest.TestCase):
    def test_about_three_digits_whatever_the_size(self):
        shown = {
            0: "0",
            0.04561: "0.0456",
            0.191: "0.191",
            1.2345: "1.23",
            12.345: "12.3",
            99.96: "100",
            123.4: "123",
            1234: "1,230",
            1_234_567: "1,230,000",
        }
        for value, expected in shown.items():
            self.assertEqual(text.number(value), expected, value)

    def test_a_spread_shows_its_extremes(self):
        self.assertEqual(text.spread(Spread(1.5, 1.25, 2.0)), "1.50 (1.25–2.00)")

    def test_extremes_that_look_alike_are_left_out(self):
        self.assertEqual(text.spread(Spread(1.5, 1.4999, 1.5001)), "1.50")

    def test_a_bound_is_shown_without_noughts(self):
        self.assertEqual(text.short("8.00 ×"), "8 ×")
        self.assertEqual(text.short("4.50 ×"), "4.5 ×")
        self.assertEqual(text.short("130"), "130")

    def test_sizes(self):
        self.assertEqual(
            [text.size(count) for count in (64, 1024, 65536, 1 << 20)],
            ["64 B", "1 KiB", "64 KiB", "1 MiB"],
        )

    def test_durations(self):
        self.assertEqual([text.duration(59.4), text.duration(61.9)], ["59 s", "1 min 01 s"])


class Tables(unittest.TestCase):
    def test_a_table_is_markdown(self):
        self.assertEqual(text.table(("a", "b"), [("x", "1")]), "| a | b |\n| --- | ---: |\n| x | 1 |\n")

    def test_a_row_that_does_not_fit_is_refused(self):
        with self.assertRaises(ValueError):
            text.table(("a", "b"), [("x",)])


if __name__ == "__main__":
    unittest.main()
