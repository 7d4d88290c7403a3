#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Puts the flame graph's page together and prints it as a C array: style and scripts inlined, their SHA-256 in the
# content security policy, so that a browser runs nothing else that might stand in the page.
#
# usage: embed_page.sh daemon/export/page >flame_page.h
set -euo pipefail
cd "$1"
scripts=(model.js view.js scale.js table.js app.js)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sha256() { sha256sum | cut -c 1-64 | tr a-f A-F | basenc --base16 -d | base64 -w 0; }

cat "${scripts[@]}" >"$work/script"
policy="default-src 'none'; script-src 'sha256-$(sha256 <"$work/script")'"
policy+="; style-src 'sha256-$(sha256 <page.css)'; base-uri 'none'; form-action 'none'"

while IFS= read -r line; do
	case $line in
	@STYLE@)
		printf '<style>'
		cat page.css
		printf '</style>\n'
		;;
	@SCRIPT@)
		printf '<script>'
		cat "$work/script"
		printf '</script>\n'
		;;
	*) printf '%s\n' "${line/@CSP@/$policy}" ;;
	esac
done <page.html >"$work/page"

echo "/* SPDX-License-Identifier: Apache-2.0 */"
echo "/* Made by scripts/embed_page.sh. */"
echo "static const unsigned char flame_page[] = {"
od -An -v -tx1 "$work/page" | sed 's/ \(..\)/0x\1,/g'
echo "};"
