# SPDX-License-Identifier: GPL-2.0-or-later
"""Results of contenders side by side: medians, slowdowns, ratios, and what was aimed at."""
import math

HEAD = ["row", "unit", "native", "Trivet", "QEMU TCG", "Trivet / native", "TCG / native", "TCG / Trivet"]

# What is aimed at: geometric means, and limits of single rows.
REAL_SLOWDOWN = 3.0
VECTOR_SLOWDOWN = 1.5
MICRO_RATIO = 4.0


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values))


def show_time(seconds):
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")):
        if seconds * factor >= 1:
            break
    return "%.3g %s" % (seconds * factor, unit)


def show_ratio(a, b):
    return "%.2f" % (a / b) if a and b else ""


class Table:
    def __init__(self, rows, contenders):
        """`rows` gives each row's list, group and kind."""
        self.rows = rows
        self.contenders = contenders
        self.failures = [(c.name, row, why) for c in contenders for row, why in c.failures.items()]
        self.values = {row: self.row_values(row) for row in rows}

    def one(self, name, row):
        return next((c.median(row) for c in self.contenders if c.name == name), None)

    def row_values(self, row):
        """(native, Trivet, TCG, the model that TCG was faster with)."""
        models = [(c.median(row), c.name) for c in self.contenders
                  if c.name.startswith("tcg-") and c.median(row)]
        return (self.one("native", row), self.one("trivet", row), *min(models, default=(None, "")))

    def cell(self, name, row, value, note=""):
        if value:
            return show_time(value) + note
        failed = any(row in c.failures for c in self.contenders if c.name.startswith(name))
        return "failed" if failed else ""

    def cells(self, row):
        native, trivet, tcg, model = self.values[row]
        unit = next((c.units[row] for c in self.contenders if row in c.units), "")
        note = " (%s)" % model.removeprefix("tcg-") if model else ""
        return [row, unit, self.cell("native", row, native), self.cell("trivet", row, trivet),
                self.cell("tcg-", row, tcg, note), show_ratio(trivet, native),
                show_ratio(tcg, native), show_ratio(tcg, trivet)]

    def mean(self, rows, above, below):
        """Geometric mean of a ratio over the rows that have both, or None, and over how many."""
        ratios = [self.values[r][above] / self.values[r][below] for r in rows
                  if self.values[r][above] and self.values[r][below]]
        return (geometric_mean(ratios) if ratios else None), len(ratios)

    def summary(self, name):
        """Lines on one of the two lists."""
        rows = [row for row, place in self.rows.items() if place[0] == name]
        for what, above, below in (("Trivet / native", 1, 0), ("TCG / native", 2, 0),
                                   ("TCG / Trivet", 2, 1)):
            mean, count = self.mean(rows, above, below)
            if mean:
                yield "%s, geometric mean of %s: %.2f (%d of %d rows)" % (name, what, mean, count,
                                                                         len(rows))

    def goals(self):
        real = [row for row, place in self.rows.items() if place[0] == "real"]
        micro = [row for row, place in self.rows.items() if place[0] == "micro"]
        vector = [row for row, place in self.rows.items() if place[2] == "vector"]
        slower = [row for row in real if self.values[row][1] and self.values[row][2]
                  and self.values[row][1] > self.values[row][2]]
        far = [row for row in vector if self.values[row][0] and self.values[row][1]
               and self.values[row][1] > VECTOR_SLOWDOWN * self.values[row][0]]
        slowdown, _ = self.mean(real, 1, 0)
        ratio, _ = self.mean(micro, 2, 1)
        if slowdown:
            yield slowdown <= REAL_SLOWDOWN, "real programs at most %.1f times slower than native: %.2f" % (
                REAL_SLOWDOWN, slowdown)
        if self.mean(real, 2, 1)[0]:
            yield not slower, "no real program slower than TCG: " + (" ".join(slower) or "none is")
        if self.mean(vector, 1, 0)[0]:
            yield not far, "vector and crypto rows at most %.1f times slower than native: %s" % (
                VECTOR_SLOWDOWN, " ".join(far) + " slower" if far else "all are")
        if ratio:
            yield ratio >= MICRO_RATIO, "micro rows at least %.1f times faster than TCG: %.2f" % (
                MICRO_RATIO, ratio)

    def lines(self, markdown):
        table = [HEAD] + [self.cells(row) for row in self.rows]
        if markdown:
            table.insert(1, ["---"] * len(HEAD))
            yield from ("| %s |" % " | ".join(cells) for cells in table)
            yield ""
        else:
            widths = [max(len(cells[i]) for cells in table) for i in range(len(HEAD))]
            yield from ("  ".join(c.ljust(w) for c, w in zip(cells, widths)).rstrip()
                        for cells in table)
        bullet = "- " if markdown else ""
        for name in ("real", "micro"):
            yield from (bullet + line for line in self.summary(name))
        yield from (bullet + ("met: " if met else "not met: ") + text for met, text in self.goals())
        yield from (bullet + "failed: %s: %s: %s" % failure for failure in self.failures)
