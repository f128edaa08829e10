#!/usr/bin/env bash
# A private Slurm of two emulated nodes on this machine: no systemd, no cgroups, no accounting, loopback only.
#   usage (as root): start.sh DIRECTORY; then `export SLURM_CONF=DIRECTORY/slurm.conf`; in the end stop.sh DIRECTORY
# Each node claims enough processors, memory and GPUs for workflow/profiles/slurm to be used as it is.
# Outside DIRECTORY it touches /etc/slurm/{slurm,gres}.conf (links, because Snakemake's job step drops SLURM_CONF before its
# own srun) and /etc/hosts (torchrun reaches other nodes by name).
set -euo pipefail
directory=$1
nodes="node1 node2"
host=$(hostname -s)

if [ -e /etc/slurm/slurm.conf ] || [ -L /etc/slurm/slurm.conf ]; then
    echo "/etc/slurm/slurm.conf exists: this machine has a Slurm already" >&2
    exit 1
fi
mkdir -p "$directory"/{state,spool,munge} /etc/slurm
chmod 755 "$directory" "$directory"/{state,spool,munge}

# munge with a key and a socket of its own
dd if=/dev/urandom of="$directory/munge/key" bs=128 count=1 status=none
chmod 400 "$directory/munge/key"
chown -R munge:munge "$directory/munge"
runuser -u munge -- munged --force --key-file="$directory/munge/key" --socket="$directory/munge/socket" \
    --pid-file="$directory/munge/pid" --log-file="$directory/munge/log" --seed-file="$directory/munge/seed"

# GPUs that do nothing; character devices, because plain files would leave CUDA_VISIBLE_DEVICES unset
for node in $nodes; do
    mkdir -p "$directory/devices/$node"
    for gpu in 0 1 2 3 4 5 6; do mknod "$directory/devices/$node/nvidia$gpu" c 1 3; done
    echo "NodeName=$node Name=gpu File=$directory/devices/$node/nvidia[0-6]"
done > "$directory/gres.conf"

cat > "$directory/slurm.conf" << EOF
ClusterName=sandbox
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=17817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$directory/munge/socket
StateSaveLocation=$directory/state
SlurmdSpoolDir=$directory/spool/%n
SlurmctldPidFile=$directory/slurmctld.pid
SlurmdPidFile=$directory/slurmd-%n.pid
SlurmctldLogFile=$directory/slurmctld.log
SlurmdLogFile=$directory/slurmd-%n.log
PlugStackConfig=/dev/null
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerParameters=bf_interval=2,sched_min_interval=0,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
KillWait=5
# squeue must still know a finished job when Snakemake asks
MinJobAge=600
GresTypes=gpu
# nodes may claim more than the machine has
SlurmdParameters=config_overrides
NodeName=node[1-2] NodeHostName=$host NodeAddr=127.0.0.1 Port=[17901-17902] CPUs=64 RealMemory=1000000 Gres=gpu:7 State=UNKNOWN
PartitionName=main Nodes=node[1-2] Default=YES MaxTime=INFINITE State=UP
EOF

echo "127.0.0.1 $nodes # slurm sandbox" >> /etc/hosts
ln -s "$directory/slurm.conf" "$directory/gres.conf" /etc/slurm/
export SLURM_CONF="$directory/slurm.conf"
slurmctld
for node in $nodes; do slurmd -N "$node"; done
for _ in $(seq 60); do
    [ "$(timeout 5 sinfo --noheader --Node --states=idle | wc -l)" = 2 ] && exit 0
    sleep 0.5
done
echo "the nodes did not come up; see the logs in $directory" >&2
exit 1
