import math
import unittest

from bench.series import Spread, least, ratios


class Medians(unittest.TestCase):
    def test_the_median_stands_between_the_extremes(self):
        self.assertEqual(Spread.of([3.0, 1.0, 2.0]), Spread(2.0, 1.0, 3.0))

    def test_of_an_even_number_it_is_the_middle(self):
        self.assertEqual(Spread.of([1.0, 2.0, 4.0, 9.0]).median, 3.0)

    def test_one_that_is_far_off_does_not_move_it(self):
        self.assertEqual(Spread.of([1.0, 1.0, 1.0, 1.0, 99.0]).median, 1.0)

    def test_nothing_has_no_median(self):
        with self.assertRaises(ValueError):
            Spread.of([])

    def test_what_is_no_number_is_refused(self):
        with self.assertRaises(ValueError):
            Spread.of([1.0, math.nan])


class Ratios(unittest.TestCase):
    def test_each_round_is_divided_by_its_own(self):
        self.assertEqual(ratios([2.0, 40.0], [1.0, 10.0]), [2.0, 4.0])

    def test_what_disturbs_both_sides_cancels_out(self):
        noise = [1.0, 1.7, 0.9, 5.0, 1.2]
        found = Spread.of(ratios([3 * value for value in noise], noise))
        self.assertAlmostEqual(found.low, 3.0)
        self.assertAlmostEqual(found.high, 3.0)

    def test_the_median_of_ratios_is_not_the_ratio_of_medians(self):
        above, below = [1.0, 2.0, 6.0], [1.0, 4.0, 2.0]
        self.assertEqual(Spread.of(ratios(above, below)).median, 1.0)

    def test_rounds_without_a_counterpart_are_refused(self):
        with self.assertRaises(ValueError):
            ratios([1.0, 2.0], [1.0])

    def test_nothing_is_divided_by_nothing(self):
        with self.assertRaises(ValueError):
            ratios([1.0], [0.0])


class Least(unittest.TestCase):
    def test_the_lowest_median_wins_and_not_the_lowest_round(self):
        self.assertEqual(least([("a", [0.1, 5.0, 5.0]), ("b", [4.0, 4.0, 4.0])]), "b")

    def test_from_nothing_nobody_is_chosen(self):
        with self.assertRaises(ValueError):
            least([])


if __name__ == "__main__":
    unittest.main()
