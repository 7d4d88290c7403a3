# SPDX-License-Identifier: Apache-2.0
"""What a measurement gives."""


def row(what, bar, measured, verdict, beside=""):
    return {"what": what, "bar": bar, "measured": measured, "beside": beside, "verdict": verdict}
