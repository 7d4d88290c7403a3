# SPDX-License-Identifier: Apache-2.0
# One test's TAP as lines TEST TAB pass|fail|skip TAB CLAIM TAB DETAIL TAB SECONDS, for report.sh.
# Variables: name, code (exit code, empty: it was ended before), seconds.
#
# A test that fails without saying so is a failure: no result at all, an exit code, less results than planned.
function emit(kind, claim, detail) {
	gsub(/\t/, " ", claim)
	gsub(/\t/, " ", detail)
	printf "%s\t%s\t%s\t%s\t%d\n", name, kind, claim, detail, seconds
	results++
	if (kind == "fail")
		failures++
	comment = ""
}

function claim_of(line) {
	sub(/^(not )?ok *[0-9]* *(- )?/, "", line)
	return line
}

/^# measured: / { next }
/^# / {
	if (length(comment) < 2000)
		comment = comment (comment == "" ? "" : " / ") substr($0, 3)
	next
}
/^not ok( |$)/ { emit("fail", claim_of($0), comment); next }
/^ok .*# SKIP/ {
	line = claim_of($0)
	reason = line
	sub(/ *# SKIP.*/, "", line)
	sub(/.*# SKIP */, "", reason)
	emit("skip", line, reason)
	next
}
/^ok( |$)/ { emit("pass", claim_of($0), ""); next }
/^1\.\.[0-9]+$/ { planned = substr($0, 4) + 0; has_plan = 1 }

END {
	if (code == "")
		emit("fail", "the test was ended before its end", comment)
	else if (code == 124 || code == 137)
		emit("fail", "the test took too long and was ended", comment)
	else if (code != 0 && !failures)
		emit("fail", "the test ended with exit code " code " and no failed claim", comment)
	else if (!results)
		emit("fail", "the test printed no result", comment)
	else if (!has_plan || planned != results)
		emit("fail", "the test did not come to its end: " results " results, planned " (has_plan ? planned : "unknown"), comment)
}
