# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes a disk that starts from BIOS and from UEFI: GRUB, a kernel and an initramfs on it."""
import pathlib
import struct
import subprocess

SECTOR = 512
BIOS_FIRST, ESP_FIRST = 2048, 8192
MODULES = ["part_gpt", "part_msdos", "fat", "linux", "normal", "configfile", "echo", "serial", "terminal"]
NEEDS = ("/usr/bin/grub-mkimage", "/usr/bin/mcopy", "/usr/sbin/sfdisk",
         "/usr/lib/grub/i386-pc/boot.img", "/usr/lib/grub/x86_64-efi/linux.mod")

# What GRUB prints on the firmware's own console shows that console's way to the serial port.
CONFIG = """
echo "trivet: GRUB on $grub_platform"
serial --unit=0 --speed=115200
terminal_output serial
echo "trivet: GRUB on the serial port"
linux /vmlinuz console=ttyS0 quiet
initrd /initrd
boot
"""
EARLY = "search --file --set=root /vmlinuz\nset prefix=($root)/\nnormal ($root)/grub.cfg\n"


def missing():
    return [path for path in NEEDS if not pathlib.Path(path).exists()]


def run(*argv, stdin=None):
    subprocess.run(argv, check=True, input=stdin, stdout=subprocess.DEVNULL)


def make_grub(directory, platform, *modules):
    early, image = directory / "early.cfg", directory / f"grub-{platform}"
    early.write_text(EARLY)
    run("grub-mkimage", "-O", platform, "-c", str(early), "-p", "/", "-o", str(image),
        "search", "search_fs_file", *MODULES, *modules)
    return image


def embed_for_bios(disk, core):
    """What grub-bios-setup does: the first sector loads the core image from the BIOS partition."""
    boot = bytearray(pathlib.Path("/usr/lib/grub/i386-pc/boot.img").read_bytes()[:SECTOR])
    core = bytearray(core)
    struct.pack_into("<Q", boot, 0x5c, BIOS_FIRST)
    struct.pack_into("<Q", core, 0x1f4, BIOS_FIRST + 1)  # the list in the core's own first sector
    with open(disk, "r+b") as file:
        table = file.read(SECTOR)
        file.seek(0)
        file.write(boot[:440] + table[440:])
        file.seek(BIOS_FIRST * SECTOR)
        file.write(core)


def make(directory, kernel, initrd):
    """The path of the disk, in `directory`."""
    disk = directory / "disk.raw"
    size = sum(pathlib.Path(path).stat().st_size for path in (kernel, initrd))
    sectors = ESP_FIRST + (size + (8 << 20)) // SECTOR
    with open(disk, "wb") as file:
        file.truncate((sectors + 2048) * SECTOR)
    run("sfdisk", "-q", str(disk), stdin=f"""label: gpt
start={BIOS_FIRST}, size={ESP_FIRST - BIOS_FIRST}, type=21686148-6449-6E6F-744E-656564454649
start={ESP_FIRST}, size={sectors - ESP_FIRST}, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B
""".encode())
    embed_for_bios(disk, make_grub(directory, "i386-pc", "biosdisk").read_bytes())
    efi = make_grub(directory, "x86_64-efi")
    config = directory / "grub.cfg"
    config.write_text(CONFIG)
    place = f"{disk}@@{ESP_FIRST * SECTOR}"
    run("mformat", "-i", place, "-T", str(sectors - ESP_FIRST), "-h", "16", "-s", "63", "::")
    run("mmd", "-i", place, "::/EFI", "::/EFI/BOOT")
    for source, target in ((efi, "EFI/BOOT/BOOTX64.EFI"), (config, "grub.cfg"), (kernel, "vmlinuz"),
                           (initrd, "initrd")):
        run("mcopy", "-i", place, str(source), f"::/{target}")
    return disk
