#!/usr/bin/env bash
# Stop the daemons that start.sh started, by their pid files, and take back what it changed outside its directory.
#   usage (as root): stop.sh DIRECTORY
directory=$1
export SLURM_CONF="$directory/slurm.conf"
timeout 10 scancel --user=root
for file in "$directory"/slurmd-*.pid "$directory/slurmctld.pid" "$directory/munge/pid"; do
    [ -s "$file" ] || continue
    pid=$(cat "$file")
    kill "$pid" 2> /dev/null
    for _ in $(seq 80); do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.25
    done
done
for name in slurm.conf gres.conf; do
    [ "$(readlink "/etc/slurm/$name")" = "$directory/$name" ] && rm "/etc/slurm/$name"
done
sed '/# slurm sandbox$/d' /etc/hosts > "$directory/hosts" && cat "$directory/hosts" > /etc/hosts
exit 0
