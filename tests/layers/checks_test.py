#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that the checks in this folder find what they are for: small trees with one fault each."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import documents_test
import includes
import objects
import sources

HEAD = "/* SPDX-License-Identifier: GPL-2.0-or-later */\n/* What this file is for. */\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = self.folder.name

    def write(self, name, text):
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def include(self, name, *headers):
        for header in headers:
            if header[0] != "<" and not os.path.exists(os.path.join(self.root, header)):
                self.write(header, HEAD)
        self.write(name, HEAD + "".join(
            '#include %s\n' % (h if h[0] == "<" else '"%s"' % h) for h in headers))


class Includes(Tree):
    def wrong(self):
        return includes.check(self.root)[0]

    def refuses(self, name, header):
        self.include(name, header)
        problems = self.wrong()
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("%s:3: includes %s" % (name, header.strip("<>")), problems[0])

    def test_allowed(self):
        self.include("core/emulate/alu.c", "core/memory/access.h", "base/types.h", "<linux/kvm.h>")
        self.include("vmm/kvm/kvm.c", "hosts/user/trivet_kvm.h", "<stdio.h>")
        self.assertEqual(self.wrong(), [])

    def test_core_knows_no_engine(self):
        self.refuses("core/vm/run.c", "engines/soft/soft.h")

    def test_core_knows_no_host(self):
        self.refuses("core/api/vm.c", "hosts/user/service.h")

    def test_core_has_no_libc(self):
        self.refuses("core/vm/run.c", "<string.h>")

    def test_decoder_knows_no_machine(self):
        self.refuses("core/decode/decode.c", "core/vm/vm.h")

    def test_machine_knows_no_core(self):
        self.refuses("vmm/kvm/kvm.c", "core/api/api.h")

    def test_only_kvm_knows_the_library(self):
        self.refuses("vmm/vcpu/vcpu.c", "hosts/user/trivet_kvm.h")

    def test_device_knows_no_other(self):
        self.refuses("vmm/devices/serial/uart.c", "vmm/devices/input/ps2.h")

    def test_new_folder_needs_a_row(self):
        self.include("engines/svm/svm.c", "core/engine.h")
        self.include("plugin/a.c", "core/engine.h")
        self.assertEqual(self.wrong(), [])  # not a layer: its files are not looked at
        self.include("vmm/new/a.c", "vmm/kvm/kvm.h")
        self.assertIn("vmm/ may not include this", self.wrong()[0])

    def test_cycle(self):
        self.include("core/vm/a.h", "core/vm/b.h")
        self.include("core/vm/b.h", "core/vm/c.h")
        self.include("core/vm/c.h", "core/vm/a.h")
        self.assertIn("headers include each other", self.wrong()[0])


class Sources(Tree):
    def wrong(self):
        return sources.check(self.root)[0]

    def test_good(self):
        self.write("core/a.c", HEAD)
        self.write("tools/a.sh", "#!/bin/sh\n# SPDX-License-Identifier: GPL-2.0-or-later\n"
                                 "# Does one thing.\nHOME=/root\n")
        self.assertEqual(self.wrong(), [])

    def test_licence(self):
        self.write("core/a.c", "/* What this file is for. */\n")
        self.assertIn("SPDX", self.wrong()[0])

    def test_purpose(self):
        self.write("core/a.c", HEAD.split("\n")[0] + "\nint a;\n")
        self.assertIn("what the file is for", self.wrong()[0])

    def test_path(self):
        self.write("docs/a.md", "Look into /" + "home/someone/src.\n")
        self.assertIn("docs/a.md:1: path", self.wrong()[0])


class Documents(Tree):
    def test_names(self):
        self.write("core/a.c", HEAD + "/* As memory__b() and core/b.c say, and list__c8(). */\n"
                                      "void memory__b(void);\n#define LIST(n) list__c##n\n")
        problems = documents_test.check_names(self.root)
        self.assertEqual(problems, ["core/a.c: names core/b.c, which is not there"])
        self.write("docs/a.md", "See `memory__gone()`.\n")
        self.assertIn("docs/a.md: names memory__gone(), which is not there",
                      documents_test.check_names(self.root))

    def test_links(self):
        self.write("README.md", "[a](docs/a.md) [b](docs/b.md#top) [c](https://example.org)\n")
        self.write("docs/a.md", "[back](../README.md)\n")
        self.assertEqual(documents_test.check_links(self.root),
                         ["README.md: link to docs/b.md, which is not there"])

    def test_packages(self):
        self.write("tools/setup.sh", 'run_packages="gcc meson"\ncheck_packages="expect"\n')
        self.write("docs/dependencies.md", "| `gcc`, `ninja` | x |\n| `expect` | y |\n")
        self.assertEqual(documents_test.check_packages(self.root),
                         ["docs/dependencies.md: meson of tools/setup.sh is missing",
                          "docs/dependencies.md: ninja is not installed by tools/setup.sh"])

    def test_api(self):
        for name, request in (("system", "KVM_A"), ("vm", "KVM_B"), ("vcpu", "KVM_C")):
            self.write("core/api/%s.c" % name, "API_ROW(%s, API_IN, a),\n" % request)
        self.write("core/api/capability.c", "\t{ KVM_CAP_A, 1 },\n\tcase KVM_CAP_B:\n")
        text = ("On the system descriptor: `KVM_A`\nOn a VM's descriptor: %s\n"
                "On a vCPU's descriptor: `KVM_C`\n## Capabilities\n`KVM_CAP_A`, `KVM_CAP_B`%s\n"
                "`KVM_ENABLE_CAP` on a VM\n")
        self.write("docs/api.md", text % ("`KVM_B`", ""))
        self.assertEqual(documents_test.check_api(self.root), [])
        self.write("docs/api.md", text % ("`KVM_D`", ", `KVM_CAP_D`"))
        self.assertEqual(len(documents_test.check_api(self.root)), 3)


class Objects(Tree):
    def archive(self, name, source):
        path = self.write(name + ".c", source)
        obj = os.path.join(self.root, name + ".c.o")
        subprocess.run(["cc", "-O1", "-ffreestanding", "-fcf-protection=none", "-c", path, "-o",
                        obj], check=True)
        lib = os.path.join(self.root, "lib%s.a" % name)
        subprocess.run(["ar", "rcs", lib, obj], check=True)
        return lib

    def test_calls(self):
        core = self.archive("core", "int host__a(void); int b(void);\n"
                                    "int a(void) { return host__a() + b(); }\n")
        soft = self.archive("soft", "int a(void); int e(void) { return a(); }\n")
        problems = objects.check_calls(core, soft)[0]
        self.assertEqual(len(problems), 1, problems)
        self.assertIn("calls b,", problems[0])

    def test_core_calls_engine(self):
        core = self.archive("core", "int e(void); int a(void) { return e(); }\n")
        soft = self.archive("soft", "int e(void) { return 1; }\n")
        self.assertIn("engine's e", objects.check_calls(core, soft)[0][0])

    def test_registers(self):
        clean = self.archive("clean", "long a(long x) { return x * 3; }\n")
        self.assertEqual(objects.check_registers([clean])[0], [])
        for name, source in {
                "sse": "double a(double x) { return x * 3; }\n",
                "x87": "long double a(long double x) { return x * 3; }\n",
                "control": 'void a(void *p) { __asm__ volatile("stmxcsr (%0)" : : "r"(p)); }\n',
                "state": 'void a(void *p) { __asm__ volatile("fxsave64 (%0)" : : "r"(p)); }\n',
                "mmx": 'void a(void) { __asm__ volatile("movd %eax, %mm1"); }\n'}.items():
            problems = objects.check_registers([self.archive(name, source)])[0]
            self.assertEqual(len(problems), 1, (name, problems))

    def test_parking(self):
        core = self.archive("core", "int a(void) { return 0; }\n")
        soft = self.archive("soft", "void soft__park_vectors(void) { }\n")
        start = "void soft__park_vectors(void); int puts(const char *s);\n"
        use = "void use(void) { puts(0); }\n"
        for name, body, wrong in (
                ("direct", "void host__a(void) { puts(0); }\n", 1),
                ("indirect", use + "void host__a(void) { use(); }\n", 1),
                ("parked", use + "void host__a(void) { soft__park_vectors(); use(); }\n", 0),
                ("inner", "void use(void) { soft__park_vectors(); puts(0); }\n"
                          "void host__a(void) { use(); }\n", 0)):
            host = self.archive(name, start + body)
            problems = objects.check_parking(core, soft, host)[0]
            self.assertEqual(len(problems), wrong, (name, problems))


if __name__ == "__main__":
    unittest.main()
