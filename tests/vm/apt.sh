# SPDX-License-Identifier: Apache-2.0
# Sourced: packages of any suite and architecture from a private apt directory, verified by apt, never installed.
#
# The mirror and apt's own settings (proxy, dates) are the machine's; its package lists and its dpkg database stay as
# they are. One apt directory per suite, so that "the newest" means the newest of that suite.
#
#   lab_apt SUITE TOOL ARG...         apt-get or apt-cache on the lists of SUITE
#   lab_update SUITE ARCH...          fetch the lists, unless that was done within a day
#   lab_download SUITE PACKAGE...     prints the paths of these .deb files, fetched or kept
#   lab_closure SUITE ARCH PACKAGE... prints PACKAGE[:ARCH]... with all they depend on
#   lab_unpack DIRECTORY DEB...       the files of the packages; maintainer scripts are not run
#
# Needs $lab (a directory) and die().

lab_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The mirror from which this machine takes its own main component.
lab_mirror() {
	local codename uri
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	uri=$(apt-get indextargets --format "\$(REPO_URI) \$(RELEASE) \$(COMPONENT)" "Created-By: Packages" |
		awk -v release="$codename" '$2 == release && $3 == "main" { print $1; exit }')
	[ -n "$uri" ] || die "no Debian mirror with a 'main' component for '$codename' in this machine's apt sources"
	echo "$uri"
}

lab_apt() {
	local suite=$1 tool=$2
	shift 2
	APT_CONFIG=$lab/apt/$suite/apt.conf "$tool" -q "$@"
}

lab_configure() {
	local suite=$1 dir=$lab/apt/$1 arch
	shift
	mkdir -p "$dir/lists/partial" "$dir/cache" "$lab/debs/$suite/partial"
	: >"$dir/status"
	echo "deb [arch=$(IFS=,; echo "$*") signed-by=$lab_keyring] $(lab_mirror) $suite main" >"$dir/sources.list"
	{
		cat <<-CONF
			Dir::Etc::parts "/etc/apt/apt.conf.d";
			Dir::Etc::main "/dev/null";
			Dir::Etc::sourcelist "$dir/sources.list";
			Dir::Etc::sourceparts "/dev/null";
			Dir::Etc::preferences "/dev/null";
			Dir::Etc::preferencesparts "/dev/null";
			Dir::State "$dir";
			Dir::State::status "$dir/status";
			Dir::Cache "$dir/cache";
			Dir::Cache::archives "$lab/debs/$suite";
			APT::Sandbox::User "root";
			APT::Install-Recommends "0";
			APT::Default-Release "";
			APT::Architecture "$1";
			Acquire::Languages "none";
			Acquire::Retries "3";
		CONF
		for arch; do echo "APT::Architectures:: \"$arch\";"; done
	} >"$dir/apt.conf"
}

lab_update() {
	local suite=$1 stamp=$lab/apt/$1/updated want
	shift
	want="$lab $*"
	if [ -n "$(find "$stamp" -mmin -1440 2>/dev/null)" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi
	lab_configure "$suite" "$@"
	lab_apt "$suite" apt-get update -o APT::Update::Error-Mode=any >"$lab/apt/$suite/log" 2>&1 ||
		die "the package lists of $suite cannot be fetched: $(grep -m1 '^E:' "$lab/apt/$suite/log")"
	echo "$want" >"$stamp"
}

# Packages as NAME or NAME:ARCH. What is kept was verified when it came.
lab_download() {
	local suite=$1 uri file size dir=$lab/debs/$1
	local -a missing=()
	shift
	lab_apt "$suite" apt-get download --print-uris "$@" >"$lab/apt/$suite/uris" 2>"$lab/apt/$suite/log" ||
		die "a package is not in $suite: $(grep -m1 '^E:' "$lab/apt/$suite/log")"
	while read -r uri file size _; do
		[ "$(stat -c %s "$dir/$file" 2>/dev/null)" = "$size" ] || missing+=("$file")
	done <"$lab/apt/$suite/uris"
	if [ ${#missing[@]} -gt 0 ]; then
		(cd "$dir" && lab_apt "$suite" apt-get download "$@") >"$lab/apt/$suite/log" 2>&1 ||
			die "packages of $suite cannot be fetched: $(grep -m1 '^E:' "$lab/apt/$suite/log")"
	fi
	awk -v dir="$dir" '{ print dir "/" $2 }' "$lab/apt/$suite/uris"
}

lab_closure() {
	local suite=$1 arch=$2
	shift 2
	lab_apt "$suite" apt-get install -s -o APT::Architecture="$arch" "${@/%/:$arch}" 2>"$lab/apt/$suite/log" |
		awk -v arch="$arch" '$1 == "Inst" { sub(/:.*/, "", $2); print $2 (/\[all\]/ ? "" : ":" arch) }'
	[ "${PIPESTATUS[0]}" -eq 0 ] ||
		die "packages for $arch cannot be had from $suite: $(grep -m1 '^E:' "$lab/apt/$suite/log")"
}

lab_unpack() {
	local dir=$1 deb top
	shift
	mkdir -p "$dir/usr"
	for top in bin sbin lib lib64; do
		mkdir -p "$dir/usr/$top"
		[ -e "$dir/$top" ] || ln -s "usr/$top" "$dir/$top"
	done
	for deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir" --keep-directory-symlink ||
			die "$(basename "$deb") cannot be unpacked into $dir: $(df -h --output=avail "$dir" | tail -1) free"
	done
}
