#!/usr/bin/env bash
# A sweep on Slurm, on this one machine: submitted as a job array, one task killed, submitted again, and compared byte for
# byte with the same sweep run here. Needs root, and Debian's slurm-wlm; everything it makes is in a temporary folder.
#
#   tests/slurm.sh path/to/isacopt sweep.toml
#
# The sweep has 60 runs, half of them of `random_search`, which asks for 2 processors and 200M.
set -euo pipefail
isacopt=$(realpath "$1")
config=$(realpath "$2")
here=$(mktemp -d /tmp/isacopt-slurm.XXXXXX)
chmod 755 "$here"
node=$(hostname -s)
started=()
end() {
  scancel --me --quiet 2>/dev/null || true
  sleep 1
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$here"
}
trap end EXIT

fail() {
  echo "slurm: $*" >&2
  tail -n 20 "$here"/slurm*.log "$here"/*/slurm/*.out >&2 2>/dev/null || true
  exit 1
}

# An own munge, and no cgroups: a process is followed by its parents.
mkdir -p "$here/state" "$here/spool" "$here/munge"
dd if=/dev/urandom bs=1 count=1024 status=none >"$here/munge/key"
chmod 700 "$here/munge" && chmod 600 "$here/munge/key"
munged --foreground --force --key-file="$here/munge/key" --socket="$here/munge.socket" \
  --pid-file="$here/munge/pid" --log-file="$here/munge/log" --seed-file="$here/munge/seed" --num-threads=2 &
started+=($!)
cat >"$here/slurm.conf" <<CONF
ClusterName=isacopt
SlurmctldHost=$node(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$here/munge.socket
StateSaveLocation=$here/state
SlurmdSpoolDir=$here/spool
SlurmctldPidFile=$here/slurmctld.pid
SlurmdPidFile=$here/slurmd.pid
SlurmctldLogFile=$here/slurmctld.log
SlurmdLogFile=$here/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MaxArraySize=8
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=512 State=UNKNOWN
PartitionName=all Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF="$here/slurm.conf"
slurmctld -D -c -f "$SLURM_CONF" >"$here/slurmctld.out" 2>&1 &
started+=($!)
slurmd -D -c -f "$SLURM_CONF" -N "$node" >"$here/slurmd.out" 2>&1 &
started+=($!)
for _ in $(seq 100); do
  if sinfo --noheader --format=%t 2>/dev/null | grep -q idle; then break; fi
  sleep 0.2
done
sinfo --noheader --format=%t | grep -q idle || { tail -n 20 "$here"/slurm*.log "$here"/slurm*.out >&2; fail "the node does not come up"; }

cp "$config" "$here/sweep.toml"
cd "$here"
"$isacopt" run sweep.toml --out local >/dev/null 2>&1 || fail "the local run failed"
# 12 tasks of one solver are more than an array of this cluster may have: two arrays of it, and of the other solver two.
"$isacopt" slurm sweep.toml --out cluster --tasks 12 --dry-run >dry.txt
test "$(grep -c '^sbatch ' dry.txt)" = 4 || { cat dry.txt >&2; fail "MaxArraySize was not heeded"; }
grep -q -- '--cpus-per-task=2 --mem=200M' dry.txt || fail "a solver's resources were not asked for"
rm -rf cluster
# The first array meets a worker that dies at once in one of its tasks.
cat >dying <<DYING
#!/bin/sh
if [ "\${SLURM_ARRAY_TASK_ID:-}" = 2 ] && [ ! -e "$here/died" ]; then touch "$here/died"; kill -9 \$\$; fi
exec "$isacopt" "\$@"
DYING
chmod +x dying
"$isacopt" slurm sweep.toml --out cluster --tasks 5 --dry-run >/dev/null
rm -rf cluster
ISACOPT_PROGRAM="$here/dying" "$isacopt" slurm sweep.toml --out cluster --tasks 5 >first.txt || fail "nothing was submitted"
for _ in $(seq 300); do
  if [ -z "$(squeue --noheader --me)" ]; then break; fi
  sleep 0.2
done
test -e died || fail "no task was killed"
"$isacopt" run sweep.toml --out cluster --collect >/dev/null 2>&1 || fail "collecting failed"
there=$(wc -l <cluster/results.jsonl)
test "$there" -gt 0 && test "$there" -lt 60 || fail "after the kill there are $there of 60 runs"
# Submitted again, only what is missing is done.
"$isacopt" slurm sweep.toml --out cluster --tasks 2 --wait --poll 0.3 >second.txt 2>second.err || { cat second.err >&2; fail "waiting failed"; }
cmp local/results.jsonl cluster/results.jsonl || fail "the cluster's results differ from the local ones"
grep -q 'sbatch ' second.txt || fail "nothing was submitted again"
"$isacopt" slurm sweep.toml --out cluster >third.txt 2>&1
if grep -q 'sbatch ' third.txt; then fail "what is done was submitted again"; fi
echo "slurm: $there of 60 runs after a task was killed, all after another submission, the same bytes as here"
