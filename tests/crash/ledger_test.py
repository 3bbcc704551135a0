"""The ledger's sums and its table."""

import unittest

from ledger import COLUMNS, TITLE, add_line, duration, slope_per_hour
from long_run import column_of


class Ledger(unittest.TestCase):
    def test_durations_are_read_and_nonsense_is_refused(self):
        self.assertEqual([duration(text) for text in ("90s", "20m", "1.5h", "7")], [90, 1200, 5400, 7])
        for wrong in ("", "h", "-3s", "3 m", "1d"):
            with self.assertRaisesRegex(ValueError, "is not a duration"):
                duration(wrong)

    def test_a_slope_is_found_through_noise_and_a_level_has_none(self):
        rising = [(second, 100 + 2 * second / 3600 + (0.5 if second % 2 else -0.5)) for second in range(3600)]
        self.assertAlmostEqual(slope_per_hour(rising), 2, delta=0.05)
        self.assertAlmostEqual(slope_per_hour([(second, 41.5) for second in range(600)]), 0)
        self.assertEqual(slope_per_hour([(1, 5)]), 0)

    def test_the_first_line_makes_the_table_and_the_next_goes_below_it(self):
        page = add_line("# Reliability\n\nWords.\n", {"date": "first"})
        page = add_line(page, {"date": "second", "masters killed": 200})
        lines = page.splitlines()
        begin = lines.index(TITLE)
        self.assertEqual(lines[:3], ["# Reliability", "", "Words."])
        self.assertEqual([line.split(" | ")[0] for line in lines[begin + 1:]], ["| date", "|---" * len(COLUMNS) + "|", "| first", "| second"])
        self.assertIn("| second | 0 | 0 | 0 | 200 |", page)

    def test_a_line_stays_in_its_table_when_more_follows(self):
        page = add_line(f"{TITLE}\nWords.\n| date |\n|---|\n| first |\n\n## Next\n| other |\n", {"date": "second"})
        lines = page.splitlines()
        self.assertTrue(lines[lines.index("| first |") + 1].startswith("| second |"))
        self.assertEqual(lines[-2:], ["## Next", "| other |"])

    def test_every_accident_has_its_column(self):
        self.assertEqual(column_of("before_sync"), "deaths inside")
        self.assertEqual(column_of("cut off: to_master"), "cuts")
        self.assertEqual(column_of("worker's family killed"), "workers killed")
        self.assertEqual(column_of("worker's server stopped"), "stopped or ended")
        self.assertEqual(column_of("master killed"), "masters killed")


if __name__ == "__main__":
    unittest.main()
