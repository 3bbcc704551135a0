"""What the programs are built with against those who find a hole in them (SECURITY.md)."""

import re
import subprocess
import unittest

from cluster import BIN

PROGRAMS = ("muster", "muster-master", "muster-worker")


class Hardened(unittest.TestCase):
    def readelf(self, *arguments):
        return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, check=True).stdout

    def test_no_program_has_a_fixed_address_or_tables_that_stay_writable(self):
        for program in PROGRAMS:
            with self.subTest(program):
                self.assertIn("DYN", re.search("Type:(.*)", self.readelf("-h", BIN / program)).group(1), "not position-independent")
                segments = self.readelf("-l", BIN / program)
                self.assertIn("GNU_RELRO", segments)
                self.assertRegex(segments, r"GNU_STACK .* RW ", "the stack can be executed")
                self.assertRegex(self.readelf("-d", BIN / program), r"FLAGS.*\bNOW\b", "the relocation table stays writable")

    def test_each_program_checks_its_stack_and_the_bounds_of_what_libc_writes(self):
        for program in PROGRAMS:
            with self.subTest(program):
                symbols = self.readelf("--dyn-syms", BIN / program)
                self.assertIn("__stack_chk_fail", symbols)
                self.assertRegex(symbols, r"__\w+_chk@")


if __name__ == "__main__":
    unittest.main()
