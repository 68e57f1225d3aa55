/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MMIO transport (virtio 1.2, 4.2): registers, the line, doorbells, windows, its ACPI node. */
#define _GNU_SOURCE
#include "tests/devices/virtio_driver.h"

#include <stdio.h>
#include <string.h>

#include "vmm/acpi/aml.h"
#include "vmm/devices/virtio/balloon.h"
#include "vmm/devices/virtio/virtio.h"

#define RNG (&device_class_virtio_rng)
#define ENTROPY_ID 4
#define FIRST_WINDOW 0xfef00000u
#define WINDOW_BYTES 0x1000u
#define GSI 20
#define DOORBELLS 8

static struct driver *driver;
static struct doorbell hung[DOORBELLS];
static unsigned nr_hung;

static int set_up(void **state)
{
	setenv("TRIVET_TEST_TRANSPORT", "mmio", 1);
	driver = driver__create(RNG, "queue-size=16");
	return 0;
}

static int tear_down(void **state)
{
	driver__destroy(driver);
	return 0;
}

static uint32_t get(unsigned reg)
{
	return (uint32_t)driver__read(driver, FIRST_WINDOW + reg, 4);
}

static void set(unsigned reg, uint32_t value)
{
	driver__write(driver, FIRST_WINDOW + reg, 4, value);
}

static bool line_is_high(void)
{
	return driver->f->level[GSI];
}

/* A buffer goes and comes back. */
static void use_queue(void)
{
	const struct driver_buffer buffer = { driver__alloc(driver, 64), 64, true };
	uint32_t length;
	unsigned id;

	driver__add(driver, 0, &buffer, 1, false);
	driver__kick(driver, 0);
	assert_true(driver__used(driver, 0, &id, &length));
	assert_int_equal(length, 64);
}

static void identity(void **state)
{
	assert_int_equal(get(0x000), 0x74726976);
	assert_int_equal(get(0x004), 2);
	assert_int_equal(get(0x008), ENTROPY_ID);
	assert_int_equal(get(0x00c), 0x1af4);
	set(0x014, 1);
	assert_int_equal(get(0x010) & 1, 1); /* VERSION_1 */
	set(0x014, 2);
	assert_int_equal(get(0x010), 0);
	/* No shared memory: all ones, whichever region is selected. */
	set(0x0ac, 3);
	assert_int_equal(get(0x0b0), 0xffffffff);
	assert_int_equal(get(0x0b4), 0xffffffff);
	assert_int_equal(get(0x0b8), 0xffffffff);
	assert_int_equal(get(0x0bc), 0xffffffff);
	assert_int_equal(get(0x0c0), 0); /* queues are not reset one by one */
}

static void registers_are_accessed_whole(void **state)
{
	unsigned reg;

	for (reg = 0; reg < 0x100; reg++) {
		assert_int_equal(driver__read(driver, FIRST_WINDOW + reg, 1), 0);
		assert_int_equal(driver__read(driver, FIRST_WINDOW + reg, 2), 0);
		if (reg % 4)
			assert_int_equal(driver__read(driver, FIRST_WINDOW + reg, 4), 0);
	}
	driver__write(driver, FIRST_WINDOW + 0x70, 1, 1);
	driver__write(driver, FIRST_WINDOW + 0x70, 2, 1);
	driver__write(driver, FIRST_WINDOW + 0x71, 4, 1);
	assert_int_equal(get(0x70), 0);
	set(0x70, 1);
	assert_int_equal(get(0x70), 1);
	set(0x70, 0x100); /* no bit that exists, and no reset */
	assert_int_equal(get(0x70), 1);
	set(0x70, 0);
	assert_int_equal(get(0x70), 0);
}

static void registers_that_cannot_be_read_or_written(void **state)
{
	static const uint16_t write_only[] = { 0x014, 0x020, 0x024, 0x030, 0x038, 0x050, 0x064,
					       0x080, 0x084, 0x090, 0x094, 0x0a0, 0x0a4, 0x0ac };
	static const uint16_t read_only[] = { 0x000, 0x004, 0x008, 0x00c, 0x010, 0x034, 0x060, 0x0fc };
	unsigned i;

	for (i = 0; i < ARRAY_LENGTH(write_only); i++)
		assert_int_equal(get(write_only[i]), 0);
	for (i = 0; i < ARRAY_LENGTH(read_only); i++) {
		uint32_t before = get(read_only[i]);

		set(read_only[i], ~before);
		assert_int_equal(get(read_only[i]), before);
	}
}

static void queues(void **state)
{
	assert_int_equal(get(0x034), 16);
	set(0x030, 1);
	assert_int_equal(get(0x034), 0); /* there is no second one */
	set(0x044, 1);
	assert_int_equal(get(0x044), 0);
	set(0x030, 0xffffffff);
	assert_int_equal(get(0x034), 0);
	/* One that is ready keeps its size and areas. */
	assert_int_equal(driver__negotiate(driver, 0), 11);
	driver__enable(driver, 0, 8);
	set(0x038, 4);
	set(0x080, 0x1000);
	set(0x084, 0x1000);
	driver__start(driver);
	use_queue();
	/* Sizes that cannot be are ignored. */
	driver__negotiate(driver, 0);
	set(0x038, 17);
	set(0x038, 0);
	driver__enable(driver, 0, 16);
	driver__start(driver);
	use_queue();
}

static void a_queue_can_be_taken_back_before_the_start(void **state)
{
	assert_int_equal(driver__negotiate(driver, 0), 11);
	driver__enable(driver, 0, 8);
	set(0x044, 2);
	assert_int_equal(get(0x044), 1);
	set(0x044, 0);
	assert_int_equal(get(0x044), 0);
	driver__enable(driver, 0, 16);
	driver__start(driver);
	use_queue();
	/* Afterwards the device stops: it may have some of its buffers. */
	set(0x044, 0);
	assert_int_equal(get(0x044), 0);
	assert_int_equal(driver__status(driver), 15 | VIRTIO_STATUS_NEEDS_RESET);
	driver__run(driver, 0, 1, 16);
	use_queue();
}

/* A device whose configuration changes when the test says so. */
static void take_balloon(void)
{
	driver__destroy(driver);
	driver = driver__create(&device_class_virtio_balloon, "queue-size=16");
}

static void inflate(void)
{
	const struct driver_buffer buffer = { driver__alloc(driver, 4), 4, false };
	uint32_t length;
	unsigned id;

	driver__add(driver, 0, &buffer, 1, false);
	driver__kick(driver, 0);
	fixture__pump(driver->f, 5);
	assert_true(driver__used(driver, 0, &id, &length));
}

static void change_config(void)
{
	static uint64_t target;

	target ^= 1 << 20;
	assert_int_equal(virtio_balloon__set_target(driver__device(driver), target), 0);
}

static void the_line_stays_high_until_all_is_acknowledged(void **state)
{
	take_balloon();
	driver__run(driver, 0, 1, 16);
	assert_false(line_is_high());
	inflate();
	assert_true(line_is_high());
	assert_int_equal(get(0x060), 1);
	assert_int_equal(get(0x060), 1); /* reading changes nothing */
	change_config();
	assert_int_equal(get(0x060), 3);
	set(0x064, 1);
	assert_int_equal(get(0x060), 2);
	assert_true(line_is_high());
	set(0x064, 0xfffffffd);
	assert_true(line_is_high());
	set(0x064, 2);
	assert_int_equal(get(0x060), 0);
	assert_false(line_is_high());
	/* A reset takes it down, too. */
	inflate();
	assert_true(line_is_high());
	set(0x070, 0);
	assert_false(line_is_high());
	assert_int_equal(get(0x060), 0);
}

static void generation_goes_with_the_configuration(void **state)
{
	uint32_t before;

	take_balloon();
	before = get(0x0fc);
	change_config();
	assert_int_not_equal(get(0x0fc), before);
	assert_false(line_is_high()); /* no driver to be told */
}

static int hang(void *opaque, const struct doorbell *doorbell, bool on)
{
	unsigned i;

	for (i = 0; i < nr_hung; i++)
		if (hung[i].address == doorbell->address && hung[i].value == doorbell->value &&
		    hung[i].fd == doorbell->fd)
			break;
	assert_true(on == (i == nr_hung));
	if (on)
		hung[nr_hung++] = *doorbell;
	else
		hung[i] = hung[--nr_hung];
	return 0;
}

/* Each queue has its own at the same place, told by the number that is written. */
static void doorbells_match_the_number(void **state)
{
	struct driver *console;
	unsigned i, numbers = 0;

	console = driver__create(&device_class_virtio_console, "queue-size=16");
	console->f->messages.doorbell = hang;
	driver__run(console, 0, 4, 16);
	assert_int_equal(nr_hung, 4);
	for (i = 0; i < 4; i++) {
		assert_int_equal(hung[i].address, FIRST_WINDOW + 0x50);
		assert_true(hung[i].has_value);
		numbers |= 1u << hung[i].value;
	}
	assert_int_equal(numbers, 0xf);
	driver__set(console, DRIVER_REG_STATUS, 0);
	assert_int_equal(nr_hung, 0);
	driver__destroy(console);
}

static void notifications_without_doorbells(void **state)
{
	driver__run(driver, 0, 1, 16);
	use_queue();
	set(0x050, 1);
	set(0x050, 0xffffffff);
	driver__write(driver, FIRST_WINDOW + 0x50, 2, 0);
	assert_int_equal(driver__status(driver), 15);
}

static bool contains(const struct aml *aml, const void *bytes, size_t size)
{
	return memmem(aml->data, aml->size, bytes, size);
}

/* Windows and lines follow one another; the fifth device shares the first one's line. */
static void several_devices(void **state)
{
	struct device *dev = NULL;
	struct aml aml = { 0 };
	unsigned i;

	for (i = 1; i < 4; i++)
		dev = fixture__add(driver->f, RNG, i, "transport=mmio");
	dev = fixture__add(driver->f, &device_class_virtio_balloon, 0, "transport=mmio");
	for (i = 0; i < 5; i++)
		assert_int_equal(driver__read(driver, FIRST_WINDOW + i * WINDOW_BYTES, 4), 0x74726976);
	assert_int_equal(driver__read(driver, FIRST_WINDOW + 5 * WINDOW_BYTES, 4), 0xffffffff);
	dev->class->acpi(dev, &aml);
	assert_int_equal(aml.error, 0);
	assert_true(contains(&aml, "VM04", 4));
	assert_true(contains(&aml, "LNRO0005", 9));
	assert_true(contains(&aml, "\x00\x40\xf0\xfe\x00\x10\x00\x00", 8)); /* window, its length */
	assert_true(contains(&aml, "\x0d\x01\x14\x00\x00\x00", 6)); /* level, shared, line 20 */
	free(aml.data);
}

static void expect_refusal(const char *options, const char *message)
{
	struct device *dev = NULL;
	char error[200] = "";
	int err = device__create(RNG, 1, options, &driver->f->services, &dev, error, sizeof(error));

	if (!err)
		err = device__realize(dev, error, sizeof(error));
	assert_int_equal(err, -22);
	if (!strstr(error, message))
		fail_msg("%s: \"%s\"", options, error);
	device__destroy(dev);
}

static void options_that_do_not_fit(void **state)
{
	unsigned i;

	expect_refusal("transport=isa", "must be pci or mmio");
	expect_refusal("transport=", "must be pci or mmio");
	expect_refusal("transport=mmio,addr=3", "leave addr and port out");
	expect_refusal("transport=mmio,port=1", "leave addr and port out");
	for (i = 1; i < 64; i++)
		fixture__add(driver->f, RNG, i, "transport=mmio");
	expect_refusal("transport=mmio", "64 windows");
}

/* A line that was high is high again after a load. */
static void state_has_the_line(void **state)
{
	struct device *dev = driver__device(driver);
	size_t size = state__size(dev->class->state);
	uint8_t *saved = malloc(size);

	driver__run(driver, 0, 1, 16);
	use_queue();
	assert_int_equal(state__save(dev->class->state, dev, saved, size), size);
	set(0x064, 1);
	assert_false(line_is_high());
	assert_int_equal(state__load(dev->class->state, dev, saved, size), 0);
	assert_true(line_is_high());
	assert_int_equal(get(0x060), 1);
	free(saved);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identity),
		TEST(registers_are_accessed_whole),
		TEST(registers_that_cannot_be_read_or_written),
		TEST(queues),
		TEST(a_queue_can_be_taken_back_before_the_start),
		TEST(the_line_stays_high_until_all_is_acknowledged),
		TEST(generation_goes_with_the_configuration),
		TEST(doorbells_match_the_number),
		TEST(notifications_without_doorbells),
		TEST(several_devices),
		TEST(options_that_do_not_fit),
		TEST(state_has_the_line),
	};

	return cmocka_run_group_tests_name("virtio-mmio", tests, NULL, NULL);
}
