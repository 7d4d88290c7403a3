#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What is handed to systemd and to the installing administrator, without a running systemd: the unit and its drop-ins,
# their exposure scores, users, directories, preset, catalog, manual pages, completion, and the files of an installation.
source "$(dirname "$0")/lib.sh"

name=ebpf-profiler
root=$work/root

# A copy of the unit whose command exists; with the drop-in $1 if given.
make_unit() {
	rm -rf "$work/unit"
	mkdir -p "$work/unit/$name.service.d"
	sed "s|^\(Exec.*=\)/usr/bin/$name|\1$PROFILER|" systemd/$name.service >"$work/unit/$name.service"
	[ -z "${1:-}" ] || cp "$1" "$work/unit/$name.service.d/"
}

score() {
	systemd-analyze security --offline=true "$work/unit/$name.service" 2>/dev/null |
		sed -n 's/.*exposure level for [^:]*: \([0-9.]*\).*/\1/p'
}

verify() {
	local out
	out=$(systemd-analyze verify --man=no "$work/unit/$name.service" 2>&1) && [ -z "$out" ] || {
		echo "$out"
		return 1
	}
}

make_unit
check "systemd-analyze verify has nothing to say about the unit" verify
check "the unit's exposure is at most 2.5" \
	systemd-analyze security --offline=true --threshold=25 "$work/unit/$name.service"
check "the unit tells its own score" grep -q "rates it $(score) (OK)" systemd/$name.service
for d in systemd/drop-ins/*.conf; do
	make_unit "$d"
	check "${d##*/}: systemd-analyze verify has nothing to say" verify
	check "${d##*/}: tells its score, $(score), at most 2.5" \
		sh -c "grep -q '^# systemd-analyze security: $(score)\$' $d &&
			systemd-analyze security --offline=true --threshold=25 $work/unit/$name.service"
done
check "operations.md has the same scores" bash -c '
	for d in systemd/drop-ins/*.conf; do
		score=$(sed -n "s/^# systemd-analyze security: //p" "$d")
		grep -q "^| \`${d##*/}\` | $score |" docs/operations.md || { echo "$d $score"; exit 1; }
	done'

# --- users, directories, preset, catalog ---

mkdir -p "$root"/{etc,usr/lib/systemd/catalog,usr/lib/systemd/system,usr/lib/systemd/system-preset}
cp systemd/$name.catalog "$root/usr/lib/systemd/catalog/"
cp systemd/$name.service "$root/usr/lib/systemd/system/"
cp systemd/$name.preset "$root/usr/lib/systemd/system-preset/80-$name.preset"
check "sysusers makes user and group of the unit" sh -c "
	systemd-sysusers --root=$root $PWD/systemd/$name.sysusers &&
	grep -q '^$name:' $root/etc/passwd && grep -q '^$name:' $root/etc/group &&
	grep -q '^User=$name\$' systemd/$name.service && grep -q '^Group=$name\$' systemd/$name.service"
check "tmpfiles makes the state directory, 0750" sh -c "
	systemd-tmpfiles --root=$root --create $PWD/systemd/$name.tmpfiles &&
	[ \"\$(stat -c %a $root/var/lib/$name)\" = 750 ]"
check "the preset leaves the service disabled" sh -c "
	systemctl --root=$root preset $name.service &&
	[ \"\$(systemctl --root=$root is-enabled $name.service)\" = disabled ]"
check "journalctl takes the catalog, every entry of it" sh -c "
	journalctl --root=$root --update-catalog &&
	[ \$(journalctl --root=$root --list-catalog | grep -c ' $name: ') -eq \$(grep -c '#define MESSAGE_' daemon/engine/messages.h) ]"

# --- manual pages and completion ---

for page in docs/man/*.[158]; do
	check "${page##*/} is formatted without a warning" \
		sh -c "out=\$(groff -mandoc -Tutf8 -ww -z $page 2>&1) && [ -z \"\$out\" ] || { echo \"\$out\"; exit 1; }"
done

check "the manual has every command and every option" bash -c '
	missing=0
	for command in $('"$PROFILER"' --help | sed -n "s/^  \([a-z][a-z-]*\)  .*/\1/p"); do
		grep -q "^\.It Cm .*\b$command\b" docs/man/ebpf-profiler.1 || { echo "$command"; missing=1; }
		for option in $('"$PROFILER"' $command --help | grep -oE -- "--[a-z][a-z-]*" | sort -u); do
			grep -qE -- "(Fl|,) ${option#-}\b" docs/man/ebpf-profiler.[18] || { echo "$command $option"; missing=1; }
		done
	done
	exit $missing'

complete_words() {
	bash -c "
		source scripts/$name.bash-completion
		COMP_WORDS=($*) COMP_CWORD=\$((\${#COMP_WORDS[@]} - 1))
		_ebpf_profiler
		printf '%s\n' \"\${COMPREPLY[@]}\""
}
check "completion offers every command" bash -c "
	[ \"\$($PROFILER --help | sed -n 's/^  \([a-z]*\)  .*/\1/p' | sort)\" = \
	  \"\$(PATH=$O:\$PATH; $(declare -f complete_words); name=$name; complete_words $PROFILER \"''\" | grep -v ^- | sort)\" ]"
check "completion offers a command's options" sh -c "
	[ '$(complete_words "$PROFILER" status --js)' = --json ]"

# --- the files of an installation ---

install_to() {
	DESTDIR=$work/dest "$@" scripts/install.sh install "$O"
}
list() {
	(cd "$work/dest" && find . ! -type d | sort)
}

check "install into DESTDIR" install_to env
check "everything lies where systemd, the journal and man look" sh -c "
	cd $work/dest && ls usr/bin/$name .$(pkg-config --variable=systemdsystemunitdir systemd)/$name.service \
		usr/lib/sysusers.d/$name.conf usr/lib/tmpfiles.d/$name.conf usr/lib/modules-load.d/$name.conf usr/lib/systemd/catalog/$name.catalog \
		usr/share/man/man8/$name.8 usr/share/man/man1/$name.1 usr/share/man/man5/$name.conf.5 \
		usr/share/bash-completion/completions/$name etc/$name/$name.conf"
check "no setting of the host is part of it" sh -c "! ls $work/dest/etc/sysctl.d $work/dest/usr/lib/sysctl.d"
check "installed files are not writable by others, and only the program is executable" sh -c "
	[ -z \"\$(find $work/dest -type f -perm /022)\" ] &&
	[ \"\$(find $work/dest -type f -perm /111)\" = $work/dest/usr/bin/$name ]"
check "the installed program runs" "$work/dest/usr/bin/$name" --version
list >"$work/first"
check "installing again changes nothing" sh -c "DESTDIR=$work/dest scripts/install.sh install $O && cd $work/dest &&
	find . ! -type d | sort | cmp - $work/first"
echo 'x = y' >>"$work/dest/etc/$name/$name.conf"
install_to env >"$work/log"
check "a changed configuration is kept by install, and that is said" sh -c "
	grep -q 'x = y' $work/dest/etc/$name/$name.conf && grep -q 'was changed and is kept' $work/log"
DESTDIR=$work/dest scripts/install.sh uninstall "$O" >"$work/log"
check "uninstall keeps it, and nothing else" sh -c "[ \"\$(cd $work/dest && find . ! -type d)\" = ./etc/$name/$name.conf ]"
DESTDIR=$work/dest PURGE=yes scripts/install.sh uninstall "$O" >"$work/log"
check "uninstall with PURGE=yes leaves no file and no directory of its own" sh -c "
	[ -z \"\$(find $work/dest ! -type d)\" ] && [ -z \"\$(find $work/dest -name '*$name*')\" ]"
install_to env PREFIX=/opt/p SYSCONFDIR=/opt/etc >"$work/log"
check "PREFIX and SYSCONFDIR reach files and unit" sh -c "
	ls $work/dest/opt/p/bin/$name $work/dest/opt/etc/$name/$name.conf &&
	unit=$work/dest$(pkg-config --variable=systemdsystemunitdir systemd)/$name.service
	grep -q '^ExecStart=/opt/p/bin/$name daemon --config=/opt/etc/$name/$name.conf\$' \$unit &&
	grep -q '^ExecReload=/opt/p/bin/$name status --reload --quiet --config=/opt/etc/$name/$name.conf\$' \$unit"
DESTDIR=$work/dest PREFIX=/opt/p SYSCONFDIR=/opt/etc scripts/install.sh uninstall "$O" >"$work/log"
check "and are taken away again" sh -c "[ -z \"\$(find $work/dest ! -type d)\" ]"
check "wrong usage is refused with 2" sh -c "scripts/install.sh frobnicate $O; [ \$? -eq 2 ]"

finish
