#!/usr/bin/env bash
# Build the compile example, edit it, break it and repair it, and check that each time exactly the
# jobs run that have to. Usage: demo.sh BIN, where BIN is the directory of the redun program.
set -euo pipefail

redun="$1/redun"
examples="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cp "$examples"/compile/{make.py,*.c} "$work"
cd "$work"
export REDUN_CONFIG="$work/.redun" # never a repo in a directory above

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
fail() { printf '\nerror: %s\n' "$*" >&2; exit 1; }
show() { printf '$ %s\n' "$*"; "${@/#redun/$redun}"; }

# Run the workflow; its output also goes to run.log.
make_it() {
    echo '$ redun run make.py make'
    "$redun" run make.py make 2>&1 | tee run.log
}

# jobs_that Run|Cached: one line for each such job of the last run, e.g. "compile lib.c".
jobs_that() {
    sed -nE -e "s/^\[redun\] $1 +Job [0-9a-f]+: +redun\.examples\.compile\.//" \
        -e "s/^(compile|link|make_prog)\([a-z_]+=(File\(path=|')([a-z0-9.]+).*/\1 \3/p" \
        -e "s/^make\(.*/make/p" run.log | sort -u
}

# expect_run N JOB...: in the last run, exactly these N jobs ran.
expect_run() {
    local count=$1 expected actual
    shift
    expected="$(printf '%s\n' "$@" | sed '/^$/d' | sort)"
    actual="$(jobs_that Run)"
    [ "$actual" = "$expected" ] ||
        fail "expected $count jobs to run:"$'\n'"$expected"$'\n'"but these did:"$'\n'"$actual"
    echo "-- as expected, jobs that ran: $count"
}

# expect_cached JOB...: the last run took at least these jobs from the cache.
expect_cached() {
    local job
    for job in "$@"; do
        jobs_that Cached | grep -qxF "$job" || fail "expected '$job' to be cached"
    done
    echo "-- as expected, from the cache: $(IFS=,; echo "$*" | sed 's/,/, /g')"
}

expect_text() { grep -qF -- "$2" <<<"$1" || fail "expected to see: $2"; }

make_progs=("make_prog prog" "make_prog prog2")
links=("link prog" "link prog2")
untouched=("compile prog.c" "compile prog2.c")

say "First run: nothing is there yet, all 8 jobs run (lib.c is compiled once for both programs)"
make_it
expect_run 8 make "${make_progs[@]}" "compile lib.c" "${untouched[@]}" "${links[@]}"
show ./prog

say "Edit lib.c: what depends on it runs again, prog.c and prog2.c are not compiled again"
cp -p lib.c lib.c.before
sed -i.bak 's/World!/World!!!!!!!!/' lib.c
diff lib.c.before lib.c || true
make_it
expect_run 6 make "${make_progs[@]}" "compile lib.c" "${links[@]}"
expect_cached "${untouched[@]}"
show ./prog
expect_text "$(./prog)" 'prog1: Hello, World!!!!!!!!'

say "Run it once more: nothing has changed, all is cached"
make_it
expect_run 0 ""
expect_cached make "${make_progs[@]}" "compile lib.c" "${untouched[@]}" "${links[@]}"

say "The executions so far"
show redun log --no-pager
[ "$("$redun" log | grep -c '^Exec .* DONE .*run make.py make')" = 3 ] || fail "expected 3 executions"

say "The jobs of the latest one"
show redun log - --no-pager
[ "$("$redun" log - | grep -c '^ *Job .*\[CACHED\]')" = 9 ] || fail "expected 9 cached jobs"

say "Where does prog come from? Its job, the code that made it, and what it was made of"
show redun log prog --no-pager
lineage="$("$redun" log prog)"
expect_text "$lineage" "File $(sed -nE 's/.*path=prog, hash=([0-9a-f]+).*/\1/p' run.log | tail -1) prog"
expect_text "$lineage" 'Produced by Job'
expect_text "$lineage" 'def link(prog_path: str, o_files: list[File]) -> File:'
expect_text "$lineage" 'c_file = <'

say "Delete an output: only its link runs"
show rm prog
make_it
expect_run 1 "link prog"
show ./prog

say "Revert the edit: make and make_prog are known calls; lib.o and what is linked with it are redone"
cp -p lib.c.before lib.c
make_it
expect_run 3 "compile lib.c" "${links[@]}"
expect_cached make "${make_progs[@]}" "${untouched[@]}"
show ./prog
expect_text "$(./prog)" 'prog1: Hello, World!'

say "Done: each time, exactly the jobs ran that had to"
