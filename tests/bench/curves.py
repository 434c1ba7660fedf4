"""How it grows: with accounts, with connections and with a body's size, each drawn as an SVG beside the table."""

import pathlib
import statistics
from xml.sax.saxutils import escape

import bodies
import idle
import rates
import ways

ACCOUNTS = (1, 10, 100, 1000)
CONNECTIONS = (1, 4, 16, 64, 256)
MEBIBYTES = (1, 10, 100, 1000)
WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 640, 360, 70, 50, 40
COLOURS = ("#2a6fdb", "#c2571a")


def curves(stage):
    folder = pathlib.Path(stage.kept).parent
    memory = {"Signbell": [(count, idle.with_accounts(stage, count)[0]) for count in ACCOUNTS]}
    yield from drawn(folder / "accounts.svg", "Idle memory (Pss, MiB) over accounts, each with a service and a tool", memory)

    upstream = ways.notes(stage)
    lines = {"nginx": ways.through_nginx(stage, upstream), "Signbell": ways.through_signbell(stage, upstream)}
    requests = {name: [] for name in lines}
    for connections in CONNECTIONS:
        rounds = rates.measure(lines, connections)
        for name in lines:
            requests[name].append((connections, statistics.median(one[name]["rate"] for one in rounds)))
    yield from drawn(folder / "connections.svg", "Requests a second over connections", requests)

    _, told = stage.script("sink.py")
    way = ways.through_signbell(stage, f"http://127.0.0.1:{told['port']}")
    grown = {name: [] for name in ("down", "up")}
    for size in MEBIBYTES:
        for name, carry in (("down", bodies.down), ("up", bodies.up)):
            grown[name].append((size, bodies.measured(way, carry, size << 20)[2]))
    yield from drawn(folder / "bodies.svg", "Memory that one body takes (peak RSS, MiB) over its size in MiB", grown)


def drawn(path, title, series):
    """Writes the drawing, and yields its figures."""
    path.write_text(svg(title, series))
    yield f"{title}: {path.name}"
    for name, points in series.items():
        yield f"  {name:10}" + ", ".join(f"{x}: {y:,.1f}" for x, y in points)


def svg(title, series):
    """Points joined by lines: the x axis has a tick for each point, evenly apart; y begins at 0."""
    ticks = [x for x, _ in next(iter(series.values()))]
    top = max(max(y for _, y in points) for points in series.values()) * 1.1 or 1
    across = lambda at: LEFT + at * (WIDTH - LEFT - 20) / (len(ticks) - 1)
    up = lambda y: HEIGHT - BELOW - max(y, 0) / top * (HEIGHT - BELOW - ABOVE)
    text = lambda x, y, what, more="": f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(what)}</text>'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 20, title, 'font-size="14"'),
    ]
    for quarter in range(5):
        y = top * quarter / 4
        parts.append(f'<path d="M{LEFT} {up(y):.0f}H{WIDTH - 20}" stroke="#ddd"/>')
        parts.append(text(LEFT - 8, up(y) + 4, f"{y:,.0f}" if top > 20 else f"{y:.1f}", 'text-anchor="end"'))
    for at, tick in enumerate(ticks):
        parts.append(text(across(at), HEIGHT - BELOW + 20, f"{tick:,}", 'text-anchor="middle"'))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        line = " ".join(f"{across(at):.0f},{up(y):.0f}" for at, (_, y) in enumerate(points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(LEFT + number * 120, HEIGHT - 10, name, f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>", ""])
