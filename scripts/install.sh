#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what `make` built, or takes it away again.
#
# usage: scripts/install.sh install|uninstall BUILD [--purge]
#
# Environment: DESTDIR (a package's root: files only, nothing is applied), PREFIX (/usr), SYSCONFDIR (/etc),
# PURGE=yes (as --purge).
#
# Without DESTDIR, install also makes the user and the directories, tells systemd and the journal, and, on a Debian or
# Ubuntu kernel that refuses CAP_PERFMON, lowers kernel.perf_event_paranoid to 2. Nothing is enabled or started.
# Uninstall undoes all of it. It keeps the profiles in /var/lib/ebpf-profiler (and then the user who owns them) and a
# configuration that was changed, unless --purge is given.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
	sed -n 's/^# usage: /usage: /p' "$0" >&2
	exit 2
}

[ $# -ge 2 ] || usage
action=$1 build=$2 purge=${PURGE:-no}
[ "${3:-}" != --purge ] || purge=yes
DESTDIR=${DESTDIR:-} PREFIX=${PREFIX:-/usr} SYSCONFDIR=${SYSCONFDIR:-/etc}

name=ebpf-profiler
share=$PREFIX/share/$name
config=$SYSCONFDIR/$name/$name.conf
sysctl=$SYSCONFDIR/sysctl.d/50-$name.conf
state=/var/lib/$name
cache=/var/cache/$name
paranoid=/proc/sys/kernel/perf_event_paranoid

# systemd looks into fixed directories, whatever PREFIX is.
systemd_dir() {
	pkg-config --variable="$1" systemd 2>/dev/null || echo "$2"
}
unit_dir=$(systemd_dir systemdsystemunitdir "$PREFIX/lib/systemd/system")
preset_dir=$(systemd_dir systemdsystempresetdir "$PREFIX/lib/systemd/system-preset")
sysusers_dir=$(systemd_dir sysusersdir "$PREFIX/lib/sysusers.d")
tmpfiles_dir=$(systemd_dir tmpfilesdir "$PREFIX/lib/tmpfiles.d")
modules_dir=$(systemd_dir modulesloaddir "$PREFIX/lib/modules-load.d")
catalog_dir=$(systemd_dir catalogdir "$PREFIX/lib/systemd/catalog")

say() {
	echo "  $*"
}

# MODE SOURCE TARGET of every file but the configuration, which has rules of its own.
files() {
	local f
	echo "755 $build/$name $PREFIX/bin/$name"
	echo "644 systemd/$name.service $unit_dir/$name.service"
	echo "644 systemd/$name.preset $preset_dir/80-$name.preset"
	echo "644 systemd/$name.sysusers $sysusers_dir/$name.conf"
	echo "644 systemd/$name.tmpfiles $tmpfiles_dir/$name.conf"
	echo "644 systemd/$name.modules $modules_dir/$name.conf"
	echo "644 systemd/$name.catalog $catalog_dir/$name.catalog"
	echo "644 systemd/$name.conf $share/$name.conf"
	echo "644 systemd/$name.sysctl $share/$name.sysctl"
	for f in systemd/drop-ins/*.conf; do echo "644 $f $share/drop-ins/${f##*/}"; done
	for f in docs/man/*.[158]; do echo "644 $f $PREFIX/share/man/man${f##*.}/${f##*/}"; done
	for f in README.md LICENSE docs/*.md; do
		[ ! -e "$f" ] || echo "644 $f $PREFIX/share/doc/$name/${f##*/}"
	done
	echo "644 scripts/$name.bash-completion $PREFIX/share/bash-completion/completions/$name"
}

# Directories that are this program's alone, the inner ones first.
directories() {
	printf '%s\n' "$share/drop-ins" "$share" "$PREFIX/share/doc/$name" "$SYSCONFDIR/$name/conf.d" "$SYSCONFDIR/$name"
}

install_config() {
	local target=$DESTDIR$config reference=$DESTDIR$share/$name.conf

	install -d -m 755 "$DESTDIR$SYSCONFDIR/$name/conf.d"
	if [ ! -e "$target" ] || cmp -s "$target" "$reference"; then
		install -m 644 systemd/$name.conf "$target"
	elif ! cmp -s "$target" systemd/$name.conf; then
		say "$config was changed and is kept; the new defaults are in $share/$name.conf"
	fi
}

install_unit() {
	local unit=$DESTDIR$unit_dir/$name.service

	sed -i -e "s|/usr/share/$name|$share|" -e "s|^\(Exec.*=\)/usr/bin/$name|\1$PREFIX/bin/$name|" "$unit"
	[ "$SYSCONFDIR" = /etc ] || sed -i "s|^Exec.*=.*/bin/$name .*|& --config=$config|" "$unit"
}

install_files() {
	local mode source target

	install_config
	while read -r mode source target; do
		install -D -m "$mode" "$source" "$DESTDIR$target"
	done < <(files)
	install_unit
}

systemd_runs() {
	[ -d /run/systemd/system ]
}

# Debian's and Ubuntu's own level: mainline takes any number above 2 for 2, and CAP_PERFMON for enough.
lower_paranoid() {
	local level

	level=$(cat $paranoid 2>/dev/null || echo 0)
	[ "$level" -gt 2 ] || return 0
	if ! sed 's/.*#//' /proc/version | grep -qE 'Debian|Ubuntu'; then # behind '#' stands what `uname -v` prints
		say "kernel.perf_event_paranoid is $level and stays so: this is no Debian or Ubuntu kernel"
		return 0
	fi
	install -d -m 755 "${sysctl%/*}"
	{
		echo "# before: $level"
		cat systemd/$name.sysctl
	} >"$sysctl"
	sysctl -q -p "$sysctl"
	say "kernel.perf_event_paranoid lowered from $level to 2 for the whole host, by $sysctl:"
	say "this kernel lets not even CAP_PERFMON sample above 2; the file tells what that means"
}

restore_paranoid() {
	local before

	[ -e "$sysctl" ] || return 0
	before=$(sed -n '1s/^# before: //p' "$sysctl")
	rm -f "$sysctl"
	if [ -n "$before" ] && [ "$(cat $paranoid)" = 2 ]; then
		sysctl -q -w "kernel.perf_event_paranoid=$before"
		say "kernel.perf_event_paranoid set back to $before"
	fi
}

apply() {
	systemd-sysusers "$sysusers_dir/$name.conf"
	systemd-tmpfiles --create "$tmpfiles_dir/$name.conf"
	lower_paranoid
	journalctl --update-catalog
	if systemd_runs; then
		systemctl daemon-reload
		if systemctl -q is-active $name.service; then
			say "the running daemon is still the old one: systemctl restart $name"
		else
			say "to start it: systemctl enable --now $name"
		fi
	fi
}

stop_service() {
	! systemd_runs || systemctl -q disable --now $name.service 2>/dev/null || true
}

remove_config() {
	local target=$DESTDIR$config

	if [ "$purge" = yes ]; then
		rm -rf "$DESTDIR${SYSCONFDIR:?}/$name"
	elif [ -e "$target" ] && cmp -s "$target" "$DESTDIR$share/$name.conf"; then
		rm -f "$target"
	elif [ -e "$target" ]; then
		say "$config was changed and is kept"
	fi
}

remove_files() {
	local mode source target directory

	remove_config
	while read -r mode source target; do rm -f "$DESTDIR$target"; done < <(files)
	while read -r directory; do
		[ ! -d "$DESTDIR$directory" ] || rmdir --ignore-fail-on-non-empty "$DESTDIR$directory"
	done < <(directories)
}

remove_data() {
	rm -rf "$cache"
	[ "$purge" = no ] || rm -rf "$state"
	[ ! -d "$state" ] || rmdir --ignore-fail-on-non-empty "$state"
	if [ -d "$state" ]; then
		say "the profiles in $state are kept, and so is the user $name who owns them"
		return
	fi
	! getent passwd $name >/dev/null || userdel $name
	! getent group $name >/dev/null || groupdel $name
}

unapply() {
	restore_paranoid
	remove_data
	journalctl --update-catalog
	! systemd_runs || systemctl daemon-reload
}

case $action in
install)
	install_files
	[ -n "$DESTDIR" ] || apply
	;;
uninstall)
	[ -n "$DESTDIR" ] || stop_service
	remove_files
	[ -n "$DESTDIR" ] || unapply
	;;
*)
	usage
	;;
esac
