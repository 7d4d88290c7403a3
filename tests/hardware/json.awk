# SPDX-License-Identifier: Apache-2.0
# Flattens JSON, one value a line: "events.0.ledger.lost" TAB "0". Any awk; strings lose their quotes and keep their
# escapes, so that a value stays on its line. A token never spans lines.
function emit(value, i, path) {
	path = ""
	for (i = 1; i <= depth; i++)
		path = path (i > 1 ? "." : "") step[i]
	print path "\t" value
	if (depth && list[depth])
		step[depth]++
}

function open(is_list) {
	depth++
	list[depth] = is_list
	step[depth] = is_list ? 0 : ""
	is_key = !is_list
}

function close_one() {
	depth--
	if (depth && list[depth])
		step[depth]++
}

{
	rest = $0
	while (match(rest, /"([^"\\]|\\.)*"|[][{},:]|[^][{},: \t\r"]+/)) {
		token = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		if (token == "{" || token == "[")
			open(token == "[")
		else if (token == "}" || token == "]")
			close_one()
		else if (token == ",")
			is_key = !list[depth]
		else if (token == ":")
			is_key = 0
		else {
			if (token ~ /^"/)
				token = substr(token, 2, length(token) - 2)
			if (is_key)
				step[depth] = token
			else
				emit(token)
		}
	}
}
