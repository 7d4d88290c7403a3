# SPDX-License-Identifier: Apache-2.0
"""Drives flame graph pages in a headless browser; prints TAP.

usage: flame_page.py PAGE REPORT.json HOSTILE_PAGE
PAGE is of a recording of `shares functions`, REPORT.json the report of its first event.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from browser import Browser  # noqa: E402
from page_checks import check, click, finish, near, node_named, percent, picture, settled, text, url  # noqa: E402

PAGE, REPORT, HOSTILE = sys.argv[1:4]
with open(REPORT, encoding="utf-8") as f:
    EVENT = json.load(f)["events"][0]
ROWS = {row["name"]: row for row in EVENT["rows"]}

def shares_page(b):
    b.open(url(PAGE))
    settled(b)
    check("the page asks for nothing but itself", b.requests, [url(PAGE)])
    check("the header names the event that fired and its rate", text(b, "#facts"),
          lambda t: EVENT["fired"] in t and "999 Hz" in t)
    check("the header tells samples, losses and what is missing", text(b, "#facts"),
          lambda t: all(w in t for w in (f"Samples{EVENT['samples']:,}", "Lost", "Not delivered",
                                         "Truncated", "Without name", "Window")))
    check("the tree holds every sample", b.evaluate("app.view.tree.total.samples[0]"),
          EVENT["samples"])

    before = picture(b)
    node = node_named(b, "burn_seventy")
    click(b, node)
    check("a click zooms: the box has the whole width", b.evaluate(
        f"Math.abs(app.view.viewport.right - app.view.viewport.left - app.view.tree.width[{node}])"),
          lambda d: d < 1e-9)
    check("the zoom is seen", picture(b), lambda p: p != before)
    check("the crumbs lead to the box", text(b, "#crumbs"), lambda t: t.endswith("burn_seventy"))
    check("the address keeps the zoom", b.evaluate("location.hash"), f"#zoom={node}")
    b.key("-")
    check("- zooms out by one", b.evaluate("app.view.zoomed"),
          b.evaluate(f"app.view.tree.parent[{node}]"))
    b.key("Escape")
    settled(b)
    check("Escape resets the zoom", b.evaluate("app.view.zoomed"), 0)
    click(b, node, 2)
    check("a double click resets the zoom", b.evaluate("app.view.zoomed"), 0)
    b.mouse(2, 2)
    b.evaluate("app.view.redraw()")
    settled(b)
    check("then everything looks as before", picture(b), before)

    search(b)
    views(b)
    check("no console message, no violation of the policy", b.problems, [])


def search(b):
    for query, rows in (("burn_seventy", ["burn_seventy"]),
                        ("BURN_T", ["burn_twenty", "burn_ten"]),
                        ("/^burn_(ten|twenty)$/", ["burn_ten", "burn_twenty"]),
                        ("=burn_ten", ["burn_ten"])):
        b.key("/")
        b.evaluate("document.activeElement.value = ''")
        b.type(query)
        check(f"search {query} tells the share the report tells", percent(text(b, "#matched")),
              near(sum(ROWS[r]["children_percent"] for r in rows)))
        check(f"search {query} narrows the table", b.evaluate(
            "[...document.querySelectorAll('#rows .function')].map(e => e.textContent).sort()"),
              sorted(rows))
        b.key("Escape")
    b.key("/")
    b.type("/(/")
    check("a wrong expression is said, not thrown", text(b, "#matched"),
          "not a regular expression")
    b.key("Escape")
    check("Escape clears the search", b.evaluate("app.state.search"), "")
    b.evaluate("document.querySelector('#rows tr').click()")
    check("a click in the table searches the function", b.evaluate("app.state.search"),
          "=" + max(ROWS.values(), key=lambda r: r["self_samples"])["name"])
    b.evaluate("app.change({search: ''})")


def views(b):
    b.key("v")
    settled(b)
    check("callers: leaf functions come first, the widest is the one with the largest self",
          b.evaluate("app.view.label(app.view.tree.children[0])"),
          max(ROWS.values(), key=lambda r: r["self_samples"])["name"])
    check("callers: every sample is still there", b.evaluate("app.view.tree.total.samples[0]"),
          EVENT["samples"])
    b.key("v")
    for key, state, value in (("i", "layout", "icicle"), ("m", "metric", "samples"),
                              ("s", "sort", "name"), ("t", "table", "0")):
        b.key(key)
        check(f"{key} switches {state}", b.evaluate(f"app.state.{state}"), value)
        check(f"{key} is kept in the address", b.evaluate("location.hash"), f"#{state}={value}")
        b.key(key)
    b.key("?")
    check("? opens the help", b.evaluate("document.getElementById('help').open"))
    b.key("Escape")
    check("Escape closes it", b.evaluate("document.getElementById('help').open"), False)
    b.key("ArrowUp")
    b.key("ArrowUp")
    check("arrows move the selection", b.evaluate("app.view.tree.depth[app.view.selected]"), 1)
    b.key("Enter")
    settled(b)
    check("Enter zooms into it", b.evaluate("app.view.tree.depth[app.view.zoomed]"), 1)
    b.open("about:blank")
    b.open(url(PAGE, "#search=burn_ten&layout=icicle&zoom=1"))
    check("an address with a state opens in it", b.evaluate(
        "[app.state.search, app.state.layout, app.view.zoomed]"), ["burn_ten", "icicle", 1])
    b.evaluate("location.hash = '#search=burn_twenty'")
    b.wait_for("app.state.search === 'burn_twenty'")
    check("a changed address changes the view", percent(text(b, "#matched")),
          near(ROWS["burn_twenty"]["children_percent"]))
    b.open("about:blank")
    b.open(url(PAGE, "#zoom=999999&event=7&layout=nonsense&metric=x&inverted=x&sort=x&table=x"))
    check("an address with nonsense opens as without", b.evaluate(
        "JSON.stringify(app.state) === JSON.stringify(app.defaults) && app.view.zoomed === 0"))


def hostile_page(b):
    b.open(url(HOSTILE))
    settled(b)
    b.problems.clear()
    check("hostile names make no element: two scripts, and only ours",
          b.evaluate("document.querySelectorAll('script, b, iframe, img').length"), 2)
    labels = b.evaluate("[...Array(app.view.tree.n).keys()].map(i => app.view.label(i))")
    for name in ("<script>x()", "new\\x0aline", "&lt;b>&amp;", "quote\"and'", "semi;colon;7"):
        check(f"the name {name} is a box", name in labels)
        node = node_named(b, name)
        b.evaluate(f"app.change({{zoom: '{node}'}})")
        check(f"the name {name} is text in the crumbs", text(b, "#crumbs"),
              lambda t, n=name: t.endswith("\u203a" + n))
        b.evaluate(f"app.showTooltip({node}, 10, 10)")
        check(f"the name {name} is text in the tooltip", text(b, "#tooltip .function"), name)
    check("no control character reaches the page", b.evaluate(
        "/[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]/.test(document.body.innerText)"), False)
    second = b.evaluate("app.data.events[1].fired")
    b.evaluate("app.change({event: '1'})")
    check("the second event can be chosen", text(b, "#facts"), lambda t: second in t)
    check("its samples are its own", b.evaluate(
        "app.view.tree.total.samples[0] === app.data.events[1].samples_total"))
    check("no console message, no violation of the policy", b.problems, [])


with Browser() as browser:
    shares_page(browser)
    hostile_page(browser)
sys.exit(finish())
