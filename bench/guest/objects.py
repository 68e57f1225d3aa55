# SPDX-License-Identifier: GPL-2.0-or-later
"""Objects, lists, dictionaries, strings and closures, made and thrown away: objects.py OBJECTS."""
import sys


class Shape:
    def __init__(self, name, sides):
        self.name = name
        self.sides = sides

    def size(self):
        return len(self.name) + self.sides


class Coloured(Shape):
    def __init__(self, name, sides, colour):
        super().__init__(name, sides)
        self.colour = colour

    def size(self):
        return super().size() + self.colour % 7


def run(count):
    words = {}
    total = 0
    for start in range(0, count, 1000):
        shapes = [Coloured("shape-%d" % (i * 7919 % 100003), i % 12, i) if i % 3
                  else Shape("s" * (i % 20), i) for i in range(start, min(start + 1000, count))]
        shapes.sort(key=lambda shape: (shape.sides, shape.name))
        for shape in shapes:
            total += shape.size()
            for part in shape.name.split("-"):
                words[part[:4]] = words.get(part[:4], 0) + 1
        text = ",".join(sorted({shape.name for shape in shapes}))
        total += sum(1 for name in text.split(",") if name.endswith("7"))
        tree = None
        for shape in shapes[::5]:
            tree = (shape.size(), tree, [shape])
        while tree:
            total += tree[0]
            tree = tree[1]
    return total, sorted(words.items())[:50]


print(*run(int(sys.argv[1])))
