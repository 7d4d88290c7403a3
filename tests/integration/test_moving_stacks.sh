#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# User stacks where they are hard to take, of living processes: stubs, the vDSO, libraries that come and go, files that
# are gone, code that lies in no file, Go, Rust, a database under load.
. "$(dirname "$0")/lib.sh"
export PYTHONDONTWRITEBYTECODE=1
truth=tests/integration/stack_truth.py

build() {
	local flags="-O2 -fomit-frame-pointer"
	gcc $flags -fPIE -pie -Wl,-z,lazy -o "$work/moves" tests/unwind/moves.c -ldl &&
		gcc $flags -fPIE -pie -pthread -o "$work/places" tests/unwind/places.c -ldl &&
		gcc $flags -shared -fPIC -o "$work/a.so" tests/unwind/library.c &&
		gcc -O1 -fno-omit-frame-pointer -shared -fPIC -o "$work/b.so" tests/unwind/library.c
}
check "programs that move are built" build

# start NAME COMMAND...: sets pid.
start() {
	local name=$1
	shift
	background "$@" >"$work/$name.out" 2>&1
	pid=$!
	until_true 20 grep -q ready "$work/$name.out"
}
stop() { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null
record() { # NAME SECONDS
	"$PROFILER" record --unwind dwarf --symbol-cache "$work/cache" -F 999 -d "$2" -p "$pid" -o "$work/$1.seg"
}
# moving NAME SECONDS CLAIM STATUS SHARE OUTER PLACE:COUNT...
moving() {
	local name=$1 seconds=$2 claim=$3
	shift 3
	record "$name" 1 >/dev/null 2>&1 # its rows are built
	check "$name: recorded" record "$name" "$seconds"
	check "$name: $claim" python3 $truth ends "$work/$name.seg" "$pid" "$@"
	stop
}

read -r size address offset < <(objdump -h "$work/moves" | awk '$2 == ".plt" { print "0x" $3, "0x" $4, "0x" $6 }')
start plt "$work/moves" plt
moving plt 2 "stacks are whole from within stubs" complete 0.99 4 \
	"$(printf 'moves@%x-%x:3' $((offset)) $((offset + size)))" libc.so.6:50

start vdso "$work/moves" vdso
moving vdso 1 "stacks are whole from within the vDSO" complete 0.99 4 '[vdso]:20'

start jit "$work/moves" jit
moving jit 1 "code that lies in no file is passed through by its frame pointers, and said so" jit 0.99 4 anon:30

start reload "$work/moves" reload "$work/a.so" "$work/b.so"
moving reload 3 "no stack is taken by the rows of what lay there before" complete 0.9 4 a.so:20 b.so:20

cp "$work/places" "$work/deleted"
start deleted "$work/deleted" recursion
rm "$work/deleted"
moving deleted 1 "the file of a running program need not be there any more" complete 0.99 42 deleted:30

# A program that is there in its own mount namespace only.
mkdir "$work/mount"
in_container=(unshare -m sh -c 'mount -t tmpfs none "$1" && cp "$2" "$1/contained" && exec "$1/contained" recursion' sh
	"$work/mount" "$work/places")
if unshare -m true 2>/dev/null; then
	start container "${in_container[@]}"
	check "the file of a container is not seen from here" test ! -e "$work/mount/contained"
	moving container 1 "stacks of a program that only a container has are whole" complete 0.99 42 contained:30
	begun_while_recorded() {
		"$PROFILER" record --unwind dwarf --symbol-cache "$work/none" -F 999 -d 2 -o "$work/contained.seg" -- "${in_container[@]}" &&
			python3 $truth share "$work/contained.seg" contained 100
	}
	check "so are those of one that began while it was recorded" begun_while_recorded
else
	skip "stacks of a program that only a container has are whole" "mount namespaces cannot be made here"
fi

if go version >/dev/null 2>&1; then
	cat >"$work/spin.go" <<-'GO'
		package main

		import "fmt"

		//go:noinline
		func leaf(i, sum int) int { return i ^ sum<<1 }

		//go:noinline
		func inner(n int) (sum int) {
			for i := 0; i < n; i++ {
				sum += leaf(i, sum)
			}
			return
		}

		//go:noinline
		func outer(n int) int { return inner(n) + 1 }

		func main() {
			fmt.Println("ready")
			sum := 0
			for {
				sum += outer(1000000)
			}
		}
	GO
	build_go() { GOCACHE=$work/gocache GOFLAGS=-mod=mod HOME=$work go build -o "$work/spin" "$work/spin.go"; }
	check "a Go program is built" build_go
	start go "$work/spin"
	check "go: recorded" record go 2
	go_is_known() {
		"$PROFILER" export --format folded "$work/go.seg" | grep -E 'runtime[.]main;main[.]main;main[.]outer;main[.]inner [0-9]{2,}' &&
			"$PROFILER" report "$work/go.seg" | grep -E '^Stacks +user .*[0-9.]+ % by frame pointers, unverified'
	}
	check "go: walked by its frame pointers, to its main" go_is_known
	stop
else
	skip "go: walked by its frame pointers, to its main" "go is not installed"
fi

if rustc --version >/dev/null 2>&1; then
	cat >"$work/spin.rs" <<-'RUST'
		use std::hint::black_box;

		#[inline(never)]
		fn recurse(n: u32, f: &dyn Fn(u32) -> u64) -> u64 {
		    if n == 0 { f(n) } else { black_box(recurse(n - 1, f)) + 1 }
		}

		fn main() {
		    println!("ready");
		    let work = |n: u32| { let mut v: Vec<u64> = (0..1000).map(|i| (i * 7919 + n as u64) % 1009).collect(); v.sort(); v[5] };
		    std::thread::spawn(move || loop { black_box(recurse(20, &work)); });
		    loop { black_box(recurse(30, &work)); }
		}
	RUST
	check "a Rust program is built" rustc -O -C force-frame-pointers=no -o "$work/spin-rust" "$work/spin.rs"
	start rust "$work/spin-rust"
	record rust 1 >/dev/null 2>&1
	check "rust: recorded" record rust 2
	check "rust: stacks of main and of a thread are complete" python3 $truth share "$work/rust.seg" spin-rust 100
	stop
else
	skip "rust: stacks of main and of a thread are complete" "rustc is not installed"
fi

# A database with no network, of a user who is not root.
bin=$(dirname "$(readlink -f "$(command -v postgres || ls /usr/lib/postgresql/*/bin/postgres)")")
as_nobody() { setpriv --reuid=nobody --regid=nogroup --clear-groups "$@"; }
begin_database() {
	chmod 755 "$work" && mkdir "$work/db" && chown nobody "$work/db" &&
		as_nobody "$bin/initdb" -N --locale=C -D "$work/db/data" &&
		echo "listen_addresses = ''
		unix_socket_directories = '$work/db'
		fsync = off
		jit = off
		max_parallel_workers_per_gather = 0
		shared_buffers = 16MB" >>"$work/db/data/postgresql.conf"
}
check "a database is made" begin_database
background setpriv --reuid=nobody --regid=nogroup --clear-groups "$bin/postgres" -D "$work/db/data" >"$work/postgres.out" 2>&1
database=$!
sql() { as_nobody "$bin/psql" -h "$work/db" -d postgres -Atqc "$1"; }
check "it answers" until_true 30 sql "select 1"
load_database() {
	"$PROFILER" record --all --unwind dwarf --symbol-cache "$work/cache" -F 499 -o "$work/db.seg" -- setpriv \
		--reuid=nobody --regid=nogroup --clear-groups "$bin/psql" -h "$work/db" -d postgres -Atq \
		-c "select count(distinct reverse(a.m)) from t a join t b on a.i % 9770 = b.i" \
		-c "select sum(length(md5(m || n))) from t, generate_series(1, 30) n"
}
check "it has data" sql "create table t as select i, md5(i::text) as m from generate_series(1, 50000) i"
check "it is recorded under load" load_database # its rows are built
check "and once more" load_database
stacks_of_database() {
	"$PROFILER" export --format folded --comm postgres "$work/db.seg" >"$work/db.folded" &&
		grep -E '^postgres;_start;.*;main;PostmasterMain;.*;PostgresMain;.*;(ExecInterpExpr|tuplesort_performsort|hash|ExecAgg|Exec)' \
			"$work/db.folded" | head -n 1 | grep .
}
check "a query's stacks go from _start to the executor" stacks_of_database
check "they are complete" python3 $truth share "$work/db.seg" postgres 300
every_call_is_one() {
	"$PROFILER" cat --collector unwind_binaries -o json "$work/db.seg" | python3 -c '
import json, sys
rows = [r for r in map(json.loads, sys.stdin) if r["binary"].endswith("/postgres")]
print(rows)
sys.exit(0 if rows and sum(r["checked"] for r in rows) >= 20 and all(r["checked"] == r["right"] for r in rows) else 1)'
}
check "and every return address in it that was checked follows a call" every_call_is_one
check "the database ends" kill -INT "$database"

finish
