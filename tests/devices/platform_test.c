/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Power management, reset registers, pvpanic, debug exit, PCI configuration ports. */
#include "tests/devices/fixture.h"

#include <unistd.h>

#include "vmm/acpi/ports.h"

static void pm_timer_runs_at_its_rate(void **state)
{
	struct fixture *f = fixture__create(&device_class_acpi_pm, NULL);
	uint64_t from = loop__now(), took;
	uint32_t first = fixture__in(f, ACPI_PM_TIMER_PORT, 4), ticks;

	usleep(50000);
	ticks = fixture__in(f, ACPI_PM_TIMER_PORT, 4) - first;
	took = loop__now() - from;
	assert_in_range(ticks, 50000ull * 3579545 / 1000000, took * 3579545 / 1000000000 + 2);
	fixture__destroy(f);
}

static void soft_off(void **state)
{
	struct fixture *f = fixture__create(&device_class_acpi_pm, NULL);

	assert_int_equal(fixture__in(f, ACPI_PM1_CONTROL_PORT, 2), 1); /* SCI_EN */
	fixture__out(f, ACPI_PM1_CONTROL_PORT, 2, ACPI_SLEEP_TYPE_S5 << 10);
	assert_int_equal(f->request, -1);
	fixture__out(f, ACPI_PM1_CONTROL_PORT, 2, 0x2000 | 1 << 10); /* another sleep type */
	assert_int_equal(f->request, -1);
	fixture__out(f, ACPI_PM1_CONTROL_PORT, 2, 0x2000 | ACPI_SLEEP_TYPE_S5 << 10);
	assert_int_equal(f->request, DEVICE_REQUEST_POWER_OFF);
	f->request = -1;
	fixture__out(f, ACPI_PM1_CONTROL_PORT, 2, 0);
	assert_int_equal(f->request, -1);
	fixture__out(f, ACPI_PM1_CONTROL_PORT, 2, 0x2000); /* as firmware does it */
	assert_int_equal(f->request, DEVICE_REQUEST_POWER_OFF);
	fixture__destroy(f);
}

static void power_button(void **state)
{
	struct fixture *f = fixture__create(&device_class_acpi_pm, NULL);

	device_class_acpi_pm.power_button(f->dev);
	assert_false(f->level[ACPI_SCI]);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT, 2), 0x100);
	fixture__out(f, ACPI_PM1_EVENT_PORT + 2, 2, 0x100);
	assert_true(f->level[ACPI_SCI]);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT + 2, 2), 0x100);
	fixture__out(f, ACPI_PM1_EVENT_PORT, 2, 0x100); /* write one to clear */
	assert_false(f->level[ACPI_SCI]);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT, 2), 0);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT + 2, 2), 0x100);
	fixture__destroy(f);
}

/* The bit of the clock's event once it is there; the clock's own flags are read and so cleared. */
static bool alarm_comes(struct fixture *f)
{
	unsigned i;

	fixture__out(f, ACPI_PM1_EVENT_PORT, 2, 0x400);
	outb(f, 0x70, 0x0c);
	inb(f, 0x71);
	for (i = 0; i < 1000 && !(fixture__in(f, ACPI_PM1_EVENT_PORT, 2) & 0x400); i++)
		fixture__pump(f, 10);
	return i < 1000;
}

static void interrupts_of_the_clock_are_events(void **state)
{
	struct fixture *f = fixture__create(&device_class_acpi_pm, NULL);
	struct irq_wire hpet;

	fixture__add(f, &device_class_rtc, 0, NULL);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT, 2), 0);
	outb(f, 0x70, 0x0b);
	outb(f, 0x71, 0x42); /* periodic */
	assert_true(alarm_comes(f));
	assert_true(f->level[RTC_IRQ]);
	assert_false(f->level[ACPI_SCI]);
	fixture__out(f, ACPI_PM1_EVENT_PORT + 2, 2, 0x400);
	assert_true(f->level[ACPI_SCI]);
	/* The line is the HPET's: its own interrupts are no event, the clock's still are. */
	irq_wire__connect(&hpet, &f->irqs, RTC_IRQ);
	irq_wire__own(&hpet, true);
	assert_false(f->level[RTC_IRQ]);
	assert_true(alarm_comes(f));
	assert_false(f->level[RTC_IRQ]);
	assert_true(f->level[ACPI_SCI]);
	outb(f, 0x70, 0x0b);
	outb(f, 0x71, 0x02);
	fixture__out(f, ACPI_PM1_EVENT_PORT, 2, 0x400);
	irq_wire__set(&hpet, true);
	assert_true(f->level[RTC_IRQ]);
	assert_int_equal(fixture__in(f, ACPI_PM1_EVENT_PORT, 2), 0);
	assert_false(f->level[ACPI_SCI]);
	fixture__destroy(f);
}

static void reset_registers(void **state)
{
	struct fixture *f = fixture__create(&device_class_reset_control, NULL);

	outb(f, 0xcf9, 0x02);
	assert_int_equal(f->request, -1);
	assert_int_equal(inb(f, 0xcf9), 0x02);
	outb(f, 0xcf9, 0x06);
	assert_int_equal(f->request, DEVICE_REQUEST_RESET);
	fixture__destroy(f);

	f = fixture__create(&device_class_port92, NULL);
	assert_int_equal(inb(f, 0x92), 0x02);
	outb(f, 0x92, 0x00);
	assert_int_equal(f->request, -1);
	outb(f, 0x92, 0x01);
	assert_int_equal(f->request, DEVICE_REQUEST_RESET);
	fixture__destroy(f);
}

static void panic_and_exit(void **state)
{
	struct fixture *f = fixture__create(&device_class_pvpanic, NULL);

	assert_int_equal(inb(f, PVPANIC_PORT), 3);
	outb(f, PVPANIC_PORT, 2);
	assert_int_equal(f->request, -1);
	outb(f, PVPANIC_PORT, 1);
	assert_int_equal(f->request, DEVICE_REQUEST_PANIC);
	fixture__destroy(f);

	f = fixture__create(&device_class_debug_exit, "port=0x501");
	outb(f, 0xf4, 1);
	assert_int_equal(f->request, -1);
	fixture__out(f, 0x501, 4, 0x15);
	assert_int_equal(f->request, DEVICE_REQUEST_EXIT);
	assert_int_equal(f->status, 0x15 << 1 | 1);
	fixture__destroy(f);
}

static void pci_configuration(void **state)
{
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);

	fixture__out(f, 0xcf8, 4, 0x80000000);
	assert_int_equal(fixture__in(f, 0xcf8, 4), 0x80000000);
	assert_int_equal(fixture__in(f, 0xcfc, 4), 0x29c08086);
	fixture__out(f, 0xcf8, 4, 0x80000008);
	assert_int_equal(fixture__in(f, 0xcfe, 2), 0x0600);
	fixture__out(f, 0xcf8, 4, 0x80000800); /* device 1 */
	assert_int_equal(fixture__in(f, 0xcfc, 4), 0xffffffff);
	fixture__out(f, 0xcf8, 4, 0x00000000); /* not enabled */
	assert_int_equal(fixture__in(f, 0xcfc, 4), 0xffffffff);
	fixture__out(f, 0xcf8, 4, 0x800000fc);
	fixture__in(f, 0xcff, 4); /* crosses the end */
	outb(f, 0xcf8, 0x55);
	assert_int_equal(fixture__in(f, 0xcf8, 4), 0x800000fc); /* bytes do not write it */
	fixture__destroy(f);
}

static void states_survive(void **state)
{
	static const struct {
		const struct device_class *class;
		uint16_t port, count;
	} devices[] = {
		{ &device_class_acpi_pm, ACPI_PM1_EVENT_PORT, 12 },
		{ &device_class_reset_control, 0xcf9, 1 },
		{ &device_class_port92, 0x92, 1 },
		{ &device_class_pci_host, 0xcf8, 8 },
	};
	unsigned i;

	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		struct fixture *f = fixture__create(devices[i].class, NULL);

		fixture__check_state(f, devices[i].port, devices[i].count);
		fixture__hammer(f, devices[i].port, devices[i].count, 20000);
		fixture__destroy(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pm_timer_runs_at_its_rate), cmocka_unit_test(soft_off),
		cmocka_unit_test(power_button),		     cmocka_unit_test(reset_registers),
		cmocka_unit_test(panic_and_exit),	     cmocka_unit_test(pci_configuration),
		cmocka_unit_test(states_survive),	     cmocka_unit_test(interrupts_of_the_clock_are_events),
	};

	return cmocka_run_group_tests_name("platform", tests, NULL, NULL);
}
