#!/usr/bin/env bash
# Debian packages that some tests need: a browser for the report, Slurm for the cluster profile, BLAST+ for its
# databases, seqkit for the benchmark that stands beside it.
# Installs what is missing where it may; otherwise says which tests will be skipped.
set -euo pipefail
missing=()
for package in chromium chromium-driver slurmctld slurmd slurm-client munge ncbi-blast+ seqkit; do
    dpkg-query --show --showformat='${Status}' "$package" 2> /dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get > /dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null && exit 0
fi
echo "not installed: ${missing[*]}; the tests that need them are skipped" \
    "(chromium: the report in a browser; slurm and munge: the miniature run on Slurm;" \
    "ncbi-blast+: BLAST databases; seqkit: the benchmark)" >&2
