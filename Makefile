# SPDX-License-Identifier: GPL-2.0-or-later
# The short way in: each target installs what it needs, builds, and does its job. Meson and Ninja
# do the building; see meson.build.

BUILD ?= build
CACHE ?= .cache
KERNEL ?= amd64
MEMORY ?= 512M
CPUS ?= 1
RUN_FLAGS ?=
DISK ?=
BENCH_FLAGS ?=

.PHONY: all run run-tiny image check check-kvm-amd check-installer check-selftests bench setup setup-check setup-bench build program build-sanitized guest clean

all: build

# Debian 12 with a root shell on this terminal; Ctrl-A x leaves. DISK=FILE keeps what is done in it.
run: program image
	@echo "==> Starting the machine (Ctrl-A x leaves)" >&2
	@exec tools/run.sh $(BUILD) $(CACHE) "$(DISK)" --memory $(MEMORY) --cpus $(CPUS) $(RUN_FLAGS)

# A Debian kernel with nothing but busybox.
run-tiny: program guest
	@echo "==> Starting the machine (Ctrl-A x leaves)" >&2
	@exec $(BUILD)/trivet run --kernel $(CACHE)/vmlinuz-$(KERNEL) --initrd $(CACHE)/initramfs.cpio.gz \
		--append "console=ttyS0 quiet" --memory $(MEMORY) --cpus $(CPUS) $(RUN_FLAGS)

# All tests; the last line is the summary.
check: setup-check build guest-all image
	@tools/check.sh $(BUILD) $(CACHE)

# The same on the stock kvm_amd, in QEMU (docs/test-beds.md). Takes about ten minutes.
check-kvm-amd: setup-check build guest-all
	@tests/beds/kvm-amd.py --build $(BUILD) --cache $(CACHE) --verbose

# Debian's installer from a CD, under both firmwares. Fetches 133 MB once, takes a few minutes.
check-installer: setup-check build
	@tools/installer.sh $(CACHE)
	@TRIVET_CACHE=$(abspath $(CACHE)) tests/system/installer_test.py $(BUILD)/trivet $(BUILD)

# The kernel's own KVM selftests on the soft engine. Fetches 140 MB once, takes ten minutes.
check-selftests: setup-check build
	@ninja -C $(BUILD) tests/beds/libtrivet-preload.so >&2
	@tests/beds/selftests.py --build $(BUILD) --work $(CACHE)/selftests

# Programs in Trivet beside QEMU TCG and this host (bench/README.md). Takes half an hour.
bench: setup-bench build
	@tools/guest.sh $(CACHE) cloud-amd64
	@bench/guest.sh $(CACHE) $(BUILD)
	@bench/programs.py --trivet $(BUILD)/trivet --cache $(CACHE) $(BENCH_FLAGS)

build: setup
	@tools/build.sh $(BUILD) all

# What it takes to run a machine, without tests.
program: setup
	@tools/build.sh $(BUILD) trivet

setup:
	@tools/setup.sh run

setup-check:
	@tools/setup.sh run check

setup-bench:
	@tools/setup.sh run bench

image: program
	@tools/debian-image.sh $(CACHE) $(BUILD)/trivet root

guest: setup
	@tools/guest.sh $(CACHE) $(KERNEL)

guest-all: setup-check
	@tools/guest.sh $(CACHE) amd64 cloud-amd64 rt-amd64

# A second build with AddressSanitizer and UBSan, in build-sanitized/.
build-sanitized: setup-check
	@tools/build.sh $(BUILD)-sanitized all -Db_sanitize=address,undefined -Dc_args=-fno-sanitize=alignment

clean:
	rm -rf $(BUILD) $(BUILD)-sanitized
