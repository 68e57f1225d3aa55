/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot order: paths as SeaBIOS and OVMF read them, in the order of bootindex. */
#include "tests/devices/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/firmware/items.h"
#include "vmm/machine/boot_order.h"

#define IMAGE "file=/proc/self/exe,format=raw,read-only=on"

static struct fw_cfg_items items;
static char error[200];

static struct fixture *start(void)
{
	struct fixture *f = fixture__create(&device_class_pci_host, NULL);

	fw_cfg_items__free(&items);
	return f;
}

static void check(struct fixture *f, const char *order)
{
	const struct fw_cfg_item *item;

	if (machine_boot_order__add(&items, f->dev, error, sizeof(error)))
		fail_msg("%s", error);
	item = fw_cfg_items__find(&items, FW_CFG_FIRST_FILE);
	if (!order) {
		assert_null(item);
		return;
	}
	assert_non_null(item);
	assert_string_equal(item->name, "bootorder");
	assert_string_equal((const char *)item->data, order);
	assert_int_equal(item->size, strlen(order) + 1);
	fw_cfg_items__free(&items);
}

static void nothing_without_places(void **state)
{
	struct fixture *f = start();

	fixture__add(f, &device_class_virtio_block, 0, IMAGE);
	check(f, NULL);
	fixture__destroy(f);
}

static void paths_in_order(void **state)
{
	struct fixture *f = start();

	fixture__add(f, &device_class_isa_bridge, 0, NULL);
	fixture__add(f, &device_class_root_port, 0, "addr=2");
	fixture__add(f, &device_class_root_port, 1, "addr=1c");
	fixture__add(f, &device_class_root_port, 2, "addr=1c.3");
	fixture__add(f, &device_class_virtio_block, 0, IMAGE ",bootindex=20,addr=5");
	fixture__add(f, &device_class_virtio_block, 1, IMAGE ",bootindex=9999,port=1");
	fixture__add(f, &device_class_virtio_block, 2, IMAGE);
	fixture__add(f, &device_class_ahci, 0, "addr=1f.2");
	fixture__add(f, &device_class_ahci_disk, 0, IMAGE ",port=4,bootindex=0");
	fixture__add(f, &device_class_ahci_cd, 0, "bootindex=3");
	fixture__add(f, &device_class_virtio_block, 3, IMAGE ",bootindex=4,port=3");
	check(f, "/pci@i0cf8/pci8086,2922@1f,2/drive@4/disk@0\n"
		 "/pci@i0cf8/pci8086,2922@1f,2/drive@0/disk@0\n"
		 "/pci@i0cf8/pci-bridge@1c,3/scsi@0/disk@0,0\n"
		 "/pci@i0cf8/scsi@5/disk@0,0\n"
		 "/pci@i0cf8/pci-bridge@2/scsi@0/disk@0,0");
	fixture__destroy(f);
}

static void the_users_item_stays(void **state)
{
	struct fixture *f = start();

	fixture__add(f, &device_class_virtio_block, 0, IMAGE ",bootindex=1");
	assert_int_equal(fw_cfg_items__add_file(&items, "bootorder", "mine", 5), 0);
	check(f, "mine");
	fixture__destroy(f);
}

static void a_place_is_one_devices(void **state)
{
	struct fixture *f = start();

	fixture__add(f, &device_class_virtio_block, 0, IMAGE ",bootindex=1");
	fixture__add(f, &device_class_virtio_block, 1, IMAGE ",bootindex=0");
	fixture__add(f, &device_class_ahci, 0, NULL);
	fixture__add(f, &device_class_ahci_cd, 0, "bootindex=1");
	assert_int_equal(machine_boot_order__add(&items, f->dev, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "bootindex=1: another device has it"));
	assert_int_equal(items.count, 0);
	fixture__destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_without_places),
		cmocka_unit_test(paths_in_order),
		cmocka_unit_test(the_users_item_stays),
		cmocka_unit_test(a_place_is_one_devices),
	};

	return cmocka_run_group_tests_name("boot_order", tests, NULL, NULL);
}
