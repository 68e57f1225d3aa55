#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux with the clocks of a PC: alarms of the real-time clock on each way they can come, the HPET for time and for interrupts."""
import re
import sys
import time
import unittest

import fixture
import linux

FLAVOUR = "amd64"


class Clocks(linux.Case):
    def setUp(self):
        scratch = fixture.TemporaryDirectory(self)
        self.initrd = scratch / "initrd"
        program = fixture.directory / "clock-guest"
        if not program.exists():
            self.skipTest("no clock-guest in this build")
        with open(fixture.initrd(), "rb") as base:
            self.initrd.write_bytes(base.read() + fixture.archive(b"bin/clock-guest", program.read_bytes()))

    def start(self, *args, **options):
        return self.boot(str(self.initrd), *args, cpus=2, flavour=FLAVOUR, **options)

    def interrupts(self, machine, number):
        line = re.search(rf"^ *{number}: +([0-9 ]+) +IO-APIC", self.ask(machine, "cat /proc/interrupts"), re.M)
        return sum(map(int, line[1].split()))

    def check_rtc(self, comes_by, emulated, *args, known="(?!)", **options):
        """Alarms, updates and periods by /dev/rtc0, an alarm by sysfs, and the interrupt that brought them."""
        machine = self.start(*args, **options)
        other = {8: 9, 9: 8}[comes_by]
        before = [self.interrupts(machine, number) for number in (comes_by, other)]
        self.ask(machine, "clock-guest rtc")
        self.ask(machine, "echo +1 > /sys/class/rtc/rtc0/wakealarm && "
                          "while [ -n \"$(cat /sys/class/rtc/rtc0/wakealarm)\" ]; do sleep 0.1; done")
        self.assertGreaterEqual(self.interrupts(machine, comes_by) - before[0], 4)
        self.assertEqual(self.interrupts(machine, other), before[1])
        self.assertIn(f"HPET_emulated\t: {emulated}", self.ask(machine, "cat /proc/driver/rtc"))
        self.power_off(machine, known=known)

    def test_alarms_as_acpi_events(self):
        """What Linux does on PCs of these years that have an HPET."""
        self.check_rtc(9, "no")

    def test_alarms_that_the_hpet_stands_in_for(self):
        # The kernel counts periods that passed while its host was busy.
        self.check_rtc(8, "yes", "--smbios", "bios,date=01/01/2010", known=r"hpet: Lost \d+ RTC interrupts")

    def test_alarms_by_the_clocks_own_interrupt(self):
        # The kernel says of any HPET that it may not use that it has no resources.
        self.check_rtc(8, "no", append="hpet=disable", known="hpet_acpi_add: no address or irqs in _CRS")

    def test_the_hpet_tells_time_and_interrupts(self):
        machine = self.start(append="clocksource=hpet no-kvmclock")
        self.assertTrue(self.ask(machine, "cat /sys/devices/system/clocksource/clocksource0/current_clocksource")
                        .endswith("hpet\n"))
        self.ask(machine, "clock-guest hpet")
        # Its time and the host's go together, as far as the host lets the guest look.
        told = [int(self.ask(machine, "date +%s").split()[-1]) for _ in range(2)]
        self.assertLessEqual(told[0], told[1])
        self.assertLessEqual(told[1], time.time() + 1)
        self.power_off(machine)

    def test_time_that_is_set_stays(self):
        machine = self.start()
        self.ask(machine, "date -s '2031-12-31 23:59:58' && hwclock -u -w && sleep 3")
        self.assertIn("2032", self.ask(machine, "hwclock -u -r"))
        self.ask(machine, "clock-guest rtc")
        self.power_off(machine)


if __name__ == "__main__":
    fixture.start(sys.argv)
    fixture.require_kernel(FLAVOUR)
    unittest.main(argv=sys.argv, verbosity=2)
