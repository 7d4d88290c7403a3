# SPDX-License-Identifier: Apache-2.0
"""Drives a flame graph page that is coloured by a metric, in a headless browser; prints TAP.

usage: metric_page.py PAGE REPORT.json
PAGE and REPORT.json are of the same recording of `pages neighbours`, by faults_per_ms, of two events.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from browser import Browser  # noqa: E402
from page_checks import check, click, finish, node_named, picture, settled, text, url  # noqa: E402

PAGE, REPORT = sys.argv[1:3]
with open(REPORT, encoding="utf-8") as f:
    EVENTS = json.load(f)["events"]


def values_of(event):
    """Of the functions: by name, with children."""
    return {row["name"]: row["children_metric"]["value"] for row in event["rows"]}


def value_at(b, node):
    return b.evaluate(f"valueOf(app.event.metric, app.view.tree, {node}).value")


def value_of_all(b, name):
    """The value of all boxes of a function together; one below another is in it already."""
    return b.evaluate(
        "(() => { const t = app.view.tree, named = i => app.view.label(i) === " + json.dumps(name) + ";"
        "const above = i => { for (let p = t.parent[i]; p > 0; p = t.parent[p]) if (named(p)) return true; return false; };"
        "const boxes = [...Array(t.n).keys()].filter(i => i > 0 && named(i) && !above(i));"
        "const sum = list => [boxes.reduce((a, i) => a + list[i], 0)];"
        "const totals = t.counterTotals.map(c => ({ sum: sum(c.sum), us: sum(c.us), samples: sum(c.samples) }));"
        "return valueOf(app.event.metric, { counterTotals: totals }, 0).value; })()")


def pixel(b, node):
    """The colour of a box at its right end, where no text is."""
    return b.evaluate(
        f"(() => {{ const v = app.view, s = v.width / (v.to.right - v.to.left), t = v.tree;"
        f"const x = (t.x[{node}] + t.width[{node}] - v.to.left) * s - 4, y = v.boxOf({node}).y;"
        "const copy = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });"
        "copy.drawImage(v.canvas, -Math.floor(x * v.ratio), -Math.floor(y * v.ratio));"
        "return [...copy.getImageData(0, 0, 1, 1).data].slice(0, 3); })()")


def colour_of_step(b, node):
    return b.evaluate(f"app.view.ramp[app.view.scale.step({node})].fill.match(/[0-9]+/g).map(Number)")


def light(rgb):
    return sum(w * (c / 255) ** 2.2 for w, c in zip((0.2126, 0.7152, 0.0722), rgb))


def near_to(want):
    return lambda got: got is not None and want is not None and abs(got - want) <= 1e-3 * abs(want) + 1e-9


def boxes(b, event):
    values = values_of(event)
    for name in ("touch_pages", "burn_cpu"):
        node = node_named(b, name)
        # Where it was called from elsewhere, or its stack was cut, it has several boxes, each with a value of its own.
        check(f"{event['fired']}: the value of all boxes of {name} is that of the report", value_of_all(b, name), near_to(values[name]))
        check(f"{event['fired']}: its widest box has the colour of its place on the scale", pixel(b, node), colour_of_step(b, node))
    check(f"{event['fired']}: the value of the whole is that of the report", value_at(b, 0), near_to(event["metric"]["all"]["value"]))


def scale(b):
    ramp = b.evaluate("app.view.ramp.map(s => s.fill.match(/[0-9]+/g).map(Number))")
    lights = [light(rgb) for rgb in ramp]
    check("the scale gets lighter all the way", all(x < y for x, y in zip(lights, lights[1:])))
    check("a text on it has a contrast of at least 4.5 : 1", b.evaluate("app.view.ramp.map(s => s.text)"),
          lambda texts: all((max(l, light_of) + 0.05) / (min(l, light_of) + 0.05) >= 4.5
                            for l, light_of in zip(lights, (1.0 if t == "#ffffff" else 0.0 for t in texts))))
    touch, burn = (node_named(b, name) for name in ("touch_pages", "burn_cpu"))
    check("what faults more is brighter", light(pixel(b, touch)) > light(pixel(b, burn)))
    legend = text(b, "#legend")
    check("the legend names the metric and both ends of the scale", legend,
          lambda t: "faults_per_ms" in t and "or less" in t and "or more" in t and "unknown" in t)
    unknown = b.evaluate("[...app.view.scale.values.keys()].find(i => i > 0 && Number.isNaN(app.view.scale.values[i])) ?? -1")
    check("some boxes have too few samples", unknown, lambda n: n > 0)
    check("they are grey", b.evaluate(f"app.view.colours({unknown})[0].match(/[0-9]+/g).map(Number)"),
          lambda rgb: max(rgb) - min(rgb) < 24)
    b.evaluate(f"app.showTooltip({unknown}, 10, 10)")
    check("and their tooltip says so", text(b, "#tooltip"), lambda t: "faults_per_msunknown" in t)
    b.evaluate(f"app.showTooltip({touch}, 10, 10)")
    check("the tooltip of others has the value and its samples", text(b, "#tooltip"),
          lambda t: "/ms (" in t.split("faults_per_ms")[1] and "samples)" in t)


def switches(b):
    before = picture(b)
    b.key("c")
    settled(b)
    check("c colours by origin", [b.evaluate("app.view.scale"), b.evaluate("location.hash")], [None, "#colour=origin"])
    check("and is seen", picture(b), lambda p: p != before)
    check("the legend then has origins", text(b, "#legend"), lambda t: "kernel" in t and "or less" not in t)
    b.key("c")
    settled(b)
    check("c again colours by the metric", picture(b), before)
    low = b.evaluate("app.view.scale.low")
    b.key("v")
    settled(b)
    check("callers have the same scale", b.evaluate("app.view.scale.low"), low)
    check("and the same whole", value_at(b, 0), near_to(EVENTS[0]["metric"]["all"]["value"]))
    check("a leaf's value among callers is its own", value_at(b, b.evaluate(
        "app.view.tree.children.find(i => app.view.label(i) === 'burn_cpu')")),
          near_to(next(r["metric"]["value"] for r in EVENTS[0]["rows"] if r["name"] == "burn_cpu")))
    b.key("v")
    click(b, node_named(b, "touch_pages"))
    check("below the zoomed box colours are dimmed", b.evaluate("app.view.colours(0)[0] === app.view.ramp[app.view.scale.step(0)].dimmed"))
    b.key("Escape")
    settled(b)


with Browser() as browser:
    browser.open(url(PAGE))
    settled(browser)
    boxes(browser, EVENTS[0])
    scale(browser)
    switches(browser)
    browser.evaluate("app.change({event: '1'})")
    settled(browser)
    check("the second event has values of its own", value_at(browser, 0), near_to(EVENTS[1]["metric"]["all"]["value"]))
    check("and so has what it counts by", value_of_all(browser, "touch_pages"), near_to(values_of(EVENTS[1])["touch_pages"]))
    check("no console message, no violation of the policy", browser.problems, [])
sys.exit(finish())
