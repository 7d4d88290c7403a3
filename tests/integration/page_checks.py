# SPDX-License-Identifier: Apache-2.0
"""What the checks of flame graph pages in a browser have in common; claims are printed as TAP."""
import json
import os
import re

number = failed = 0


def check(claim, got, want=True):
    global number, failed
    number += 1
    ok = want(got) if callable(want) else got == want
    if not ok:
        failed += 1
        print(f"# got {got!r}" + ("" if callable(want) else f", not {want!r}"))
    print(f"{'ok' if ok else 'not ok'} {number} - {claim}", flush=True)


def url(path, fragment=""):
    return "file://" + os.path.abspath(path) + fragment


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def settled(browser):
    """Until the zoom has arrived and is drawn."""
    browser.wait_for("app.view.viewport === app.view.to && app.view.frame === 0")


def picture(browser):
    return browser.evaluate("app.view.canvas.toDataURL()")


def node_named(browser, name):
    """The widest box with this name."""
    return browser.evaluate(
        "(() => { const t = app.view.tree; let best = -1;"
        f"for (let i = 1; i < t.n; i++) if (app.view.label(i) === {json.dumps(name)} &&"
        "(best < 0 || t.width[i] > t.width[best])) best = i; return best; })()")


def click(browser, node, clicks=1):
    browser.evaluate(f"app.view.reveal({node}); app.view.redraw()")
    settled(browser)
    at = browser.evaluate(f"(() => {{ const p = app.view.boxOf({node}), r = "
                          "app.view.canvas.getBoundingClientRect();"
                          "return [p.x + r.left, p.y + r.top]; })()")
    browser.mouse(*at, clicks)
    settled(browser)


def percent(string):
    found = re.search(r"([0-9.]+) %", string)
    return float(found[1]) if found else None


def near(want, tolerance=0.1):
    return lambda got: got is not None and abs(got - want) <= tolerance


def finish():
    print(f"1..{number}")
    return 1 if failed else 0
