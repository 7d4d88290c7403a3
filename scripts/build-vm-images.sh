#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Builds what the guests of scripts/run-vm-tests.sh boot: kernels and a root file system with the product and its tests.
#
# usage: build-vm-images.sh [--arch amd64|arm64|riscv64]... [--kernel NAME | --no-kernel]... [--output DIR]
#
# Kernels are Debian packages of several suites (tests/vm/kernels.conf), unpacked, never installed. A root is the files
# of Debian packages (no maintainer script runs, so that any architecture can be made) with the product in /opt, packed
# as an initramfs. The product is cross-built for arm64 and riscv64 against unpacked development packages; the BPF
# objects must come out byte for byte the same everywhere.
#
# Below the output directory (build/vm):
#   kernels/ARCH/NAME/{vmlinuz,modules,packages}   roots/{ARCH,amd64-systemd}.cpio   build/ARCH (the cross builds)   debs/ apt/ (caches)
#
# Exit code: 0; 4 all but kernels that cannot be had; 2 wrong usage; 3 a package, a tool or disk space is missing; 1 a build
# failed.
set -euo pipefail
cd "$(dirname "$0")/.."
O=${O:-build}

die() {
	echo "build-vm-images: $1" >&2
	exit "${2:-3}"
}

lab=$O/vm archs=() kernels=()
while [ $# -gt 0 ]; do
	case $1 in
	--arch | --kernel | --output)
		[ -n "${2:-}" ] || die "$1 needs a value; see --help" 2
		;;&
	--arch) archs+=("$2") && shift 2 ;;
	--kernel) kernels+=("$2") && shift 2 ;;
	--no-kernel) kernels+=('') && shift ;;
	--output) lab=$2 && shift 2 ;;
	-h | --help) sed -n '3,17s/^# \{0,1\}//p' "$0" && exit ;;
	*) die "'$1' is not expected here; see --help" 2 ;;
	esac
done
mkdir -p "$lab" || die "cannot create $lab"
lab=$(realpath "$lab")
source tests/vm/apt.sh

chosen() { # NAME LIST...: is in the list, or the list is empty
	local name=$1 x
	shift
	[ $# -gt 0 ] || return 0
	for x; do [ "$x" != "$name" ] || return 0; done
	return 1
}

# --- kernels ----------------------------------------------------------------------------------------------------------

# apt needs every architecture that a suite will be asked for.
lab_lists() { # SUITE
	case $1 in
	bookworm) lab_update bookworm amd64 arm64 ;;
	trixie) lab_update trixie amd64 arm64 riscv64 ;;
	*) lab_update "$1" amd64 ;;
	esac
}

# The package that holds vmlinuz, and since 7.x, where linux-image-* only depends on others, the one that holds the modules.
kernel_packages() {
	local suite=$1 arch=$2 meta=$3 image
	image=$(lab_apt "$suite" apt-cache depends "$meta:$arch" 2>/dev/null | sed -n 's/.*Depends: \(linux-image-[0-9][^: ]*\).*/\1/p')
	[ -n "$image" ] || die "$suite has no kernel package behind $meta for $arch"
	lab_apt "$suite" apt-cache depends "$image:$arch" |
		sed -n 's/.*Depends: \(linux-\(binary\|modules\)-[^: ]*\).*/\1/p' | grep . || echo "$image"
}

# Of the modules a guest needs one alone: the disk that is a file.
build_kernel() {
	local name=$1 arch=$2 suite=$3 meta=$4 packages deb debs module release dir=$lab/kernels/$2/$1

	lab_lists "$suite"
	packages=$(kernel_packages "$suite" "$arch" "$meta")
	if [ "$(cat "$dir/packages" 2>/dev/null)" = "$packages" ]; then return; fi
	debs=$(lab_download "$suite" ${packages//$'\n'/:$arch }:$arch) || {
		echo "build-vm-images: $suite may have moved on: once more, with new lists" >&2
		rm "$lab/apt/$suite/updated"
		lab_lists "$suite"
		packages=$(kernel_packages "$suite" "$arch" "$meta")
		debs=$(lab_download "$suite" ${packages//$'\n'/:$arch }:$arch)
	}
	rm -rf "$dir"
	mkdir -p "$dir/unpacked"
	# linux-image-* has it as boot/vmlinuz-RELEASE, linux-binary-* as usr/lib/modules/RELEASE/vmlinuz.
	for deb in $debs; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/unpacked" --wildcards '*/vmlinu[xz]*' '*/loop.ko*' 2>/dev/null || true
	done
	mv "$(find "$dir/unpacked" -type f -name 'vmlinu*')" "$dir/vmlinuz" &&
		module=$(find "$dir/unpacked" -name 'loop.ko*' | grep .) ||
		die "the kernel of $packages cannot be unpacked; free: $(df -h --output=avail "$lab" | tail -1)"
	release=${module#*/modules/}
	mkdir -p "$dir/modules/${release%%/*}"
	case $module in
	*.xz) xz -dc "$module" ;;
	*) cat "$module" ;;
	esac >"$dir/modules/${release%%/*}/loop.ko"
	rm -r "$dir/unpacked"
	echo "$packages" >"$dir/packages"
	echo "kernel $arch $name: ${packages//$'\n'/ }"
}

# --- the product, per architecture ------------------------------------------------------------------------------------

development=(libc6-dev linux-libc-dev libbpf-dev libelf-dev libpfm4-dev libsystemd-dev libzstd-dev zlib1g-dev liblzma-dev
	libinih-dev libiberty-dev libcap-dev)
userland=(base-files bash dash coreutils grep sed mawk findutils diffutils gzip util-linux mount procps python3 libcap2-bin
	busybox-static)
# What the guests whose PID 1 is systemd have beside it.
service_userland=(systemd passwd bpftool libc-bin)

# Debian 12 has no riscv64.
suite_of() { if [ "$1" = riscv64 ]; then echo trixie; else echo bookworm; fi; }
triple_of() {
	case $1 in
	amd64) echo x86_64-linux-gnu ;;
	arm64) echo aarch64-linux-gnu ;;
	*) echo riscv64-linux-gnu ;;
	esac
}

# unpack_once ARCH DIRECTORY PACKAGE...: with all they depend on, again only when the list has changed.
unpack_once() {
	local arch=$1 dir=$2 suite closure debs
	shift 2
	suite=$(suite_of "$arch")
	closure=$(lab_closure "$suite" "$arch" "$@")
	debs=$(lab_download "$suite" $closure)
	if [ "$(cat "$dir.packages" 2>/dev/null)" = "$debs" ]; then return; fi
	rm -rf "$dir"
	lab_unpack "$dir" $debs
	echo "$debs" >"$dir.packages"
}

targets=(all hardware-tests vm-programs)

# Prints the build directory. The machine's own architecture is what `make` has built.
build_product() {
	local arch=$1 triple sysroot=$lab/sysroots/$1 build=$lab/build/$1 log=$lab/build/$1.log
	mkdir -p "$lab/build"
	if [ "$arch" = "$(dpkg --print-architecture)" ]; then
		make -j"$(nproc)" O="$O" "${targets[@]}" >"$log" 2>&1 || die "the build failed: $(tail -n 3 "$log")" 1
		realpath "$O"
		return
	fi
	triple=$(triple_of "$arch")
	unpack_once "$arch" "$sysroot" "${development[@]}" >&2
	PKG_CONFIG_SYSROOT_DIR=$sysroot \
		PKG_CONFIG_LIBDIR=$sysroot/usr/lib/$triple/pkgconfig:$sysroot/usr/share/pkgconfig \
		make -j"$(nproc)" O="$build" CC="$triple-gcc --sysroot=$sysroot" AR="$triple-ar" CFLAGS=-O2 \
		"${targets[@]}" >"$log" 2>&1 || die "the build for $arch failed: $(tail -n 3 "$log")" 1
	! grep -q 'warning:' "$log" || die "the build for $arch warns: $(grep -m1 'warning:' "$log")" 1
	echo "$build"
}

# One object for all: what differs is a build that depends on its place.
same_objects() {
	local o
	for o in "$O"/bpf/*.bpf.o; do
		cmp -s "$o" "$1/bpf/$(basename "$o")" || die "$(basename "$o") differs between $O and $1" 1
	done
}

# --- roots ------------------------------------------------------------------------------------------------------------

# copy_libraries SYSROOT TRIPLE ROOT FILE...: what the programs are linked with, and what that is linked with.
copy_libraries() {
	local sysroot=$1 triple=$2 root=$3 name found dir
	shift 3
	readelf -d "$@" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' | sort -u | while read -r name; do
		[ ! -e "$root/usr/lib/$triple/$name" ] || continue
		for dir in "$sysroot/usr/lib/$triple" "$sysroot/lib/$triple" "$sysroot/usr/lib" "$sysroot/lib"; do
			found=$dir/$name
			[ ! -e "$found" ] || break
		done
		[ -e "$found" ] || die "library $name is not in $sysroot" 1
		cp -L "$found" "$root/usr/lib/$triple/$name"
		copy_libraries "$sysroot" "$triple" "$root" "$found"
	done
}

# What maintainer scripts and an administrator would have left.
finish_root() {
	local root=$1
	rm -rf "$root"/usr/share/{doc,man,locale,info,lintian,perl,bash-completion,zoneinfo} "$root"/usr/lib/*/{gconv,perl*} \
		"$root"/usr/bin/*perl* "$root"/usr/lib/*/lib{perl,db-5,sqlite3}* \
		"$root"/usr/lib/python3*/{pydoc_data,lib2to3,ensurepip,idlelib,distutils,test}
	mkdir -p "$root"/{proc,sys,dev,run,tmp,root,opt,var/tmp}
	[ -e "$root/usr/bin/awk" ] || ln -s mawk "$root/usr/bin/awk"
	[ -e "$root/usr/bin/sh" ] || ln -s dash "$root/usr/bin/sh"
	printf 'root:x:0:0::/root:/bin/bash\nnobody:x:65534:65534::/:/bin/sh\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
}

# The product and its tests lie as in a source tree: /opt/ebpf-profiler, built in build/.
install_product() {
	local root=$1 build=$2 arch=$3 tree=$1/opt/ebpf-profiler sysroot=/ f
	[ "$build" = "$(realpath "$O")" ] || sysroot=$lab/sysroots/$arch
	rm -rf "$tree"
	mkdir -p "$tree/build"
	cp -a LICENSE README.md docs scripts systemd tests "$tree/"
	rm -rf "$tree/tests/fuzz" "$tree/tests/unit"
	cp -a "$build/ebpf-profiler" "$build/workloads" "$build/bpf" "$build/vm-programs" "$build/hardware" "$tree/build/"
	find "$tree/build" -name '*.d' -delete
	sha256sum "$O"/bpf/*.bpf.o | sed 's|  .*/|  |' >"$tree/build/objects.sha256"
	for f in "$tree"/build/ebpf-profiler "$tree"/build/{vm-programs,hardware,workloads}/*; do
		[ -d "$f" ] || [ ! -x "$f" ] || copy_libraries "$sysroot" "$(triple_of "$arch")" "$root" "$f"
	done
	mkdir -p "$root/usr/lib/modules"
	for f in "$lab/kernels/$arch"/*/modules; do
		[ ! -d "$f" ] || cp -a "$f/." "$root/usr/lib/modules/"
	done
	install -m 755 tests/vm/init "$root/init"
	if [ -d "$root/usr/lib/systemd/system" ]; then
		mkdir -p "$root/etc/systemd/system"
		: >"$root/etc/machine-id"
		install -m 644 tests/vm/systemd/* "$root/etc/systemd/system/"
	fi
}

# Packed without compression: to unpack it would cost an emulated guest seconds.
build_root() { # NAME ARCH PACKAGE...
	local name=$1 arch=$2 build root=$lab/roots/$1 staging=$lab/roots/$1.staging
	unpack_once "$arch" "$root" "${@:3}"
	build=$(build_product "$arch")
	same_objects "$build"
	rm -rf "$staging"
	cp -a --reflink=auto "$root" "$staging"
	finish_root "$staging"
	install_product "$staging" "$build" "$arch"
	(cd "$staging" && find . -print0 | cpio --null --create --format=newc --owner=0:0 --quiet) >"$lab/roots/$name.cpio.new" ||
		die "the root $name cannot be packed: $(df -h --output=avail "$lab" | tail -1) free"
	mv "$lab/roots/$name.cpio.new" "$lab/roots/$name.cpio"
	rm -rf "$staging"
	echo "root $name: $(du -h "$lab/roots/$name.cpio" | cut -f1)"
}

# --- all of it --------------------------------------------------------------------------------------------------------

scripts/install-deps.sh vm || die "the packages of the lab cannot be installed"
[ "$(df -m --output=avail "$lab" | tail -1)" -ge 4096 ] || die "less than 4 GiB are free below $lab"

table=$(sed -e '/^#/d' -e '/^$/d' tests/vm/kernels.conf)
selection=$(while read -r name arch suite meta _; do
	if [ "$suite" != - ] && chosen "$name" "${kernels[@]}" && chosen "$arch" "${archs[@]}"; then
		echo "$name $arch $suite $meta"
	fi
done <<<"$table")
[ -n "$selection" ] || chosen '' "${kernels[@]}" ||
	die "tests/vm/kernels.conf has no kernel '${kernels[*]}' for '${archs[*]:-any architecture}'" 2

# One kernel that cannot be had is no reason to leave the others untried; an older one of the same name would be no answer.
missing=''
while read -r name arch suite meta; do
	[ -n "$name" ] || continue
	set +e
	(set -e && build_kernel "$name" "$arch" "$suite" "$meta")
	code=$?
	set -e
	if [ $code -ne 0 ]; then
		rm -rf "$lab/kernels/$arch/$name"
		missing=yes
	fi
done <<<"$selection"

[ ${#archs[@]} -gt 0 ] || mapfile -t archs < <(cut -d' ' -f2 <<<"${selection:-$(awk '{ print "-", $2 }' <<<"$table")}")
for arch in $(printf '%s\n' "${archs[@]}" | sort -u); do
	lab_lists "$(suite_of "$arch")"
	build_root "$arch" "$arch" "${userland[@]}"
	[ "$arch" != amd64 ] || build_root amd64-systemd amd64 "${userland[@]}" "${service_userland[@]}"
done
[ -z "$missing" ] || exit 4
