# SPDX-License-Identifier: GPL-2.0-or-later
"""Floating point: five bodies that attract each other: nbody.py STEPS.

Only operations that are exactly rounded on every CPU: no pow().
"""
import math
import sys

PAIRS = [(i, j) for i in range(5) for j in range(i + 1, 5)]


def make_bodies():
    return [[[math.ldexp(17 * i % 11 + 1, -1), math.ldexp(5 * i % 7, 0), math.ldexp(3 * i % 5, -2)],
             [0.25 - i / 16, i / 32, 0.125 * (i & 1)],
             1.0 + i] for i in range(5)]


def advance(bodies, steps, dt):
    for _ in range(steps):
        for i, j in PAIRS:
            (x1, y1, z1), v1, m1 = bodies[i]
            (x2, y2, z2), v2, m2 = bodies[j]
            dx, dy, dz = x1 - x2, y1 - y2, z1 - z2
            square = dx * dx + dy * dy + dz * dz + 0.01
            force = dt / (square * math.sqrt(square))
            v1[0] -= dx * m2 * force
            v1[1] -= dy * m2 * force
            v1[2] -= dz * m2 * force
            v2[0] += dx * m1 * force
            v2[1] += dy * m1 * force
            v2[2] += dz * m1 * force
        for place, speed, _ in bodies:
            place[0] += dt * speed[0]
            place[1] += dt * speed[1]
            place[2] += dt * speed[2]
    return bodies


for body in advance(make_bodies(), int(sys.argv[1]), 0.001):
    print(*[value.hex() for value in body[0] + body[1]])
